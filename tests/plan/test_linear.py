"""Algorithm 2: chains, the critical path first."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.linear import linear_clusters
from tests.graphs import graphs, shape


def chains(graph: Graph) -> str:
    return "\n".join(" ".join(chain) for chain in linear_clusters(graph, distance_to_end(graph)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("single", "a"),
        ("chain", "a b c d"),
        ("diamond", "a b d\nc"),
        ("fork_join", "a b z\nc\nd\ne\nf\ng"),
        ("densenet", "a b c d e f"),
        ("two_components", "a b c\nd e f"),
        ("resnet", "a b1 c1 d1 add1 b2 c2 d2 add2\ns1"),
        ("free", "a b d\nc"),
        ("cross", "b d e\na c"),
        (
            "inception",
            "stem d1 d2 d3 cat1 g1 g2 g3 cat2 fc\nc1 c2\nb1\np1 p2\nf1 f2\ne1\nq1 q2",
        ),
    ],
)
def test_named_shapes_fall_into_their_chains(name: str, expected: str):
    found = chains(shape(name)).split("\n")

    assert sorted(found) == sorted(expected.split("\n"))
    assert found[0] == expected.split("\n")[0]


def test_a_join_belongs_to_the_chain_that_reaches_it_first():
    r"""
    a:1 - b:9 -\
                 d:1 - e:1       c comes with nothing after it: d is taken
    c:2 -------/
    """
    assert chains(Graph.parse("a:1 b:9<a c:2 d:1<b,c e:1<d")) == "a b d e\nc"


def test_of_equal_operators_the_earlier_is_taken():
    assert chains(Graph.parse("a:1 b:1 c:1<a,b")) == "a c\nb"


def test_an_empty_graph_has_no_chains():
    assert linear_clusters(Graph(()), {}) == ()


@given(graphs())
def test_each_operator_lies_in_one_chain_and_neighbours_are_joined_by_an_edge(graph: Graph):
    distance = distance_to_end(graph)
    found = linear_clusters(graph, distance)

    assert sorted(n for chain in found for n in chain) == sorted(graph.index)
    for chain in found:
        assert all(b in graph.consumers[a] for a, b in pairwise(chain))


@given(graphs())
def test_the_first_chain_is_the_critical_path_and_heads_come_by_decreasing_distance(graph: Graph):
    distance = distance_to_end(graph)
    found = linear_clusters(graph, distance)
    heads = [distance[chain[0]] for chain in found]

    assert found[0] == critical_path(graph, distance)
    assert heads == sorted(heads, reverse=True)


@given(graphs())
def test_a_chain_ends_only_where_no_reader_is_left_for_it(graph: Graph):
    """Each reader of a chain's end lies in a chain found before, or in the chain itself."""
    found = linear_clusters(graph, distance_to_end(graph))
    taken: set[str] = set()
    for chain in found:
        taken |= set(chain)
        assert taken.issuperset(graph.consumers[chain[-1]])
