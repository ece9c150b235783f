"""Sarkar's edge zeroing: the dearest edges first, each merged away unless that costs time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.tables import Tables

VISITS = 500_000  # operators visited by all predictions together; a visit takes about 0.3 µs


def edge_zeroing(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Clusters of operators whose edges are better not sent.

    Every operator starts alone. Edges are taken by decreasing send; the clusters of both ends
    merge, which *zeroes* the edge, if the predicted makespan does not get longer by it.

    Good for graphs with few dear edges among many cheap ones. Bad where a merge only pays
    together with another one (the branches of a wide fork), and slow: a prediction an edge. To
    stay within `VISITS`, large graphs (over about 500 operators) zero several edges at once,
    and halve the group where that would cost time.

    Parameters
    ----------
    graph : Graph
        Weighed.

    Returns
    -------
    tuple of tuples of operator names
        Any number of clusters, each by decreasing distance to end.

    References
    ----------
    .. [1] V. Sarkar, "Partitioning and Scheduling Parallel Programs for Multiprocessors",
       MIT Press, 1989 (internalization).

    Examples
    --------
    >>> edge_zeroing(Graph.parse("a:1~2 b:5~2<a c:2~2<a d:1<b,c"))
    (('a', 'b', 'c', 'd'),)
    >>> edge_zeroing(Graph.parse("a:1~1 b:5~1<a c:5~1<a d:1<b,c"))
    (('a', 'b', 'd'), ('c',))
    """
    tables = Tables.of(graph, distance_to_end(graph))
    count = len(tables.names)
    edges = [(p, r) for p, readers in enumerate(tables.consumers) for r in readers]
    edges.sort(key=lambda edge: (-tables.send_ms[edge[0]], edge))
    clusters = _Clusters(count)
    best_ms = tables.makespan_ms(clusters.label, count)
    tries = VISITS // max(1, count)
    size = 1 if len(edges) <= tries else -(-2 * len(edges) // tries)
    groups = deque(edges[i : i + size] for i in range(0, len(edges), size))
    while groups and tries:
        group = groups.popleft()
        done = clusters.merge(group)
        if not done:
            continue
        tries -= 1
        makespan_ms = tables.makespan_ms(clusters.label, count)
        if makespan_ms <= best_ms:
            best_ms = makespan_ms
            continue
        clusters.undo(done)
        if len(group) > 1:
            half = len(group) // 2
            groups += (group[:half], group[half:])
    by_label: dict[int, list[str]] = {}
    for name, label in zip(tables.names, clusters.label, strict=True):
        by_label.setdefault(label, []).append(name)
    return tuple(tuple(names) for names in by_label.values())


class _Clusters:
    """Labels of numbered operators, with merges that can be taken back."""

    def __init__(self, count: int) -> None:
        self.label = list(range(count))
        self._members = [[v] for v in range(count)]

    def merge(self, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """Join both ends of every edge; returns what `undo` takes, empty if nothing changed."""
        done = []
        for p, r in edges:
            kept, gone = self.label[p], self.label[r]
            if kept == gone:
                continue
            if len(self._members[kept]) < len(self._members[gone]):
                kept, gone = gone, kept  # relabel the smaller one
            done.append((kept, gone, len(self._members[kept])))
            for v in self._members[gone]:
                self.label[v] = kept
            self._members[kept] += self._members[gone]
        return done

    def undo(self, done: Sequence[tuple[int, int, int]]) -> None:
        """Take back the merges of one `merge`."""
        for kept, gone, size in reversed(done):
            del self._members[kept][size:]
            for v in self._members[gone]:
                self.label[v] = gone
