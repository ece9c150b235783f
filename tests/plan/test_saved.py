"""Plans as JSON and back, kept under a name; which workers of two plans correspond."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core import pipeline
from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan import saved
from ramiel_core.plan.compare import matched_workers, moved
from tests.graphs import any_order_plan, graphs, shape

GRAPH = replace(shape("diamond"), model="toy")
PLAN = Plan((("a", "b", "d"), ("c",)))


@settings(max_examples=40)
@given(graphs(), st.integers(1, 4), st.integers(0, 99))
def test_a_plan_comes_back_as_it_was(graph: Graph, workers: int, seed: int):
    plan = any_order_plan(graph, workers, seed)

    assert pipeline.plan_from(saved.to_json(graph, plan), graph).clusters == plan.clusters
    assert Plan.parse(str(plan)) == plan


def test_a_kept_plan_is_found_by_its_name_and_named_after_what_it_holds():
    name = saved.keep(GRAPH, PLAN)

    assert saved.kept(name, GRAPH) == PLAN.clusters
    assert saved.keep(GRAPH, PLAN) == name
    assert saved.keep(GRAPH, Plan((("a", "b", "c", "d"),))) != name


def test_only_the_latest_plans_are_kept(monkeypatch):
    monkeypatch.setattr(saved, "KEPT", 1)
    first = saved.keep(GRAPH, PLAN)
    saved.keep(GRAPH, Plan((("a", "b", "c", "d"),)))

    with pytest.raises(PlanError, match="no such plan any more"):
        saved.kept(first, GRAPH)


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 16, "", "<b>"])
def test_a_name_of_no_plan_is_refused(name: str):
    with pytest.raises(PlanError, match="no such plan any more"):
        saved.kept(name, GRAPH)


def document(**changed: object) -> str:
    return json.dumps({**json.loads(saved.to_json(GRAPH, PLAN)), **changed})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no plan that Ramiel saved"),
        ("[" * 100_000, "no plan that Ramiel saved"),
        (document(format="other"), "this is no 'ramiel plan 1'"),
        (document(clusters=[["a", 7]]), "this is no 'ramiel plan 1'"),
        (document(clusters=7), "no plan that Ramiel saved"),
        (document(model="<script>" * 99), "this is a plan of '<script>.{0,60}', not of toy"),
        (document(clusters=[["a", "b", "d"]]), "no worker runs 'c'; add it to a cluster"),
        (document(clusters=[["a", "b", "d", "c"], ["c"]]), "runs 'c' twice"),
        (document(clusters=[["a", "b", "d", "c", "x"]]), "'x', which is not an operator"),
        (document(clusters=[["a", "b"], []]), "no cluster may be empty"),
        (document(clusters=[["d", "a", "b", "c"]]), "never ends: 'd' wait for each other"),
    ],
)
def test_an_illegal_plan_says_why(text: str, said: str):
    with pytest.raises(PlanError, match=said):
        pipeline.plan_from(text, GRAPH)


@settings(max_examples=40)
@given(graphs(), st.integers(1, 4), st.integers(0, 99))
def test_the_same_plan_under_other_numbers_is_the_same_plan(graph: Graph, workers: int, seed: int):
    plan = any_order_plan(graph, workers, seed)
    clusters = list(plan.clusters)
    random.Random(seed).shuffle(clusters)
    other = Plan(tuple(clusters))

    number = matched_workers(graph, plan, other)

    assert sorted(number) == sorted(number.values()) == list(range(plan.workers))
    if all(sum(graph[name].cost_ms for name in names) for names in clusters):
        assert moved(graph, plan, other) == ()


def test_a_worker_of_its_own_gets_a_number_of_its_own():
    split = Plan((("a", "b"), ("c",), ("d",)))

    assert matched_workers(GRAPH, Plan((("a", "b", "c", "d"),)), split) == {0: 0, 1: 1, 2: 2}
    assert moved(GRAPH, Plan((("a", "b", "c", "d"),)), split) == ("c", "d")
