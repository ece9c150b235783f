"""A graph as numbered lists: what searches predict from, thousands of times."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ramiel_core.ir import Graph


@dataclass(frozen=True)
class Tables:
    """A graph as numbered lists, for the many predictions that a search takes.

    Operators are numbered by decreasing distance to end, ties by topological order: the order
    in which every cluster runs. It is a topological order of the whole graph, so one sweep
    through it meets every value before its readers, whatever the clusters.
    """

    names: tuple[str, ...]
    cost_ms: tuple[float, ...]
    send_ms: tuple[float, ...]
    fetch_ms: tuple[float, ...]
    producers: tuple[tuple[int, ...], ...]
    consumers: tuple[tuple[int, ...], ...]
    signal_ms: float

    @classmethod
    def of(cls, graph: Graph, distance: Mapping[str, float]) -> Tables:
        """Number the operators of `graph`."""
        nodes = sorted(graph.nodes, key=lambda node: -distance[node.name])  # stable
        rank = {node.name: i for i, node in enumerate(nodes)}
        return cls(
            names=tuple(rank),
            cost_ms=tuple(node.cost_ms for node in nodes),
            send_ms=tuple(node.send_ms for node in nodes),
            fetch_ms=tuple(node.fetch_ms for node in nodes),
            producers=tuple(tuple(rank[p] for p in graph.producers[name]) for name in rank),
            consumers=tuple(tuple(rank[r] for r in graph.consumers[name]) for name in rank),
            signal_ms=graph.signal_ms,
        )

    def sections(self) -> Iterator[tuple[int, int]]:
        """First and last operator of each: no other value than the first's is read from before."""
        first, reach = 0, max(self.consumers[0], default=0) if self.names else 0
        for v in range(1, len(self.names)):
            if reach <= v or v == len(self.names) - 1:
                yield first, v
                first = v
            reach = max(reach, *self.consumers[v], v)

    def part(self, first: int, last: int) -> Tables:
        """Operators `first` to `last` alone, where the value of `first` comes for nothing."""
        span = range(first, last + 1)
        return Tables(
            names=self.names[first : last + 1],
            cost_ms=(0.0 if first else self.cost_ms[0], *self.cost_ms[first + 1 : last + 1]),
            send_ms=self.send_ms[first : last + 1],
            fetch_ms=self.fetch_ms[first : last + 1],
            producers=tuple(
                tuple(p - first for p in self.producers[v] if p >= first) for v in span
            ),
            consumers=tuple(tuple(r - first for r in self.consumers[v] if r <= last) for v in span),
            signal_ms=self.signal_ms,
        )

    def molded(self, cost_ms: Sequence[float], awaits: Collection[tuple[int, int]] = ()) -> Tables:
        """The same with other costs, where of each pair the second awaits the first."""
        producers, consumers = list(self.producers), list(self.consumers)
        for before, after in awaits:
            producers[after] = (*producers[after], before)
            consumers[before] = (*consumers[before], after)
        return replace(
            self,
            cost_ms=tuple(cost_ms),
            producers=tuple(producers),
            consumers=tuple(consumers),
        )

    def path_ms(self) -> float:
        """Longest path with free sends: no placement is shorter."""
        left_ms = [0.0] * len(self.names)
        for v in range(len(self.names) - 1, -1, -1):
            onward = max((left_ms[r] for r in self.consumers[v]), default=0.0)
            left_ms[v] = self.cost_ms[v] + onward
        return max(left_ms, default=0.0)

    def visits(self, worker_of: Sequence[int]) -> int:
        """Operators and messages that one prediction visits: what it takes grows with both."""
        messages = (worker_of[r] != at for v, at in enumerate(worker_of) for r in self.consumers[v])
        return len(self.names) + sum(messages)

    def makespan_ms(
        self, worker_of: Sequence[int], workers: int, order: Sequence[int] | None = None
    ) -> float:
        """What `simulate` predicts, without bars and contention; `worker_of` by number.

        Workers run in the order of the numbers, or in `order`, which has to be topological. To
        stop as soon as a makespan is sure to be too long was tried: in annealing and merging it
        saves a sixth of the operators visited, and looking takes as long.
        """
        send_ms, fetch_ms, signal_ms = self.send_ms, self.fetch_ms, self.signal_ms
        consumers, count = self.consumers, len(self.names)
        took_ms = list(self.cost_ms)  # and what they fetch
        free_ms = [0.0] * workers
        ready_ms = [0.0] * count  # when all that comes from other workers is there
        for v in range(count) if order is None else order:
            worker = worker_of[v]
            now = free_ms[worker]
            if ready_ms[v] > now:  # noqa: PLR1730 - a call of max takes three times as long
                now = ready_ms[v]
            free = now = now + took_ms[v]
            fetched = 0  # a bit for each worker that has
            for r in consumers[v]:
                if worker_of[r] != worker:
                    seen = now + send_ms[v]
                    free = seen - signal_ms
                    if not fetched >> worker_of[r] & 1:
                        fetched |= 1 << worker_of[r]
                        took_ms[r] += fetch_ms[v]
                    if seen > ready_ms[r]:  # noqa: PLR1730
                        ready_ms[r] = seen
            free_ms[worker] = free
        return max(free_ms, default=0.0)
