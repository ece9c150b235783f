"""The plan arrow as a whole: every plan fits its graph and keeps its promises."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.check import check_plan
from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.ended import PAYS
from ramiel_core.plan.planner import make_plan, sequential_plan
from ramiel_core.plan.simulate import simulate
from tests.graphs import SHAPES, graphs, large_graph, shape

WORKERS = (None, 1, 2, 3, 16, 64)


def assert_plan_is_right(graph: Graph, plan: Plan, workers: int | None) -> None:
    check_plan(graph, plan)
    bound_ms = max(graph.t1_ms / plan.workers, plan.tinf_ms)
    free = distance_to_end(graph, free_sends=True)

    assert plan.workers <= (workers or plan.fixpoint)
    assert plan.makespan_ms == simulate(graph, plan.clusters).makespan_ms
    assert plan.makespan_ms >= bound_ms * (1 - 1e-12)
    assert plan.makespan_ms <= graph.t1_ms
    assert (plan.t1_ms, plan.tinf_ms) == (graph.t1_ms, max(free.values()))
    assert plan.tinf_send_ms == max(distance_to_end(graph).values())
    assert plan.critical_path == critical_path(graph, distance_to_end(graph))
    if plan.workers > 1:
        assert plan.makespan_ms * PAYS <= graph.t1_ms
        assert plan.rejected_makespan_ms is None
    if plan.rejected_makespan_ms is not None:
        assert plan.workers == 1
        assert plan.rejected_makespan_ms * PAYS > graph.t1_ms
    if plan.workers == 1:
        assert plan.clusters == sequential_plan(graph).clusters


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("name", SHAPES)
def test_plans_of_named_shapes_keep_their_promises(name: str, workers: int | None):
    assert_plan_is_right(shape(name), make_plan(shape(name), workers), workers)


@given(graphs(), st.sampled_from(WORKERS))
def test_plans_of_any_graph_keep_their_promises(graph: Graph, workers: int | None):
    assert_plan_is_right(graph, make_plan(graph, workers), workers)


def test_the_heavier_branch_stays_on_the_critical_path():
    r"""
       b:5
      /    \
    a:1    d:1      a b d is the critical path; c travels alone
      \    /
       c:2
    """
    plan = make_plan(shape("diamond"))

    assert str(plan) == "0: a b d\n1: c"
    assert (plan.t1_ms, plan.tinf_ms, plan.makespan_ms) == (9, 7, 7)


def test_a_plan_that_does_not_pay_is_replaced_by_the_sequential_one_and_says_so():
    """Sends cost ten times the operators: b and c side by side would take 107 ms."""
    plan = make_plan(shape("dear_sends"))

    assert plan.clusters == (("a", "b", "c", "d"),)
    assert plan.makespan_ms == 11
    assert plan.rejected_makespan_ms == 106
    assert len(plan.linear) == 2


def test_a_chain_is_sequential_and_nothing_was_rejected():
    plan = make_plan(shape("densenet"))

    assert (plan.workers, plan.fixpoint, len(plan.linear)) == (1, 1, 1)
    assert plan.rejected_makespan_ms is None


def test_the_natural_fixpoint_is_told_whatever_the_number_of_workers():
    graph = shape("fork_join")
    natural = make_plan(graph)

    assert natural.fixpoint == 6
    assert [make_plan(graph, k).fixpoint for k in (1, 2, 16)] == [6, 6, 6]


def test_two_workers_share_a_wide_fork_evenly():
    """Branches of 6 5 4 3 2 1 between one fork and one join: 11 and 10."""
    plan = make_plan(shape("fork_join"), workers=2)
    graph = shape("fork_join")
    loads = [sum(graph[n].cost_ms for n in names if n not in "az") for names in plan.clusters]

    assert sorted(loads) == [10, 11]


def test_parts_that_share_nothing_run_side_by_side_without_a_send():
    plan = make_plan(shape("two_components"))

    assert str(plan) == "0: a b c\n1: d e f"
    assert plan.makespan_ms == 9


@pytest.mark.parametrize("workers", [0, -1])
def test_less_than_one_worker_is_refused(workers: int):
    with pytest.raises(PlanError, match=f"at least 1 worker, not {workers}; ask for --workers 1"):
        make_plan(shape("diamond"), workers)


def test_the_sequential_plan_keeps_the_order_of_the_model():
    assert sequential_plan(shape("cross")).clusters == (("a", "b", "c", "d", "e"),)


def test_a_plan_is_the_same_in_every_process():
    """Whatever the seed of Python's hashes, which orders sets."""
    code = (
        "from ramiel_core.plan.planner import make_plan; from tests.graphs import shape, "
        "large_graph; print(make_plan(shape('inception'), 3), make_plan(large_graph(400), 4))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(texts) == 1
    assert "0: " in texts.pop()


@pytest.mark.parametrize("workers", [None, 2, 8])
def test_a_graph_of_twenty_thousand_operators_is_planned(workers: int | None):
    graph = large_graph(20_000)
    plan = make_plan(graph, workers)

    check_plan(graph, plan)
    assert plan.workers <= (workers or plan.fixpoint)
    assert plan.makespan_ms >= max(graph.t1_ms / plan.workers, plan.tinf_ms) * (1 - 1e-9)
