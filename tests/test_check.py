"""The checkers, on plans and programs that are wrong in every way we know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.check import check_plan, check_program
from ramiel_core.errors import PlanError, ProgramError
from ramiel_core.ir import CALLER, Channel, Graph, Plan, Program
from ramiel_core.program.emit import emit
from tests.graphs import SHAPES, any_order_plan, computing, graphs, shape


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_right_plans_and_their_programs_pass(name: str, workers: int):
    graph = computing(shape(name))
    plan = any_order_plan(graph, workers, seed=workers)

    check_plan(graph, plan)
    check_program(graph, plan, emit(graph, plan))


@pytest.mark.parametrize(
    ("clusters", "advice"),
    [
        ((("a", "b", "d"),), "no worker runs 'c'; add it to a cluster"),
        ((("a", "b", "d"), ("c", "b")), "runs 'b' twice; give it to one worker only"),
        ((("a", "b", "b", "d"), ("c",)), "runs 'b' twice"),
        ((("a", "b", "d"), ("c", "e")), "names 'e', which is not an operator of the graph"),
        ((("b", "a", "d"), ("c",)), "never ends: 'b' and 'c' wait.*decreasing distance to end"),
        ((("a", "d", "b"), ("c",)), "never ends: 'd' wait"),
        ((("d", "a"), ("b", "c")), "never ends: 'd' and 'b' wait"),
    ],
)
def test_a_bad_plan_of_the_diamond_is_refused(clusters, advice: str):
    r"""
       b
      / \
     a   d
      \ /
       c
    """
    with pytest.raises(PlanError, match=advice):
        check_plan(shape("diamond"), Plan(clusters))


def test_workers_that_wait_for_each_other_crosswise_are_refused():
    """worker 0 does d then a, worker 1 does c then b; c reads a, d reads b: each is the other's."""
    graph = Graph.parse("a:1 b:1 c:1<a d:1<b")
    with pytest.raises(PlanError, match="'d' and 'c' wait for each other"):
        check_plan(graph, Plan((("d", "a"), ("c", "b"))))


@given(graphs(), st.integers(1, 4), st.integers(0, 99), st.integers(0, 99))
def test_a_plan_that_loses_any_operator_is_refused(graph: Graph, workers: int, seed: int, at: int):
    plan = any_order_plan(graph, workers, seed)
    lost = graph.nodes[at % len(graph)].name
    left = tuple(tuple(n for n in names if n != lost) for names in plan.clusters)
    left = tuple(names for names in left if names)
    if left:
        with pytest.raises(PlanError, match=f"no worker runs '{lost}'"):
            check_plan(graph, Plan(left))


# --- programs -------------------------------------------------------------------------------

PLAN = Plan((("a", "b", "d"), ("c",)))


def diamond_program() -> tuple[Graph, Program]:
    """Calls as a person would write them for a diamond of four functions of a module."""
    graph = shape("diamond")
    calls = tuple(replace(n, call=f"F.{n.call}") for n in graph.nodes)
    graph = replace(graph, nodes=calls)
    return graph, emit(graph, PLAN)


def edit(before: str, after: str) -> Callable[[Program], Program]:
    def change(program: Program) -> Program:
        assert program.source.count(before) == 1, "the edit must hit what it is meant for"
        return replace(program, source=program.source.replace(before, after))

    return change


def with_channels(change: Callable[[tuple[Channel, ...]], tuple[Channel, ...]]):
    return lambda program: replace(program, channels=change(program.channels))


SEND_A = '    send("a", a)  # to cluster 1\n'
RECEIVE_A = '    a = receive("a")  # from cluster 0\n'
RECEIVE_C = '    c = receive("c")  # from cluster 1\n'
DEFECTS = {
    "not Python": (edit("def cluster_1(", "def cluster_1)("), "not valid Python at line"),
    "a function is missing": (edit("def cluster_1(", "def group_1("), "no function cluster_1"),
    "an operator is missing": (edit("    b = F.op(a)\n", "    b = a\n    b = b\n"), "in order"),
    "an operator runs twice": (
        edit("    c = F.op(a)\n", "    c = F.op(a)\n    c = F.op(a)\n"), "does not compute its cluster",
    ),
    "a receive is missing": (edit(RECEIVE_C, ""), "cluster_0 reads 'c' before it has it"),
    "a receive comes too late": (
        edit(f"{RECEIVE_A}    c = F.op(a)\n", f"    c = F.op(a)\n{RECEIVE_A}"), "reads 'a' before",
    ),
    "a send is missing": (edit(SEND_A, ""), "cluster_0 never sends 'a'"),
    "the caller gets nothing": (edit('    send("d", d)  # to the caller\n', ""), "sends 'd'"),
    "a value is deleted too early": (
        edit(SEND_A, f"{SEND_A}    del a\n"), "cluster_0 reads 'a' before it has it",
    ),
    "a value is sent before it exists": (
        edit("    a = F.op()\n" + SEND_A, SEND_A + "    a = F.op()\n"), "reads 'a' before it has it",
    ),
    "a channel is missing": (
        with_channels(lambda channels: channels[1:]), "'a' is sent, but no channel carries it",
    ),
    "a channel has another sender": (
        with_channels(lambda channels: (replace(channels[0], sender=1), *channels[1:])),
        "cluster_1 never sends 'a'",
    ),
    "a channel has one more receiver": (
        with_channels(lambda c: (replace(c[0], receivers=(0, 1)), *c[1:])),
        "cluster_0 never receives 'a'",
    ),
    "a channel has no sender": (
        with_channels(lambda channels: (*channels, Channel("z", 0, (CALLER,), ()))),
        "cluster_0 never sends 'z'",
    ),
    "a value is sent under another's name": (
        edit('    send("a", a)', '    send("b", a)'), "'b'|never sends 'a'",
    ),
    "a value is received under another's name": (
        edit('    a = receive("a")', '    a = receive("d")'), "'d'|never receives 'a'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_program_is_refused(defect: str):
    change, advice = DEFECTS[defect]
    graph, program = diamond_program()
    with pytest.raises(ProgramError, match=advice):
        check_program(graph, PLAN, change(program))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    b = a.relu()\n", "    del a\n    b = a.relu()\n"),
        ("    b = a.relu()\n", "    b = z.relu()\n"),
    ],
    ids=["deleted", "never there"],
)
def test_a_method_of_a_value_that_is_not_there_is_refused(before: str, after: str):
    """`a.relu()` reads `a`, as `torch.relu(a)` would; it is no module called a."""
    graph = Graph.parse("a:1 b:1<a")
    graph = replace(
        graph, nodes=(replace(graph["a"], call="F.op()"), replace(graph["b"], call="a.relu()"))
    )
    plan = Plan((("a", "b"),))
    program = emit(graph, plan)
    check_program(graph, plan, program)
    with pytest.raises(ProgramError, match="before it has it"):
        check_program(graph, plan, edit(before, after)(program))
