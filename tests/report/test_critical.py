"""What every moment of a run went to, and which chain of events decided its length."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core.ir import Bar, Graph, Timeline
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.simulate import simulate
from ramiel_core.report.critical import (
    RESULT,
    Difference,
    critical_bars,
    differences,
    labelled,
    spent_ms,
)
from tests.graphs import any_order_plan, graphs, shape

# worker 0:  ..a a a a s s                 . wakes, s sends
# worker 1:  . b b w w w w c c .           w waits, the last of it for the signal
MEASURED = Timeline(
    (
        Bar(0, "a", "compute", 0.5, 4.0),
        Bar(0, "a", "copy", 4.0, 6.0),
        Bar(1, "b", "compute", 0.25, 2.0),
        Bar(1, "a", "wait", 2.0, 6.5),
        Bar(1, "c", "compute", 6.5, 8.0),
    ),
    8.5,
)


def chain(timeline: Timeline) -> list[tuple[str, str]]:
    return [(bar.name, bar.kind) for bar in critical_bars(timeline)]


def test_gaps_are_called_dispatch_and_the_others_keep_their_names():
    gaps = [bar for bar in labelled(MEASURED).bars if bar.kind == "dispatch"]

    assert gaps == [
        Bar(0, "a", "dispatch", 0.0, 0.5),
        Bar(1, "b", "dispatch", 0.0, 0.25),
        Bar(1, RESULT, "dispatch", 8.0, 8.5),
    ]
    assert labelled(labelled(MEASURED)) == labelled(MEASURED)


def test_a_gap_in_the_middle_is_named_after_what_follows():
    halting = Timeline((Bar(0, "a", "compute", 0, 1), Bar(0, "b", "compute", 3, 4)), 4)

    assert labelled(halting).bars[1] == Bar(0, "b", "dispatch", 1, 3)


def test_the_chain_goes_to_the_sender_of_a_value_that_came_late():
    assert chain(labelled(MEASURED)) == [
        ("a", "dispatch"),
        ("a", "compute"),
        ("a", "copy"),
        ("a", "wait"),
        ("c", "compute"),
        (RESULT, "dispatch"),
    ]
    spent = spent_ms(critical_bars(labelled(MEASURED)))
    assert spent == {"compute": 5.0, "copy": 2.0, "wait": 0.5, "dispatch": 1.0}
    assert sum(spent.values()) == MEASURED.makespan_ms


def test_a_value_that_was_there_already_holds_nobody_up():
    sent = (Bar(0, "a", "compute", 0, 1), Bar(0, "a", "copy", 1, 2))
    read = (
        Bar(1, "b", "compute", 0, 4),
        Bar(1, "a", "wait", 4, 4.001),
        Bar(1, "c", "compute", 4.001, 6),
    )

    assert chain(Timeline(sent + read, 6)) == [("b", "compute"), ("a", "wait"), ("c", "compute")]


def test_without_a_bar_there_is_no_chain():
    assert critical_bars(Timeline((), 0.0)) == ()
    assert labelled(Timeline((), 0.0)).bars == ()


@pytest.mark.parametrize("name", ["chain", "diamond", "inception", "resnet"])
def test_with_a_worker_for_each_operator_it_is_the_critical_path_of_the_graph(name: str):
    graph = shape(name)

    found = critical_bars(simulate(graph, [(node.name,) for node in graph.nodes]))

    path = critical_path(graph, distance_to_end(graph))
    assert tuple(bar.name for bar in found if bar.kind == "compute") == path


@settings(max_examples=40)
@given(graphs(), st.integers(1, 4), st.integers(0, 99))
def test_the_chain_of_a_prediction_is_as_long_as_the_prediction(
    graph: Graph, workers: int, seed: int
):
    timeline = simulate(graph, any_order_plan(graph, workers, seed).clusters)

    found = critical_bars(timeline)

    assert sum(spent_ms(found).values()) == pytest.approx(max(b.end_ms for b in timeline.bars))
    assert all(a.end_ms <= b.start_ms + 1e-9 for a, b in itertools.pairwise(found))


def test_paths_are_compared_operator_by_operator():
    predicted = Timeline(
        (Bar(0, "a", "compute", 0, 1), Bar(1, "b", "compute", 0, 7), Bar(1, "c", "compute", 7, 9)),
        9,
    )

    assert differences(predicted, MEASURED) == (
        Difference("b", 7, 1.75, on_predicted=True, on_measured=False),
        Difference("a", 1, 3.5, on_predicted=False, on_measured=True),
        Difference("c", 2, 1.5, on_predicted=True, on_measured=True),
    )
    assert [d.more_ms for d in differences(predicted, MEASURED)] == [-5.25, 2.5, -0.5]
