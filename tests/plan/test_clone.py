"""Cloning: when a worker repeats an operator, what never is, and what the clones look like."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core.check import check_plan, check_program
from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Job, Plan
from ramiel_core.plan.clone import Limits, clone
from ramiel_core.plan.simulate import simulate
from ramiel_core.program.emit import emit
from tests.graphs import any_order_plan, computing, graphs

FREE = Limits(sends=1e9, growth=1.0)
WEIGHTS = "stem:1~3 b:9~3<stem c:9~3<stem z:1<b,c"
r"""
     /- b:9 -\
 stem         z     a send costs three times the stem
     \- c:9 -/
"""


def repeatable(graph: Graph, *but: str) -> Graph:
    nodes = (replace(n, repeatable=n.name not in but) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def planned(text: str, *clusters: str, but: tuple[str, ...] = ()) -> tuple[Graph, Plan]:
    graph = repeatable(Graph.parse(text), *but)
    names = tuple(tuple(words.split()) for words in clusters)
    return graph, Plan(names, makespan_ms=simulate(graph, names).makespan_ms)


def test_a_worker_repeats_a_cheap_stem_rather_than_wait_for_it():
    graph, plan = planned(WEIGHTS, "stem b z", "c")
    cloned, now = clone(graph, plan)

    assert str(now) == "0: stem b z\n1: stem_clone1 c"
    assert cloned["c"].inputs == ("stem_clone1",)
    assert cloned["c"].call == "op(stem_clone1)"
    assert cloned["b"].inputs == ("stem",)
    assert cloned["stem_clone1"].clone_of == "stem"
    assert cloned.clones == ("stem_clone1",)
    assert (plan.makespan_ms, now.makespan_ms) == (17, 14)
    assert cloned.t1_ms == graph.t1_ms


def test_each_worker_gets_a_clone_of_its_own():
    text = "stem:1~3 b:9~3<stem c:9~3<stem d:9~3<stem z:1<b,c,d"
    cloned, now = clone(*planned(text, "stem b z", "c", "d"), FREE)

    assert str(now) == "0: stem b z\n1: stem_clone1 c\n2: stem_clone2 d"
    assert cloned["d"].call == "op(stem_clone2)"


def test_what_a_clone_needs_and_the_worker_lacks_is_cloned_along():
    text = "x:1~9 y:1~9<x b:9~1<x,y c:9~1<y z:1<b,c"
    cloned, now = clone(*planned(text, "x y b z", "c"), FREE)

    assert str(now) == "0: x y b z\n1: x_clone1 y_clone1 c"
    assert cloned["y_clone1"].inputs == ("x_clone1",)


def test_a_value_that_is_there_already_is_not_cloned_again():
    r"""b is sent to worker 1 for d; a_clone reads what came, and only a's send is saved."""
    text = "b:9~1 a:1~5<b c:9~1<a d:5~1<b e:5~1<a,d z:1<c,e"
    cloned, _ = clone(*planned(text, "b a c z", "d e"), Limits(sends=2))

    assert cloned.clones == ("a_clone1",)
    assert cloned["a_clone1"].inputs == ("b",)


NOT_CLONED = {
    "it may not be repeated": (WEIGHTS, ("stem b z", "c"), ("stem",), FREE),
    "dearer than its limit": (WEIGHTS, ("stem b z", "c"), (), Limits(sends=0.3)),
    "no growth allowed": (WEIGHTS, ("stem b z", "c"), (), Limits(growth=0)),
    "sends for nothing": ("a:1 b:9<a c:9<a z:1<b,c", ("a b z", "c"), (), FREE),
    "nobody else reads it": ("a:1~3 c:9~3<a d:9~3 z:1<c,d", ("a d z", "c"), (), FREE),
    "not on any longest path": ("a:1~3 c:1<a d:50~3 b:5<a,d", ("d b", "a c"), (), FREE),
    "one worker": (WEIGHTS, ("stem b c z",), (), FREE),
}


@pytest.mark.parametrize("case", NOT_CLONED)
def test_nothing_is_cloned_where(case: str):
    text, clusters, but, limits = NOT_CLONED[case]
    graph, plan = planned(text, *clusters, but=but)

    assert clone(graph, plan, limits) == (graph, plan)


@settings(max_examples=40)
@given(graphs(most=10), st.integers(2, 4), st.integers(0, 99))
def test_clones_fit_and_never_lengthen_a_plan(graph: Graph, workers: int, seed: int):
    graph = computing(repeatable(graph))
    plan = any_order_plan(graph, workers, seed)
    plan = replace(plan, makespan_ms=simulate(graph, plan.clusters).makespan_ms)
    cloned, now = clone(graph, plan, FREE)

    check_plan(cloned, now)
    check_program(cloned, now, emit(cloned, now))
    assert now.makespan_ms <= plan.makespan_ms
    assert now.makespan_ms == pytest.approx(simulate(cloned, now.clusters).makespan_ms)
    assert set(cloned.index) - set(cloned.clones) == set(graph.index)


def test_a_clone_says_in_the_code_what_it_repeats():
    graph, plan = planned(WEIGHTS, "stem b z", "c")
    cloned, now = clone(computing(graph), plan)
    source = emit(cloned, now).source

    assert "4 operators and 1 clone on 2 workers" in source
    assert "    # stem again, not to wait for cluster 0\n    stem_clone1 = " in source
    assert 'receive("stem")' not in source


def test_impossible_limits_are_refused():
    with pytest.raises(PlanError, match="0 or more, not -1 sends"):
        Limits(sends=-1)


@pytest.mark.parametrize("how", [{"kernels": "openvino"}, {"planner": "moldable"}])
def test_what_cannot_be_cloned_is_refused_before_anything_starts(how: dict[str, str]):
    with pytest.raises(PlanError, match="use --clone with --kernels eager or fused"):
        Job("googlenet", clone=True, **how)


BAD = {
    "a clone of nothing": ({"clone_of": "gone"}, "no operator"),
    "another computation": ({"call": "op(b)"}, "does not compute what 'stem' does"),
}


@pytest.mark.parametrize("case", BAD)
def test_the_checker_refuses(case: str):
    changed, said = BAD[case]
    cloned, now = clone(*planned(WEIGHTS, "stem b z", "c"))
    nodes = (replace(n, **changed) if n.clone_of else n for n in cloned.nodes)

    with pytest.raises(PlanError, match=said):
        check_plan(replace(cloned, nodes=tuple(nodes)), now)


def test_the_checker_refuses_a_clone_beside_its_original():
    cloned, now = clone(*planned(WEIGHTS, "stem b z", "c"))
    beside = replace(now, clusters=(("stem", "stem_clone1", "b", "z"), ("c",)))

    with pytest.raises(PlanError, match="saves no worker from waiting"):
        check_plan(cloned, beside)
