"""Rounds of several teams in turn, with teams that take the time they are told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ramiel_core.ir import Bar, Timeline
from ramiel_core.run import bench, profile

OUTPUT = torch.tensor([1.0])


def traced(*workers: dict[str, float]) -> Timeline:
    """Operators of each worker, one after another."""
    bars, ends = [], [0.0]
    for i, operators in enumerate(workers):
        now = 0.0
        for name, ms in operators.items():
            bars.append(Bar(i, name, "compute", now, now + ms))
            now += ms
        ends.append(now)
    return Timeline(tuple(bars), max(ends))


def team(ms: float, *workers: dict[str, float]) -> Any:
    """Times `ms` an inference; traces the operators as given."""
    layout = SimpleNamespace(bytes=0, apart_bytes=0)
    return SimpleNamespace(
        program=SimpleNamespace(workers=len(workers), layout=layout),
        threads=1,
        run=lambda: ms,
        trace=lambda: traced(*workers),
        output=lambda: OUTPUT,
        memory_bytes=lambda: 0,
    )


@pytest.fixture(autouse=True)
def no_gaps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(profile, "GAP_S", 0)


def test_costs_of_one_worker_add_up_to_its_timed_inference():
    """Traced in a minute in which the host was twice as fast."""
    teams = {"sequential": team(8.0, {"a": 1.0, "b": 3.0})}
    _, costs = bench.interleave(teams, OUTPUT, 4, lambda *_: None)

    assert costs["sequential"] == {"a": pytest.approx(2.0), "b": pytest.approx(6.0)}


def test_costs_side_by_side_are_compared_with_those_of_the_same_moment():
    """Beside its copy b takes half as long again, whatever the host's speed was when timed."""
    teams = {"sequential": team(8.0, {"a": 1.0, "b": 3.0})}
    beside = team(99.0, {"a": 1.0, "b": 4.5}, {"a2": 1.0, "b2": 4.5})
    _, costs = bench.interleave(teams, OUTPUT, 4, lambda *_: None, beside=beside)

    expected = {"a": 2.0, "b": 9.0, "a2": 2.0, "b2": 9.0}
    assert costs[bench.BESIDE] == {name: pytest.approx(ms) for name, ms in expected.items()}


def test_whoever_is_timed_has_just_run_itself():
    """Else the caches still hold another team's values: one inference takes longer after theirs."""
    last = []

    def run(label: str) -> float:
        last.append(label)
        return 1.0 if last[-2:] == [label, label] else 2.0

    teams = {label: team(0.0, {"a": 1.0}) for label in ("sequential", "parallel")}
    for label, one in teams.items():
        one.run = lambda label=label: run(label)
    runs, _ = bench.interleave(teams, OUTPUT, 5, lambda *_: None)

    assert [run.times_ms for run in runs] == [(1.0,) * 5] * 2


def test_costs_of_several_workers_stay_as_traced():
    """Their sum is no inference: scaled to it, a prediction would contain its own answer."""
    teams = {"parallel": team(5.0, {"a": 1.0}, {"b": 3.0})}
    _, costs = bench.interleave(teams, OUTPUT, 4, lambda *_: None, traced=["parallel"])

    assert costs["parallel"] == {"a": pytest.approx(1.0), "b": pytest.approx(3.0)}
