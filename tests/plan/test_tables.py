"""A graph as numbered lists: the fast prediction is the simulation's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables
from tests.graphs import graphs


@given(graphs(), st.lists(st.integers(0, 3), min_size=16, max_size=16))
def test_the_fast_prediction_equals_the_simulation(graph: Graph, workers: list[int]):
    """For any split of the operators, each worker in the order of decreasing distance."""
    tables = Tables.of(graph, distance_to_end(graph))
    worker_of = workers[: len(graph)]
    clusters = [
        [n for n, w in zip(tables.names, worker_of, strict=True) if w == k] for k in range(4)
    ]

    assert tables.makespan_ms(worker_of, 4) == simulate(graph, clusters).makespan_ms
