"""Which edges a layout can do without."""

from __future__ import annotations

from collections.abc import Mapping

from ramiel_core.ir import Graph

Edge = tuple[str, str]

LONG_EDGES = 4
"""Above this many skipped ranks for each node and edge, Graphviz's dot takes minutes: it makes a
dummy node of every one (DenseNet-121: 27,000; 170 s, and 0.03 s on the reduction)."""


def ranks(graph: Graph) -> dict[str, int]:
    """Layer of each operator: the number of edges on the longest path to it.

    >>> ranks(Graph.parse("a:1 b:1<a c:1<a,b"))
    {'a': 0, 'b': 1, 'c': 2}
    """
    rank: dict[str, int] = {}
    for node in graph.nodes:
        rank[node.name] = 1 + max((rank[p] for p in graph.producers[node.name]), default=-1)
    return rank


def is_dominated_by_long_edges(graph: Graph, rank: Mapping[str, int]) -> bool:
    """Whether `dot` would spend its time on the dummy nodes of long edges."""
    skipped = sum(rank[b] - rank[a] - 1 for a, b in graph.edges)
    return skipped > LONG_EDGES * (len(graph) + len(graph.edges))


def redundant_edges(graph: Graph) -> tuple[Edge, ...]:
    """Edges that the transitive reduction leaves out: another path joins their ends.

    networkx has this too, with a set of descendants for each node; one integer of bits for each
    node does it for 20,000 nodes in the same process.

    >>> redundant_edges(Graph.parse("a:1 b:1<a c:1<a,b"))
    (('a', 'c'),)
    """
    reached: dict[str, int] = {}
    redundant: set[Edge] = set()
    for node in reversed(graph.nodes):
        seen = 0
        for reader in graph.consumers[node.name]:  # nearest first: it may reach the later ones
            bit = 1 << graph.index[reader]
            if seen & bit:
                redundant.add((node.name, reader))
            seen |= bit | reached[reader]
        reached[node.name] = seen
    return tuple(edge for edge in graph.edges if edge in redundant)
