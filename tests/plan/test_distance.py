"""Algorithm 1: the longest remaining path."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import critical_path, distance_to_end
from tests.graphs import SHAPES, graphs, shape


def test_the_distance_of_an_operator_holds_its_own_cost_and_the_longer_branch():
    r"""
       b:5
      /    \
    a:1    d:1
      \    /
       c:2
    """
    assert distance_to_end(shape("diamond")) == {"d": 1, "c": 3, "b": 6, "a": 7}


def test_every_edge_pays_the_send_of_its_producer():
    """a:1 -0.5-> b:2 -0.25-> c:3; c's own send goes nowhere."""
    graph = Graph.parse("a:1~0.5 b:2~0.25<a c:3~9<b")

    assert distance_to_end(graph) == {"c": 3, "b": 5.25, "a": 6.75}
    assert distance_to_end(graph, free_sends=True) == {"c": 3, "b": 5, "a": 6}


def test_a_send_can_decide_which_path_is_critical():
    """a -> b:5 is the longer in work, a -> c:4 with its send of 3 the longer in all."""
    graph = Graph.parse("a:1 b:5<a c:4~3<a d:1<b,c")

    assert critical_path(graph, distance_to_end(graph)) == ("a", "c", "d")
    assert critical_path(graph, distance_to_end(graph, free_sends=True)) == ("a", "b", "d")


def test_of_equal_paths_the_earlier_operator_is_critical():
    graph = Graph.parse("a:1 b:2<a c:2<a d:1<b,c")

    assert critical_path(graph, distance_to_end(graph)) == ("a", "b", "d")


def test_an_empty_graph_has_no_distances_and_no_critical_path():
    assert distance_to_end(Graph(())) == {}
    assert critical_path(Graph(()), {}) == ()


def longest_paths(graph: Graph) -> dict[str, float]:
    """By walking every path: what the algorithm must agree with."""

    def walk(name: str) -> float:
        node = graph[name]
        return node.cost_ms + max(
            (node.send_ms + walk(r) for r in graph.consumers[name]), default=0
        )

    return {node.name: walk(node.name) for node in graph.nodes}


@pytest.mark.parametrize("name", SHAPES)
def test_distances_of_named_shapes_are_the_longest_of_all_paths(name: str):
    assert distance_to_end(shape(name)) == longest_paths(shape(name))


@given(graphs())
def test_distances_are_the_longest_of_all_paths(graph: Graph):
    assert distance_to_end(graph) == longest_paths(graph)


@given(graphs())
def test_the_critical_path_is_a_path_whose_costs_add_up_to_the_largest_distance(graph: Graph):
    distance = distance_to_end(graph)
    path = critical_path(graph, distance)
    sends = sum(graph[name].send_ms for name in path[:-1])

    assert all(reader in graph.consumers[name] for name, reader in pairwise(path))
    assert sum(graph[name].cost_ms for name in path) + sends == max(distance.values())
    assert graph.consumers[path[-1]] == ()
