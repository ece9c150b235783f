"""Contenders take turns, a failing one is told apart, and nothing of them is left behind."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from benchmarks import contenders, overhead, peers
from benchmarks.child import Version, fastest
from benchmarks.contenders import Child, ContenderError
from ramiel_core.run import host
from tests.alive import still_alive
from tests.run import fresh


class Fake:
    """Takes `ms` an inference; breaks at start, or after so many inferences."""

    alone = False

    def __init__(self, name: str, ms: float, log: list[str], breaks_after: int = 99):
        self.name, self.ms, self.log, self.left = name, ms, log, breaks_after
        self.chosen: dict[str, int] = {}
        self.asked = 0

    def start(self, model):
        self.log.append(f"start {self.name}")

    def ready(self):
        if not self.left:
            raise ContenderError("no such kernel")
        return {"note": "fake"}

    def choose(self):
        self.asked += 1
        return self.chosen

    def infer(self):
        self.left -= 1
        if self.left < 0:
            raise ContenderError("ended by SIGSEGV")
        self.log.append(self.name)
        return self.ms

    def settle(self):
        return 0.0

    def stop(self):
        self.log.append(f"stop {self.name}")


def test_contenders_take_turns_and_the_best_peer_is_compared_with_ramiel():
    log: list[str] = []
    fakes = [Fake("eager", 30.0, log), Fake("openvino", 10.0, log), Fake("ramiel_eager", 20.0, log)]
    record = peers.compare("m", fakes, 10)

    turns = [log[3:-3][at : at + 3] for at in range(0, 30, 3)]
    assert all(sorted(turn) == ["eager", "openvino", "ramiel_eager"] for turn in turns)
    assert len(set(map(tuple, turns))) > 1  # in other orders
    assert [fake.asked for fake in fakes] == [peers.CHOOSING_ROUNDS] * 3
    assert log[-3:] == ["stop eager", "stop openvino", "stop ramiel_eager"]
    assert record["ratios"] == {
        "ramiel_eager / torch": {"best": "eager", "ratio": 1.5, "ci": [1.5, 1.5]},
        "ramiel_eager / all": {"best": "openvino", "ratio": 0.5, "ci": [0.5, 0.5]},
    }


def test_threads_are_chosen_once_everybody_is_built():
    """Also who is built while nobody else computes."""
    asked: list[str] = []

    class Asked(Fake):
        def ready(self):
            asked.append("ready")
            return super().ready()

        def choose(self):
            asked.append("choose")
            return super().choose()

    fakes = [Asked(name, 2.0, []) for name in ("eager", "ramiel_torch", "ramiel_auto")]
    fakes[1].alone = fakes[2].alone = True
    peers.compare("m", fakes, 1)

    assert asked == ["ready"] * 3 + ["choose"] * 3 * peers.CHOOSING_ROUNDS


def test_what_was_written_becomes_the_readme_s_table():
    log: list[str] = []
    names = {"eager": 30.0, "openvino": 10.0, "ramiel_torch": 20.0, "ramiel_auto": 8.0}
    record = peers.compare("m", [Fake(name, ms, log) for name, ms in names.items()], 3)
    told = {"host": peers.facts(), "records": [record]}

    *_, row, _, below = peers.readme([told, told])

    assert row == (
        "| m | eager 30.0 | 20.0 (fake) | **1.50** (1.50–1.50) "
        "| openvino 10.0 | 8.0 (fake) | **1.25** (1.25–1.25) |"
    )
    assert below.startswith("Geometric means 1.500 against torch and 1.250 against all. ")


def test_the_readme_s_table_says_which_peer_is_faster_by_fewer_threads(monkeypatch):
    monkeypatch.setattr(host, "cores", lambda: (0, 1))
    fakes = [Fake(name, 2.0, []) for name in ("eager", "ramiel_torch", "ramiel_auto")]
    for fake, threads in zip(fakes, (1, 2, 2), strict=True):
        fake.chosen = {"threads": threads}
    told = {"host": peers.facts(), "records": [peers.compare("m", fakes, 3)]}

    *_, row, _, _ = peers.readme([told])

    assert row.startswith("| m | eager 2.0 (1 thread) | 2.0 (fake) |")


@pytest.mark.parametrize(("after", "why"), [(0, "no such kernel"), (3, "ended by SIGSEGV")])
def test_a_contender_that_fails_is_shown_with_its_reason_and_the_others_go_on(
    after: int, why: str, capsys: pytest.CaptureFixture[str]
):
    log: list[str] = []
    record = peers.compare("m", [Fake("eager", 5.0, log), Fake("inductor", 1.0, log, after)], 4)
    peers.print_table([record])

    assert record["contenders"]["eager"]["median_ms"] == 5.0
    assert record["contenders"]["inductor"]["failed"] == why
    assert "median_ms" not in record["contenders"]["inductor"]
    assert f"m, inductor: {why}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["folded", "ramiel_eager"])
def test_a_child_answers_inferences_and_takes_everything_with_it(name: str, tmp_path: Path):
    child = Child(name, tmp_path, 300.0)
    child.start("mobilenet_v3_small")
    try:
        assert child.ready()["difference"] < 1e-3
        assert child.choose()["threads"] >= 1
        assert child.infer() > 0
        child.settle()
        own = psutil.Process(child._running.pid)
        family = [own, *own.children(recursive=True)]
    finally:
        child.stop()

    assert still_alive(family) == []


def test_a_child_has_settled_once_it_uses_no_processor_time(tmp_path: Path, monkeypatch):
    busy_ns, quiet_ns = contenders.LOOK_S * 1e9, 0.0
    used_ns = itertools.accumulate([0.0, busy_ns, 0.0, busy_ns, 0.0, quiet_ns, 0.0, busy_ns])
    monkeypatch.setattr(contenders, "_processor_ns", lambda _: next(used_ns))
    monkeypatch.setattr(contenders, "SETTLE_LIMIT_S", 60.0)
    child = Child("folded", tmp_path, 60.0)
    monkeypatch.setattr(child, "_process", SimpleNamespace(pid=0))
    child.settle()

    assert len(list(used_ns)) == 2  # a third look told that it is quiet, and there was no fourth


def test_a_child_without_its_onnx_file_says_so(tmp_path: Path):
    child = Child("onnxruntime", tmp_path, 300.0)
    child.start("mobilenet_v3_small")
    try:
        with pytest.raises(ContenderError, match="NO_SUCHFILE"):
            child.ready()
    finally:
        child.stop()


@pytest.mark.parametrize("disturbed", [0, 1])
@pytest.mark.parametrize(("best", "note"), [(4, ""), (2, "2 of 4 threads"), (1, "1 of 4 threads")])
def test_a_peer_runs_with_the_threads_that_make_it_fastest(
    monkeypatch, best: int, note: str, disturbed: int
):
    """Also where a neighbour slows it down while its best number is timed in either round."""
    timed = itertools.count()

    def took_ms(infer: Callable[[], int]) -> float:
        threads = infer()
        slower = 100.0 if threads == best and next(timed) == disturbed else 0.0
        return 10.0 * abs(threads - best) + 1 + slower

    monkeypatch.setattr(host, "cores", lambda: (0, 1, 2, 3))
    monkeypatch.setattr("benchmarks.child.best_ms", took_ms)
    set_to: list[int] = []
    monkeypatch.setattr("benchmarks.child.torch.set_num_threads", set_to.append)

    versions, so_far_ms = [Version(t, "", partial(int, t)) for t in (1, 2, 4)], [math.inf] * 3
    fastest(versions, so_far_ms)
    set_to.clear()
    found = fastest(versions, so_far_ms)

    assert found.infer() == found.threads == best
    assert set_to == [1, 2, 4, best]
    assert found.note == note


def test_overhead_measures_every_row():
    empty, sends = fresh.call(overhead.empty_inferences, 3), fresh.call(overhead.sends, 3)

    assert {row["unit"] for row in empty} == {"µs"}
    assert {row["what"] for row in (*empty, *sends) if "target" in row} == {
        "empty, two workers, 1 ms apart",
        "empty, two workers, back to back",
        "send of 4 KB, sender's time",
        "send of 4 KB to one asleep, sender's time",
        "send of 4 MB / memcpy of 4 MB",
    }
    assert all(low > 0 for row in (*empty, *sends) for low in row["quartiles"][:1])
