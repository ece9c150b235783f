"""Plans soon enough to follow a slider, speedup over workers, and operators moved by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core import pipeline
from ramiel_core.check import check_plan
from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.by_hand import BY_HAND, placed, reassigned
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.what_if import COUNTS, bounds, quick_plan, speedup_curve
from tests.graphs import SHAPES, any_order_plan, graphs, large_graph, shape


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_a_quick_plan_fits_every_shape_and_predicts_what_is_simulated(name: str, workers: int):
    graph = shape(name)

    plan = quick_plan(graph, workers)

    check_plan(graph, plan)
    assert plan.workers <= workers
    assert plan.makespan_ms == simulate(graph, plan.clusters).makespan_ms


def test_a_curve_rises_and_stays_below_what_no_plan_can_beat():
    curve = speedup_curve(large_graph(120), (1, 2, 4, 8))

    assert [point.workers for point in curve] == [1, 2, 4, 8]
    assert [p.speedup for p in curve] == sorted(p.speedup for p in curve)
    assert all(p.speedup <= p.most * (1 + 1e-9) and p.used <= p.workers for p in curve)
    assert curve[0].speedup == pytest.approx(1.0)


def test_a_point_of_the_curve_is_the_plan_of_so_many_workers():
    graph = shape("inception")

    for point in speedup_curve(graph, (1, 2, 3)):
        plan = quick_plan(graph, point.workers)
        assert point.speedup == pytest.approx(plan.t1_ms / plan.makespan_ms)


def test_a_chain_gains_nothing_from_any_number_of_workers():
    assert {p.speedup for p in speedup_curve(shape("chain"))} == {1.0}
    assert len(speedup_curve(shape("free"))) == len(COUNTS)


def test_bounds_meet_where_there_is_no_choice():
    assert bounds(12.0, 12.0, 4) == (1.0, 1.0)
    assert bounds(12.0, 1.0, 1) == (1.0, 1.0)
    assert bounds(0.0, 0.0, 4) == (1.0, 1.0)


def test_a_pin_moves_one_operator_and_leaves_the_others():
    graph = shape("inception")
    usual = pipeline.what_if(graph, 2).worker_of()
    name = next(n for n, worker in usual.items() if worker == 0 and n != "stem")

    pinned = pipeline.what_if(graph, 2, {name: 1}).worker_of()

    assert {n for n in usual if usual[n] != pinned[n]} == {name}


@settings(max_examples=40)
@given(graphs(), st.data())
def test_whatever_is_moved_where_the_plan_ends_and_runs_each_operator_once(
    graph: Graph, data: st.DataObject
):
    plan = any_order_plan(graph, 3, seed=data.draw(st.integers(0, 99)))
    names = st.sampled_from([node.name for node in graph.nodes])
    moves = data.draw(st.dictionaries(names, st.integers(0, 4)))

    moved = reassigned(graph, plan, moves)

    check_plan(graph, moved)
    assert moved.planner == BY_HAND
    assert moved.makespan_ms == simulate(graph, moved.clusters).makespan_ms


def test_a_worker_left_without_operators_is_gone():
    graph, plan = shape("diamond"), Plan((("a", "b", "d"), ("c",)))

    assert reassigned(graph, plan, {"c": 0}).workers == 1


@pytest.mark.parametrize(
    ("moves", "said"), [({"zz": 0}, "no worker runs an operator 'zz'"), ({"a": -1}, "count from 0")]
)
def test_an_impossible_move_gets_one_sentence(moves: dict[str, int], said: str):
    with pytest.raises(PlanError, match=said):
        reassigned(shape("diamond"), Plan((("a", "b", "c", "d"),)), moves)


def test_clusters_that_wait_for_each_other_for_ever_are_refused():
    with pytest.raises(PlanError, match="never ends"):
        placed(Graph.parse("a:1 b:1<a c:1 d:1<c"), (("b", "c"), ("d", "a")))
