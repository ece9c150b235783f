"""Sections in turns: large operators with all threads, what is left of them side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core.check import check_plan, check_program
from ramiel_core.ir import Graph
from ramiel_core.plan import moldable
from ramiel_core.plan.moldable import moldable_ways
from ramiel_core.plan.simulate import simulate
from ramiel_core.program.emit import emit
from tests.graphs import computing, graphs, scaled, shape

MODULE = "stem:1 heavy:10<stem b:3<stem c:3<stem d:1<heavy,b,c"


def test_a_module_with_one_large_branch_runs_in_turns():
    r"""
           /- heavy:10 -\
    stem:1 ---- b:3 ---- d:1     with two threads heavy takes 5, the others gain nothing:
           \---- c:3 ---/      side by side 1 + 10 + 1, wide 1 + 11 + 1, in turns 1 + 3 + 5 + 1
    """
    graph = Graph.parse(MODULE)

    mixed, plan = moldable_ways(graph, scaled(graph, {"heavy": 0.5}, 1.0), 2, 1, 2)[0]

    check_plan(mixed, plan)
    assert "heavy" in plan.wide
    assert not {"b", "c"} & set(plan.wide)
    assert plan.makespan_ms == pytest.approx(10)
    worker_of = plan.worker_of()
    assert worker_of["b"] != worker_of["c"]


def test_turns_that_cost_more_to_change_than_they_gain_are_not_taken():
    graph = Graph.parse(MODULE)

    _, plan = moldable_ways(graph, scaled(graph, {"heavy": 0.5}, 1.0), 2, 1, 2, switch_ms=2.5)[0]

    assert plan.wide == ()
    assert plan.makespan_ms == 12


def test_the_program_receives_what_is_awaited_though_nothing_reads_it_there():
    """heavy reads neither b nor c, and they do not read it; yet nobody computes beside it."""
    graph = computing(Graph.parse(MODULE))
    mixed, plan = moldable_ways(graph, scaled(graph, {"heavy": 0.5}, 1.0), 2, 1, 2)[0]
    program = emit(mixed, plan)
    check_program(mixed, plan, program)
    (after,) = (node for node in mixed.nodes if node.awaits)
    (before,) = after.awaits
    said = [line.strip() for line in program.functions[plan.worker_of()[after.name]].splitlines()]

    assert "heavy" in (before, after.name)
    received = next(i for i, line in enumerate(said) if line.startswith(f"{before} = receive("))
    begun = next(i for i, line in enumerate(said) if line.startswith(f"{after.name} ="))
    assert received < begun


@given(graphs(), st.integers(2, 4), st.sampled_from((0.4, 0.5, 0.6, 0.75)), st.data())
@settings(max_examples=40)
def test_nobody_computes_beside_a_wide_operator(graph: Graph, workers: int, factor: float, data):
    """Random graphs that hang together: one operator begins all of them, so sections do, too."""
    root = replace(graph.nodes[0], name="root", inputs=(), cost_ms=1.0)
    nodes = [root, *(n if n.inputs else replace(n, inputs=("root",)) for n in graph.nodes)]
    graph = replace(graph, nodes=tuple(nodes))
    some = data.draw(st.sets(st.sampled_from(sorted(graph.index))))
    wide = scaled(graph, dict.fromkeys(some, 1.0), factor)

    mixed, plan = moldable_ways(graph, wide, workers, 1, workers)[0]

    check_plan(mixed, plan)
    bars = [b for b in simulate(mixed, plan.clusters).bars if b.kind == "compute"]
    for alone in (bar for bar in bars if bar.name in plan.wide):
        for other in bars:
            assert (
                other.name == alone.name
                or other.end_ms <= alone.start_ms + 1e-9
                or other.start_ms >= alone.end_ms - 1e-9
            )


def test_turns_are_not_searched_where_they_cannot_be_shorter(monkeypatch):
    """Threads gain nothing, and side by side the fork takes its longest path."""

    def in_turns(*_: object) -> None:
        pytest.fail("this section was searched")

    graph = shape("diamond")
    monkeypatch.setattr(moldable, "in_turns", in_turns)
    _, plan = moldable_ways(graph, scaled(graph, {}, 1.0), 2, 1, 2)[0]

    assert plan.makespan_ms == 7
