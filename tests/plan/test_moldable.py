"""Each section of a graph wide or side by side, whichever is predicted faster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.check import check_plan, check_program
from ramiel_core.ir import Graph
from ramiel_core.plan.moldable import moldable_plan
from ramiel_core.plan.planner import make_plan
from ramiel_core.plan.simulate import simulate
from ramiel_core.program.emit import emit
from tests.graphs import SHAPES, graphs, shape


def scaled(graph: Graph, factor: dict[str, float], otherwise: float) -> Graph:
    """The graph with costs as they are when every operator has all threads."""
    nodes = (replace(n, cost_ms=n.cost_ms * factor.get(n.name, otherwise)) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


STEM_AND_FORK = "stem:10 b:4<stem c:4<stem d:1<b,c tail:10<d"


def test_a_stem_that_scales_runs_wide_and_a_fork_side_by_side():
    r"""
    stem:10 - b:4 - d:1 - tail:10     with two threads stem and tail take 5, b and c 3.9 each:
           \- c:4 -/                  wide 5 + 3.9 + 3.9 + 1 + 5, mixed 5 + 4 + 1 + 5
    """
    graph = Graph.parse(STEM_AND_FORK)
    wide = scaled(graph, {"b": 0.975, "c": 0.975, "d": 1.0}, 0.5)

    mixed, plan = moldable_plan(graph, wide, workers=2, threads=1, wide_threads=2)

    assert set(plan.wide) >= {"stem", "tail"}
    assert not {"b", "c"} & set(plan.wide)
    assert plan.makespan_ms == pytest.approx(15)
    assert mixed["stem"].cost_ms == 5
    assert mixed["b"].cost_ms == 4


def test_the_program_switches_threads_where_sections_meet():
    graph = Graph.parse(STEM_AND_FORK)
    graph = replace(graph, nodes=tuple(replace(n, call="torch.ones(2)") for n in graph.nodes))
    wide = scaled(graph, {"b": 0.975, "c": 0.975, "d": 1.0}, 0.5)
    mixed, plan = moldable_plan(graph, wide, workers=2, threads=1, wide_threads=2)
    program = emit(mixed, plan)
    check_program(mixed, plan, program)
    said = [line.strip() for line in program.functions[0].splitlines()]
    threads = [line for line in said if line.startswith(("torch.set_num_threads", "stem", "tail"))]

    assert threads[0] == "torch.set_num_threads(2)"
    assert threads[1].startswith("stem =")
    assert threads[2] == "torch.set_num_threads(1)"
    assert threads[-2:] == ["torch.set_num_threads(2)", threads[-1]]
    assert program.wide_threads == 2


def test_if_threads_do_not_help_nothing_is_wide():
    graph = shape("inception")
    _, plan = moldable_plan(graph, scaled(graph, {}, 1.0), 2, 1, 2)

    assert plan.wide == ()
    assert plan.makespan_ms == make_plan(graph, 2).makespan_ms


def test_if_threads_halve_everything_all_is_wide():
    graph = shape("inception")
    mixed, plan = moldable_plan(graph, scaled(graph, {}, 0.5), 2, 1, 2)

    assert set(plan.wide) == set(graph.index)
    assert plan.workers == 1
    assert plan.makespan_ms == pytest.approx(graph.t1_ms / 2)
    assert emit(mixed, plan).wide_threads == 2


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("factor", [0.3, 0.6, 0.9, 1.2])
def test_it_is_never_slower_than_its_two_ends(name: str, factor: float):
    graph = shape(name)
    wide = scaled(graph, {}, factor)
    mixed, plan = moldable_plan(graph, wide, 2, 1, 2)

    check_plan(mixed, plan)
    assert plan.makespan_ms <= wide.t1_ms + 1e-9
    assert plan.makespan_ms <= make_plan(graph, 2).makespan_ms * 1.01 + 1e-9


@given(graphs(), st.integers(1, 4), st.floats(0.2, 1.3))
def test_random_graphs_are_planned_without_deadlock(graph: Graph, workers: int, factor: float):
    wide = scaled(graph, {graph.nodes[0].name: 1.0}, factor)
    mixed, plan = moldable_plan(graph, wide, workers, 1, workers)

    check_plan(mixed, plan)
    assert plan.makespan_ms == pytest.approx(simulate(mixed, plan.clusters).makespan_ms)
