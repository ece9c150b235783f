"""Graph -> a smaller graph in which groups of operators are one box each.

Groups nest (a module holds modules), and any of them can stay expanded. A group that a path leaves
and comes back to would close a cycle, so it is cut into pieces that can be drawn in order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import networkx as nx

from ramiel_core.ir import Graph, OpNode

By = Literal["chain", "module", "cluster"]
WAYS: tuple[By, ...] = get_args(By)

MOST = 0.5  # of all operators; a module that holds more is no use as one box

Hierarchy = Mapping[str, Sequence[str]]
"""Labels of the groups that each operator is in, the outermost first."""


@dataclass(frozen=True)
class Collapsed:
    """What is drawn in place of a graph."""

    graph: Graph  # one node for each box, in topological order; costs are sums
    members: Mapping[str, tuple[str, ...]]  # operators of each box, in topological order
    labels: Mapping[str, str]  # what each group is called; operators alone are not in it
    within: Mapping[str, str]  # the innermost expanded group of an operator, where there is one


def hierarchy(
    graph: Graph, by: By | None, clusters: Mapping[int, Sequence[str]]
) -> Mapping[str, tuple[str, ...]]:
    """Labels of the groups of every operator.

    Parameters
    ----------
    graph : Graph
        Costs play no part.
    by : {"chain", "module", "cluster"}, optional
        Straight runs of operators, modules of the model, or `clusters`; none groups nothing.
    clusters : Mapping[int, Sequence[str]]
        Operator names by cluster number.

    Examples
    --------
    >>> hierarchy(Graph.parse("a:1 b:1<a c:1<a d:1<c"), "chain", {})
    {'a': ('a',), 'b': ('b',), 'c': ('c',), 'd': ('c',)}
    """
    if by == "chain":
        return _runs(graph)
    if by == "module":
        return _modules(graph)
    if by == "cluster":
        return {name: (f"cluster {i}",) for i, names in clusters.items() for name in names}
    return {}


def _runs(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Each operator's run, named by its first one."""
    first: dict[str, str] = {}
    for node in graph.nodes:
        feeding = graph.producers[node.name]
        goes_on = len(feeding) == 1 and len(graph.consumers[feeding[0]]) == 1
        first[node.name] = first[feeding[0]] if goes_on else node.name
    return {name: (label,) for name, label in first.items()}


def _modules(graph: Graph) -> dict[str, tuple[str, ...]]:
    paths: dict[str, list[str]] = {}
    held: dict[str, int] = {}
    for node in graph.nodes:
        parts = node.module.split(".") if node.module else []
        paths[node.name] = [".".join(parts[: i + 1]) for i in range(len(parts))]
        for label in paths[node.name]:
            held[label] = held.get(label, 0) + 1
    most = MOST * len(graph)
    return {name: tuple(p for p in path if held[p] <= most) for name, path in paths.items()}


def collapse(graph: Graph, groups: Hierarchy, expanded: Collection[str] = ()) -> Collapsed:
    """Draw each group as one box, except the expanded ones.

    Parameters
    ----------
    graph : Graph
        Weighed.
    groups : Hierarchy
        From `hierarchy`; operators that are not in it stand alone.
    expanded : Collection[str]
        Keys of groups, as in `Collapsed.labels`; unknown ones are ignored.

    Examples
    --------
    >>> graph = Graph.parse("a:1 b:1<a c:1<a d:1<c")
    >>> list(collapse(graph, hierarchy(graph, "chain", {})).members.values())
    [('a',), ('b',), ('c', 'd')]
    """
    cutting = _Cutting(graph, groups, frozenset(expanded))
    boxes = dict(cutting.boxes(tuple(graph.index), 0))
    return Collapsed(_quotient(graph, boxes), boxes, cutting.labels, cutting.within)


class _Cutting:
    """The boxes of a graph, found from the outermost groups inwards."""

    def __init__(self, graph: Graph, groups: Hierarchy, expanded: frozenset[str]) -> None:
        self.graph, self.groups, self.expanded = graph, groups, expanded
        self.labels: dict[str, str] = {}
        self.within: dict[str, str] = {}

    def boxes(self, names: Sequence[str], level: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        for label, members in self._pieces(names, level):
            if label is None or len(members) == 1:
                yield from ((name, (name,)) for name in members)
                continue
            key = f"{label} @ {members[0]}"
            if key in self.expanded or (level and len(members) == len(names)):
                if key in self.expanded:
                    self.within.update(dict.fromkeys(members, key))
                yield from self.boxes(members, level + 1)
            else:
                self.labels[key] = label
                yield key, members

    def _pieces(self, names: Sequence[str], level: int) -> list[tuple[str | None, tuple[str, ...]]]:
        """Groups of one level, cut so that no path leaves a piece and comes back."""
        pieces: list[tuple[str | None, list[str]]] = []
        before: list[int] = []  # for each piece, a bit for each piece that a path leads from
        latest: dict[str, int] = {}  # piece by label
        piece_of: dict[str, int] = {}
        for name in names:
            path = self.groups.get(name, ())
            label = path[level] if level < len(path) else None
            own = latest.get(label, -1) if label is not None else -1
            ahead = 0
            for producer in self.graph.producers[name]:
                piece = piece_of.get(producer, own)
                if piece != own:
                    ahead |= before[piece] | 1 << piece
            if own < 0 or ahead >> own & 1:
                own = len(pieces)
                pieces.append((label, []))
                before.append(0)
                if label is not None:
                    latest[label] = own
            if ahead & ~before[own]:
                before[own] |= ahead
                for i, earlier in enumerate(before):
                    if earlier >> own & 1:
                        before[i] |= before[own]
            pieces[own][1].append(name)
            piece_of[name] = own
        return [(label, tuple(members)) for label, members in pieces]


def _quotient(graph: Graph, boxes: Mapping[str, tuple[str, ...]]) -> Graph:
    box_of = {name: key for key, members in boxes.items() for name in members}
    drawn = nx.DiGraph()
    drawn.add_nodes_from(boxes)
    drawn.add_edges_from((box_of[a], box_of[b]) for a, b in graph.edges if box_of[a] != box_of[b])
    order = {key: graph.index[members[0]] for key, members in boxes.items()}
    nodes = [
        _box(graph, key, boxes[key], tuple(sorted(drawn.predecessors(key), key=order.__getitem__)))
        for key in nx.lexicographical_topological_sort(drawn, key=order.__getitem__)
    ]
    return replace(graph, nodes=tuple(nodes), inputs=(), outputs=(), result="")


def _box(graph: Graph, key: str, members: Sequence[str], inputs: tuple[str, ...]) -> OpNode:
    if len(members) == 1:  # whose memory it uses and what it awaits may be within another box
        return replace(graph[members[0]], inputs=inputs, aliases=(), awaits=())
    return OpNode(key, "group", inputs, sum(graph[name].cost_ms for name in members))
