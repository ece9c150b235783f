from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given

from ramiel_core.ir import Graph
from ramiel_core.view.collapse import WAYS, collapse, hierarchy
from tests.graphs import SHAPES, graphs

DIAMOND = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")


def shown(graph: Graph, groups, expanded=()) -> str:
    """Boxes and what each of them reads, a line each."""
    boxes = collapse(graph, groups, expanded)
    return "\n".join(
        f"{node.name}: {' '.join(boxes.members[node.name])}"
        + (f" < {', '.join(node.inputs)}" if node.inputs else "")
        for node in boxes.graph.nodes
    )


def test_straight_runs_become_one_box_each():
    graph = Graph.parse(SHAPES["inception"])

    assert shown(graph, hierarchy(graph, "chain", {})).splitlines()[:5] == [
        "stem: stem",
        "b1: b1 < stem",
        "c1 @ c1: c1 c2 < stem",
        "d1 @ d1: d1 d2 d3 < stem",
        "p1 @ p1: p1 p2 < stem",
    ]


def test_a_cluster_that_a_path_leaves_and_comes_back_to_is_cut_there():
    r"""
       b
      / \
    a     d    a and d in one cluster: as one box it would read b, and b it
      \ /
       c
    """
    groups = hierarchy(DIAMOND, "cluster", {0: ("a", "d"), 1: ("b", "c")})

    assert shown(DIAMOND, groups) == "a: a\ncluster 1 @ b: b c < a\nd: d < cluster 1 @ b"


def test_an_expanded_module_shows_the_modules_in_it():
    graph = Graph.parse("a:1 b:1<a c:1<b d:1<c e:1<d f:1<e g:1<f h:1<g")
    paths = dict(zip("abcdefgh", ("x.p", "x.p", "x.q", "x.q", "y", "y", "z", "z"), strict=True))
    groups = {
        name: tuple(path.rsplit(".", i)[0] for i in range(path.count("."), -1, -1))
        for name, path in paths.items()
    }

    assert [*collapse(graph, groups).members] == ["x @ a", "y @ e", "z @ g"]
    opened = collapse(graph, groups, ["x @ a"])
    assert [*opened.members] == ["x.p @ a", "x.q @ c", "y @ e", "z @ g"]
    assert opened.labels["x.q @ c"] == "x.q"
    deeper = collapse(graph, groups, ["x @ a", "x.q @ c"])
    assert [*deeper.members][:3] == ["x.p @ a", "c", "d"]
    assert (deeper.within["a"], deeper.within["c"]) == ("x @ a", "x.q @ c")


def test_a_module_that_holds_more_than_half_of_the_model_is_left_out(zoo_graph):
    graph = zoo_graph("densenet121")
    groups = hierarchy(graph, "module", {})

    assert groups["features_denseblock1_denselayer1_norm1"][0] == "features.denseblock1"
    assert len(collapse(graph, groups).members) < 20


def test_a_box_costs_what_its_operators_cost():
    boxes = collapse(DIAMOND, hierarchy(DIAMOND, "cluster", {0: tuple("abcd")}))

    assert [node.cost_ms for node in boxes.graph.nodes] == [9.0]


def test_an_operator_may_use_the_memory_of_one_in_a_box_and_await_another():
    graph = Graph.parse("a:1 b:1<a c:1<b d:1<c")
    *others, last = graph.nodes
    nodes = (*others, replace(last, aliases=("c",), awaits=("a",)))
    linked = replace(graph, nodes=nodes)
    groups = dict.fromkeys("abc", ("x",))

    assert shown(linked, groups).splitlines() == ["x @ a: a b c", "d: d < x @ a"]


@pytest.mark.parametrize("by", WAYS)
@given(graph=graphs())
def test_whatever_is_collapsed_can_be_drawn_and_holds_every_operator_once(by, graph: Graph):
    draw = random.Random(len(graph))
    clusters: dict[int, list[str]] = {}
    for name in graph.index:
        clusters.setdefault(draw.randrange(3), []).append(name)

    boxes = collapse(graph, hierarchy(graph, by, clusters))  # a cycle would raise GraphError

    assert sorted(name for names in boxes.members.values() for name in names) == sorted(graph.index)
    every = collapse(graph, hierarchy(graph, by, clusters), [*boxes.labels])
    assert set(every.graph.index) == set(graph.index)
