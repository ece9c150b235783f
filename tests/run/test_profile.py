"""What a host's workers cost, as it is measured in them."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import chain, count, repeat
from types import SimpleNamespace

import pytest

from ramiel_core.graph.costs import SendLine
from ramiel_core.ir import Bar, Program, Timeline
from ramiel_core.run import profile
from tests.run import fresh, inside

SWITCH_MS, WIDE_MS, BUSY_MS = 3.0, 2.0, 1.0


class Clocked:
    """In place of a team: what its first worker would take if each statement took a set time.

    Raising the thread count takes `SWITCH_MS`, a wide operator `WIDE_MS`; every fourth inference
    is disturbed.
    """

    def __init__(self, program: Program) -> None:
        self.spent_ms = 0.0
        self.disturbed_ms = (0.0 if n % 4 else 50.0 for n in count(1))
        self.clusters: dict[str, object] = {}
        exec(program.source, self.clusters)
        self.clusters["torch"] = SimpleNamespace(set_num_threads=self.set_threads)

    def set_threads(self, threads: int) -> None:
        self.spend(SWITCH_MS * (threads > 1))

    def spend(self, ms: float) -> None:
        self.spent_ms += ms

    def run(self) -> float:
        self.spent_ms = next(self.disturbed_ms)
        weights = {
            "value": None,
            "busy": lambda: self.spend(BUSY_MS),
            "wide": SimpleNamespace(sqrt_=lambda: self.spend(WIDE_MS)),
        }
        self.clusters["cluster_0"](weights, lambda _: None, lambda *_: None, None)  # type: ignore[operator]
        return self.spent_ms


def test_switching_costs_what_changing_the_thread_count_takes_and_not_what_operators_do(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(profile, "Team", lambda program, *_, **__: nullcontext(Clocked(program)))

    assert profile.switch_cost(2, 2) == 0.0
    assert profile.switch_cost(1, 2) == pytest.approx(SWITCH_MS)


@pytest.mark.parametrize("workers", [2, 3])
def test_what_switching_costs_is_measured_in_workers_that_switch(workers: int):
    found = fresh.call(inside.thread_counts_set_by_measuring_switches, 1, 2, workers)

    assert found == {"counts": [1, 2], "processes": workers}


def sent(*sizes: int) -> Timeline:
    """Values of these sizes, one after another: copy, signal, and two operators that read each.

    A copy takes 0.5 ms and 1 ms a MB, a signal 0.25; to read 2 ms a MB; the first reader 0.125 ms
    and 4 ms a MB more, up to what fits the sender's caches.
    """
    bars, now = [], 0.0
    for i, size in enumerate(sizes):
        mb = size / 2**20
        copied = now + 0.5 + mb
        seen = copied + 0.25
        first = seen + 2 * mb + 0.125 + 4 * min(mb, 1.0)
        bars += [
            Bar(0, f"v{i}", "copy", now, copied),
            Bar(1, f"v{i}", "wait", now, seen),
            Bar(1, f"v{i}_first", "compute", seen, first),
            Bar(1, f"v{i}_next", "compute", first, now := first + 2 * mb),
        ]
    return Timeline(tuple(bars), now)


def test_a_send_is_a_copy_a_signal_and_what_its_first_reader_fetches(
    monkeypatch: pytest.MonkeyPatch,
):
    team = SimpleNamespace(run=lambda: 0.0, trace=lambda: sent(*profile.SEND_BYTES))
    monkeypatch.setattr(profile, "Team", lambda *_, **__: nullcontext(team))
    line = SendLine(*profile.send_line())

    assert line.signal_ms == pytest.approx(0.25)
    assert (line.copy_call_ms, line.bytes_per_ms) == pytest.approx((0.5, 2**20))
    assert (line.fetch_call_ms, line.fetch_bytes_per_ms) == pytest.approx((0.125, 2**18))


@pytest.mark.parametrize(("took_s", "times"), [(0.01, 3), (0.7, 2), (5.0, 1)])
def test_what_takes_long_is_warm_sooner(took_s: float, times: int, monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr(profile, "time", SimpleNamespace(monotonic=lambda: sum(clock)))

    profile.warm_up(lambda: clock.append(took_s))

    assert len(clock) - 1 == times


@pytest.mark.parametrize(
    ("took_ms", "before_ms", "times"),
    [
        (1.0, 0.0, 20 + 5),
        (4.0, 0.0, 5 + 2),
        (30.0, 0.0, 1 + 1),
        (30.0, 30.0, 1),
        (1.0, 8.0, 12 + 5),
    ],
)
def test_short_inferences_are_timed_several_times_in_a_loop(
    took_ms: float, before_ms: float, times: int
):
    ran: list[float] = []

    def infer() -> float:
        ran.append(took_ms)
        return took_ms

    assert profile.steady_ms(infer, before_ms) == took_ms
    assert len(ran) == times


def test_what_came_before_a_loop_is_steady_does_not_count():
    slow_at_first = chain([10.0] * 2, repeat(1.0))

    assert profile.steady_ms(lambda: next(slow_at_first)) == 1.0
