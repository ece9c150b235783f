"""Where a worker's operators are cut into segments."""

from __future__ import annotations

import pytest

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.kernels.cuts import Part, cut, order_of
from tests.graphs import SHAPES, dealt_plan, shape


def cuts(graph: Graph, plan: Plan) -> list[str]:
    return [" ".join(part.names) for part in cut(graph, plan)]


@pytest.mark.parametrize("name", SHAPES)
def test_one_worker_runs_one_segment(name: str):
    graph = shape(name)

    assert cuts(graph, dealt_plan(graph, 1)) == [" ".join(n.name for n in graph.nodes)]


def test_a_worker_is_cut_where_it_sends_and_where_it_receives():
    """Worker 0: a b d, worker 1: c; c needs a at once, and d needs c."""
    plan = Plan((("a", "b", "d"), ("c",)))

    assert cuts(shape("diamond"), plan) == ["a", "b", "d", "c"]


def test_a_worker_is_not_cut_behind_what_nobody_waits_for():
    """z reads b, but waits for c much longer: d may be done before b is sent."""
    graph = Graph.parse("a:1 c:9 b:1<a d:1<b z:1<b,c")
    plan = Plan((("a", "b", "d"), ("c", "z")))

    assert cuts(graph, plan) == ["a b d", "c", "z"]


def test_a_worker_is_cut_before_what_it_has_to_wait_for():
    """d needs c, which is long in coming: a and b need not wait with it."""
    graph = Graph.parse("a:1 c:9 b:0.01<a d:1<b,c")
    plan = Plan((("a", "b", "d"), ("c",)))

    assert cuts(graph, plan) == ["a b", "d", "c"]


def test_parts_that_wait_for_each_other_are_refused():
    """Worker 0 would make a and d in one go, and d needs b of worker 1, which needs a."""
    graph = Graph.parse("a:1 b:1<a d:1<b")

    with pytest.raises(PlanError, match=r"its workers wait for each other\. Plan again"):
        order_of(graph, [Part(0, ("a", "d")), Part(1, ("b",))])
