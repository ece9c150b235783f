"""The trace, against the Trace Event Format."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core.ir import Bar, Graph, Timeline
from ramiel_core.plan.simulate import simulate
from ramiel_core.report.perfetto import trace
from tests.graphs import any_order_plan, graphs, shape

HOSTILE = '<script>alert("x")</script>' + "n" * 500
FIELDS = {
    "M": {"ph", "pid", "tid", "ts", "name", "args"},
    "X": {"ph", "pid", "tid", "ts", "dur", "name", "cat", "args"},
    "s": {"ph", "pid", "tid", "ts", "id", "name", "cat"},
    "f": {"ph", "pid", "tid", "ts", "id", "name", "cat", "bp"},
}
ROUNDED = 0.0021  # µs: both ends are rounded


def validated(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Its events, as JSON brings them back, each as the format asks for it."""
    events = json.loads(json.dumps(found))["traceEvents"]
    slices = defaultdict(list)
    flows = defaultdict(list)
    for event in events:
        assert event.keys() == FIELDS[event["ph"]]
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ts"] >= 0
        if event["ph"] == "X":
            assert event["dur"] >= 0
            slices[event["pid"], event["tid"]].append(event)
        elif event["ph"] in "sf":
            flows[event["id"]].append(event)
    assert [e["ts"] for e in events] == sorted(e["ts"] for e in events)
    for row in slices.values():
        for one, following in itertools.pairwise(row):
            assert following["ts"] >= one["ts"] + one["dur"] - ROUNDED
    for arrow in flows.values():
        begin, end = sorted(arrow, key=lambda event: event["ph"], reverse=True)
        assert (begin["ph"], end["ph"], end["bp"]) == ("s", "f", "e")
        assert (begin["name"], begin["cat"]) == (end["name"], end["cat"])
        assert begin["tid"] != end["tid"]
        assert begin["ts"] <= end["ts"]
        for event in arrow:
            row = slices[event["pid"], event["tid"]]
            assert any(s["ts"] <= event["ts"] <= s["ts"] + s["dur"] + ROUNDED for s in row)
    return events


def arrows(events: list[dict[str, Any]]) -> set[tuple[str, int]]:
    return {(event["name"], event["tid"]) for event in events if event["ph"] == "f"}


def test_processes_and_workers_have_names_and_an_order():
    graph = shape("diamond")
    timeline = simulate(graph, (("a", "b", "d"), ("c",)))

    events = validated(trace({"predicted": (timeline, None), "measured": (timeline, None)}))

    named = {
        (e["name"], e["pid"], e["tid"]): next(iter(e["args"].values()))
        for e in events
        if e["ph"] == "M"
    }
    assert named["process_name", 1, 0] == "predicted"
    assert named["process_name", 2, 0] == "measured"
    assert named["thread_name", 2, 2] == "worker 1"
    assert named["thread_sort_index", 1, 2] == 1


def test_a_slice_is_where_its_bar_was_in_microseconds():
    found = trace({"m": (Timeline((Bar(3, "a", "copy", 0.5, 1.25),), 1.25), None)})

    dispatch, copy = (e for e in validated(found) if e["ph"] == "X")
    assert (copy["tid"], copy["ts"], copy["dur"], copy["name"]) == (4, 500, 750, "copy a")
    assert (dispatch["name"], dispatch["cat"], dispatch["dur"]) == ("dispatch a", "dispatch", 500)


def test_every_send_is_one_arrow_to_each_worker_that_reads_it():
    graph = shape("fork_join")
    timeline = simulate(graph, (("a", "b", "c", "z"), ("d", "e"), ("f", "g")))

    events = validated(trace({"p": (timeline, graph.edges)}))

    sent = {("send a", 2), ("send a", 3), *((f"send {v}", 1) for v in "defg")}
    assert arrows(events) == sent


def test_without_edges_arrows_end_where_a_worker_waited():
    graph = shape("diamond")
    timeline = simulate(graph, (("a", "b", "d"), ("c",)))

    assert arrows(validated(trace({"p": (timeline, None)}))) == {("send a", 2)}


@settings(max_examples=40)
@given(graphs(), st.integers(1, 4), st.integers(0, 99))
def test_every_prediction_becomes_a_valid_trace(graph: Graph, workers: int, seed: int):
    plan = any_order_plan(graph, workers, seed)
    worker_of = plan.worker_of()

    events = validated(trace({"p": (simulate(graph, plan.clusters), graph.edges)}))

    cut = {(a, worker_of[b]) for a, b in graph.edges if worker_of[a] != worker_of[b]}
    assert len(arrows(events)) == len(cut)


def test_a_hostile_name_stays_data():
    found = trace({HOSTILE: (Timeline((Bar(0, HOSTILE, "compute", 0, 1),), 1), None)})

    events = validated(found)
    assert events[-1]["args"]["operator"] == HOSTILE


@pytest.mark.parametrize("edges", [None, ()])
def test_an_empty_timeline_is_a_valid_trace(edges):
    assert validated(trace({"p": (Timeline((), 0.0), edges)}))
