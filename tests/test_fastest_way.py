"""A moldable plan runs the way that is measured to be fastest, whatever was predicted."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ramiel_core import fastest_way
from ramiel_core.ir import MOLDABLE, Configuration, Graph, Plan, Run
from ramiel_core.workshop import Built
from tests.launched import (
    last_word_of_the_wide_way,
    last_word_on_one_core,
    last_word_with_another_winner,
)
from tests.run import fresh

FORK = Graph.parse("a:1 b:5<a c:5<a d:1<b,c")
ONE = Plan((("a", "b", "c", "d"),), makespan_ms=30.0)
CLUSTERS = Plan((("a", "b", "d"), ("c",)), makespan_ms=30.0)
WIDE = replace(ONE, wide=("a", "b", "c", "d"), wide_threads=2)
MIXED = replace(CLUSTERS, wide=("a", "d"), wide_threads=2)
NARROW_MIXED = Plan((("a", "b"), ("c", "d")), makespan_ms=30.0)  # no section of it is wide
ASKED = Configuration(planner=MOLDABLE, workers=2)


class Workshop:
    """Builds these plans, and runs nothing."""

    parcel: Any = SimpleNamespace(reference=None)

    def __init__(self, *plans: Plan) -> None:
        program: Any = None
        self.built = [Built(ASKED, FORK, plan, program, {}) for plan in plans]

    def ways(self, _: Configuration) -> list[Built]:
        return self.built

    def team(self, _: Built) -> Any:
        return nullcontext()


def raced(monkeypatch: pytest.MonkeyPatch, plans: tuple[Plan, ...], *took: list[float]) -> Any:
    """Which plan is taken where they take so long, round by round, and why."""

    def interleave(teams: Any, *_: Any, **__: Any) -> Any:
        runs = zip(teams, took, strict=True)
        return tuple(
            Run(label, 2, 1, tuple(times_ms), equal=True, max_difference=0.0)
            for label, times_ms in runs
        ), {}

    monkeypatch.setattr(fastest_way.timing, "interleave", interleave)
    workshop: Any = Workshop(*plans)
    built, reason = fastest_way.fastest_way(workshop, ASKED, lambda *_, **__: None)
    return built.plan, reason


def test_what_was_predicted_to_be_fastest_runs_where_it_is(monkeypatch):
    assert raced(monkeypatch, (WIDE, CLUSTERS), [9, 9], [12, 12]) == (WIDE, "")


def test_what_was_predicted_runs_where_another_is_not_faster_beyond_noise(monkeypatch):
    assert raced(monkeypatch, (CLUSTERS, WIDE), [12, 12, 12], [11, 13, 10]) == (CLUSTERS, "")


def test_an_end_that_was_predicted_to_be_slower_runs_where_it_is_faster(monkeypatch):
    taken, reason = raced(monkeypatch, (CLUSTERS, WIDE), [12, 24, 60], [8, 16, 40])

    assert taken is WIDE
    assert reason == (
        "predicted to be fastest was clusters side by side, but in 3 rounds in turn it took 1.50× "
        "the time of one worker with 2 threads: so that is what runs here."
    )


@pytest.mark.parametrize("mixture", [MIXED, NARROW_MIXED])
@pytest.mark.parametrize("task_parallel", [CLUSTERS, ONE])
def test_each_of_three_ways_has_a_name_of_its_own(monkeypatch, mixture: Plan, task_parallel: Plan):
    ways = (mixture, task_parallel, WIDE)
    for fastest in range(3):
        times = [[9.0 if i == fastest else 10.0] * 2 for i in range(3)]
        taken, reason = raced(monkeypatch, ways, *times)
        assert taken is ways[fastest]
        assert bool(reason) == (fastest > 0)


@pytest.mark.parametrize(
    ("predicted_ms", "rounds"), [([1, 2], 100), ([30, 40], 42), ([900] * 3, 8)]
)
def test_a_race_has_rounds_for_some_seconds(predicted_ms: list[float], rounds: int):
    """Each inference is timed after others that take as long, or 20 ms."""
    assert fastest_way._rounds(predicted_ms) == rounds


def test_a_benchmark_runs_the_winner_and_says_why():
    said = fresh.call(last_word_with_another_winner)
    assert said["kind"] == "report", said
    record = said["record"]

    assert record["equal"]
    [reason] = [text for text in record["warnings"] if "predicted to be fastest" in text]
    wide = record["plan"]["wide"]
    one = "one worker" + (" with 2 threads" if wide else "")
    taken = one if record["workers"] == 1 else "clusters side by side"
    assert f"the time of {taken}: so that is what runs here" in reason
    assert len(wide) in {0, record["operators"]}


def test_a_plan_with_wide_operators_is_timed_beside_both_of_its_ends():
    said = fresh.call(last_word_of_the_wide_way)
    assert said["kind"] == "report", said
    record = said["record"]
    runs = {run["label"]: (run["workers"], run["threads"]) for run in record["runs"]}

    assert record["equal"]
    assert runs == {"sequential": (1, 1), "parallel": (1, 1), "threads": (1, 2), "clusters": (2, 1)}
    assert "clusters that are never wide" in record["verdict"]


def test_where_no_core_is_left_for_wider_sections_clusters_are_all_there_is():
    """Two workers would take turns on it, and so would two threads."""
    said = fresh.call(last_word_on_one_core, {"planner": MOLDABLE, "workers": 2, "repeats": 2})
    assert said["kind"] == "report", said
    record = said["record"]

    assert record["equal"]
    assert record["plan"]["planner"] == MOLDABLE
    assert record["plan"]["wide"] == []
    assert [run["label"] for run in record["runs"]] == ["sequential", "parallel"]
