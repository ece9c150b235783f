"""DSC: dominant sequence clustering."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.tables import Tables


def dominant_sequence_clusters(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Cluster by zeroing edges of the dominant sequence, the longest path of the moment.

    Each operator has a *tlevel* (its earliest start, from the clusters so far) and a *blevel*
    (distance to end with every send paid); the *dominant sequence* runs through those whose sum
    is largest. Free operators (all inputs placed) are taken by that sum:

    a. Only its dominant input, the one that arrives last, holds it up: it joins that input's
       cluster if it then starts no later than alone.
    b. Inputs that arrive next, stand alone and have no other reader are drawn into the cluster
       as well, while that lets it start earlier still.
    c. Where an operator with some of its inputs still missing is on the dominant sequence
       instead, the cluster that could save it its send is left alone (*dominant sequence
       reduction warranty*).

    Good for forks, joins and coarse grains, where it is optimal or near it, in almost linear
    time. Bad at few workers: it assumes as many as there are clusters, and that sending costs
    the sender nothing.

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
    .. [1] T. Yang, A. Gerasoulis, "DSC: scheduling parallel tasks on an unbounded number of
       processors", IEEE TPDS 5(9), 1994, doi:10.1109/71.308533.

    Examples
    --------
    >>> dominant_sequence_clusters(Graph.parse("a:1 b:5<a c:2<a d:1<b,c"))
    (('a', 'b', 'd'), ('c',))
    """
    distance = distance_to_end(graph)
    tables = Tables.of(graph, distance)
    state = _State(tables, [distance[name] for name in tables.names])
    while state.free:
        _, v = heapq.heappop(state.free)
        state.place(v, state.protected(v))
    by_cluster: dict[int, list[str]] = {}
    for name, cluster in zip(tables.names, state.cluster, strict=True):
        by_cluster.setdefault(cluster, []).append(name)
    return tuple(tuple(names) for names in by_cluster.values())


@dataclass
class _State:
    """Clusters and levels while operators are placed; a cluster is named by its first one."""

    tables: Tables
    blevel: list[float]
    tlevel: list[float] = field(init=False)  # start; of what is not placed, by placed inputs only
    cluster: list[int] = field(init=False)
    idle_ms: dict[int, float] = field(init=False, default_factory=dict)  # end of each cluster
    missing: list[int] = field(init=False)
    free: list[tuple[float, int]] = field(init=False)  # heap, by falling tlevel + blevel
    partly: list[tuple[float, int]] = field(init=False, default_factory=list)  # may be outdated

    def __post_init__(self) -> None:
        count = len(self.tables.names)
        self.tlevel = [0.0] * count
        self.cluster = [-1] * count
        self.missing = [len(producers) for producers in self.tables.producers]
        self.free = [(-self.blevel[v], v) for v in range(count) if self.missing[v] == 0]
        heapq.heapify(self.free)

    def protected(self, v: int) -> int:
        """The cluster that `v` may not join (step c), or -1."""
        while self.partly and not self._is_partly(*self.partly[0]):
            heapq.heappop(self.partly)
        if not self.partly or -self.partly[0][0] <= self.tlevel[v] + self.blevel[v]:
            return -1
        waiting = self.partly[0][1]
        placed = [p for p in self.tables.producers[waiting] if self.cluster[p] >= 0]
        cluster = self.cluster[max(placed, key=self._arrival)]
        return cluster if self.idle_ms[cluster] < self.tlevel[waiting] else -1

    def place(self, v: int, protected: int) -> None:
        """Give `v` its cluster, and its readers their new levels."""
        arrivals = sorted(self.tables.producers[v], key=lambda p: (-self._arrival(p), p))
        home = self.cluster[arrivals[0]] if arrivals else -1
        start_ms = self._arrival(arrivals[0]) if arrivals else 0.0
        self.cluster[v] = v
        if home not in (-1, protected):
            others = [p for p in arrivals if self.cluster[p] != home]
            joined_ms, drawn, starts = self._joined(home, others, v)
            if joined_ms <= start_ms:
                start_ms = joined_ms
                for p in drawn:
                    del self.idle_ms[self.cluster[p]]
                    self.cluster[p] = home
                    self.tlevel[p] = starts[p]
                self.cluster[v] = home
        self.tlevel[v] = start_ms
        self.idle_ms[self.cluster[v]] = start_ms + self.tables.cost_ms[v]
        arrival_ms = self._arrival(v)
        for r in self.tables.consumers[v]:
            self.tlevel[r] = max(self.tlevel[r], arrival_ms)
            self.missing[r] -= 1
            heap = self.partly if self.missing[r] else self.free
            heapq.heappush(heap, (-self.tlevel[r] - self.blevel[r], r))

    def _joined(
        self, home: int, others: list[int], v: int
    ) -> tuple[float, list[int], dict[int, float]]:
        """Start of `v` in `home`; inputs drawn there as well (step b), and their starts."""
        drawn: list[int] = []
        starts: dict[int, float] = {}
        idle_ms = self.idle_ms[home]
        start_ms = max(idle_ms, self._arrival(others[0]) if others else 0.0)
        for i, p in enumerate(others):
            if self.cluster[p] != p or self.tables.consumers[p] != (v,):
                break  # not alone: only a reader could have joined it, and it has no other
            starts[p] = max(idle_ms, self.tlevel[p])
            idle_ms = starts[p] + self.tables.cost_ms[p]
            if idle_ms >= start_ms:
                break  # from here on, the cluster itself is what `v` waits for
            rest_ms = self._arrival(others[i + 1]) if i + 1 < len(others) else 0.0
            if max(idle_ms, rest_ms) < start_ms:
                start_ms, drawn = max(idle_ms, rest_ms), others[: i + 1]
        return start_ms, drawn, starts

    def _arrival(self, p: int) -> float:
        return self.tlevel[p] + self.tables.cost_ms[p] + self.tables.send_ms[p]

    def _is_partly(self, level: float, v: int) -> bool:
        """Whether an entry of `partly` still says the truth."""
        return self.missing[v] > 0 and -level == self.tlevel[v] + self.blevel[v]
