from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest

from ramiel_core.ir import Graph
from ramiel_core.view import reduction

Zoo = Callable[[str], Graph]


def test_an_edge_beside_a_longer_path_is_redundant():
    r"""
    a - b - c - d      a-c and a-d say nothing that the chain does not
    """
    graph = Graph.parse("a:1 b:1<a c:1<a,b d:1<a,c")

    assert reduction.redundant_edges(graph) == (("a", "c"), ("a", "d"))


def test_a_diamond_has_no_redundant_edge():
    assert reduction.redundant_edges(Graph.parse("a:1 b:1<a c:1<a d:1<b,c")) == ()


@pytest.mark.parametrize("model", ["googlenet", "resnet50", "densenet121"])
def test_the_reduction_is_the_one_of_networkx(model: str, zoo_graph: Zoo):
    graph = zoo_graph(model)
    reduced = nx.transitive_reduction(nx.DiGraph(graph.edges))

    assert set(graph.edges) - set(reduction.redundant_edges(graph)) == set(reduced.edges)


def test_only_densenet_is_dominated_by_long_edges(zoo_graph: Zoo):
    long = {
        model: reduction.is_dominated_by_long_edges(graph, reduction.ranks(graph))
        for model in ("googlenet", "resnet50", "densenet121", "inception_v3")
        for graph in [zoo_graph(model)]
    }

    assert [model for model, is_long in long.items() if is_long] == ["densenet121"]
