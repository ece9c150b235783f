"""A graph as numbered lists: the fast prediction, and when it may stop."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables
from tests.graphs import graphs, shape

SPLITS = st.lists(st.integers(0, 3), min_size=16, max_size=16)


@given(graphs(), SPLITS)
def test_the_fast_prediction_equals_the_simulation(graph: Graph, workers: list[int]):
    """For any split of the operators, each worker in the order of decreasing distance."""
    tables = Tables.of(graph, distance_to_end(graph))
    worker_of = workers[: len(graph)]
    clusters = [
        [n for n, w in zip(tables.names, worker_of, strict=True) if w == k] for k in range(4)
    ]

    assert tables.makespan_ms(worker_of, 4) == simulate(graph, clusters).makespan_ms


@given(graphs(), SPLITS, st.integers(0, 400).map(lambda n: n / 4))
def test_a_prediction_stops_only_where_it_is_sure_to_be_longer(graph, workers, most_ms):
    tables = Tables.of(graph, distance_to_end(graph))
    worker_of = workers[: len(graph)]
    whole_ms = tables.makespan_ms(worker_of, 4)
    told_ms = tables.makespan_ms(worker_of, 4, most_ms=most_ms)

    assert told_ms == whole_ms or (told_ms == math.inf and whole_ms > most_ms)


def test_a_prediction_stops_at_the_first_operator_that_leaves_too_little_time():
    """After a: b and d are still to come, 6 ms."""
    tables = Tables.of(shape("diamond"), distance_to_end(shape("diamond")))

    assert dict(zip(tables.names, tables.onward_ms, strict=True)) == {
        "a": 6,
        "b": 1,
        "c": 1,
        "d": 0,
    }
    assert tables.makespan_ms([0, 0, 1, 0], 2, most_ms=7) == 7
    assert tables.makespan_ms([0, 0, 1, 0], 2, most_ms=6.5) == math.inf
