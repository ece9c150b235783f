"""Refinement: never worse, never a deadlock, and better where merging cannot be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.refine import refine
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables
from tests.graphs import graphs


@given(graphs(), st.integers(1, 4), st.data())
def test_refining_never_makes_the_prediction_worse(graph: Graph, workers: int, data):
    tables = Tables.of(graph, distance_to_end(graph))
    count = len(graph)
    start = data.draw(st.lists(st.integers(0, workers - 1), min_size=count, max_size=count))
    before_ms = tables.makespan_ms(start, workers)
    found = refine(tables, start, workers)
    clusters = found.clusters(tables)

    assert found.makespan_ms == simulate(graph, clusters).makespan_ms
    assert found.makespan_ms <= before_ms
    assert (found.makespan_ms < before_ms) == (found.moves > 0)
    assert sorted(n for names in clusters for n in names) == sorted(graph.index)


def test_two_modules_in_a_row_are_each_shared_evenly():
    """Branches of 3 and 3, twice; all of them start on one worker."""
    graph = Graph.parse("a:1 b:3<a c:3<a d:1<b,c e:3<d f:3<d g:1<e,f")
    tables = Tables.of(graph, distance_to_end(graph))
    found = refine(tables, [0] * 7, 2)

    assert found.makespan_ms == 9
    assert found.moves >= 2


def test_an_operator_that_another_worker_waits_for_may_run_first():
    """By distance, w is the first to run; p's reader on the other worker then waits for it."""
    graph = Graph.parse("a:1 w:6<a p:1<a q:4<p z:0<w,q")
    tables = Tables.of(graph, distance_to_end(graph))
    start = [{"q": 1}.get(name, 0) for name in tables.names]

    assert tables.makespan_ms(start, 2) == 12
    assert refine(tables, start, 2).makespan_ms == 7
