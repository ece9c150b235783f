"""Predict the timeline of any plan by simulating its workers, event by event.

The model: a worker runs its operators in order. Before one that reads another worker's value
it waits for it. After one that another worker reads it copies the value out once
(`send_ms - signal_ms`), then goes on while the signal travels (`signal_ms`). Every worker has
its own core; contention for memory is not modelled.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ramiel_core.errors import PlanError
from ramiel_core.ir import Bar, Graph, Timeline


def simulate(graph: Graph, clusters: Sequence[Sequence[str]]) -> Timeline:
    """Timeline of `clusters`, one worker each, every one in its given order.

    Parameters
    ----------
    graph : Graph
        Weighed.
    clusters : sequence of sequences of operator names
        Together every operator once.

    Returns
    -------
    Timeline
        Bars in ms by worker: compute, copy, and wait wherever a worker had to.

    Raises
    ------
    PlanError
        Where two workers wait for each other for ever.
    """
    worker_of = {name: i for i, cluster in enumerate(clusters) for name in cluster}
    left = [deque(cluster) for cluster in clusters]
    free_ms = [0.0] * len(clusters)
    seen_ms: dict[str, float] = {}  # when a value can be read by other workers
    waiting: dict[str, list[int]] = defaultdict(list)  # value -> workers stopped at it
    bars: list[Bar] = []
    ready = deque(range(len(clusters)))
    while ready:
        worker = ready.popleft()
        while left[worker]:
            name = left[worker][0]
            remote = [p for p in graph.producers[name] if worker_of[p] != worker]
            missing = next((p for p in remote if p not in seen_ms), None)
            if missing is not None:
                waiting[missing].append(worker)
                break
            left[worker].popleft()
            now = free_ms[worker]
            late = max(remote, key=seen_ms.__getitem__, default=None)
            if late is not None and seen_ms[late] > now:
                bars.append(Bar(worker, late, "wait", now, seen_ms[late]))
                now = seen_ms[late]
            node = graph[name]
            end = now + node.cost_ms
            bars.append(Bar(worker, name, "compute", now, end))
            if any(worker_of[r] != worker for r in graph.consumers[name]):
                seen_ms[name] = end + node.send_ms
                copied = end + node.send_ms - graph.signal_ms
                bars.append(Bar(worker, name, "copy", end, copied))
                end = copied
                ready.extend(waiting.pop(name, ()))
            free_ms[worker] = end
    stuck = [f"worker {i} at {names[0]!r}" for i, names in enumerate(left) if names]
    if stuck:
        raise PlanError(
            f"the plan never ends: {' and '.join(stuck)} wait for each other. Order each worker's "
            f"operators by decreasing distance to end."
        )
    return Timeline(tuple(bars), max(free_ms, default=0.0))


@dataclass(frozen=True)
class Tables:
    """A graph as numbered lists, for the many predictions that choosing a merge takes.

    Operators are numbered by decreasing distance to end, ties by topological order: the order
    in which every cluster runs. It is a topological order of the whole graph, so one sweep
    through it meets every value before its readers, whatever the clusters.
    """

    names: tuple[str, ...]
    cost_ms: tuple[float, ...]
    send_ms: tuple[float, ...]
    producers: tuple[tuple[int, ...], ...]
    consumers: tuple[tuple[int, ...], ...]
    signal_ms: float

    @classmethod
    def of(cls, graph: Graph, distance: dict[str, float]) -> Tables:
        """Number the operators of `graph`."""
        names = tuple(sorted(graph.index, key=lambda n: (-distance[n], graph.index[n])))
        rank = {name: i for i, name in enumerate(names)}
        return cls(
            names=names,
            cost_ms=tuple(graph[n].cost_ms for n in names),
            send_ms=tuple(graph[n].send_ms for n in names),
            producers=tuple(tuple(rank[p] for p in graph.producers[n]) for n in names),
            consumers=tuple(tuple(rank[r] for r in graph.consumers[n]) for n in names),
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
            producers=tuple(
                tuple(p - first for p in self.producers[v] if p >= first) for v in span
            ),
            consumers=tuple(tuple(r - first for r in self.consumers[v] if r <= last) for v in span),
            signal_ms=self.signal_ms,
        )

    def with_costs(self, changed: Collection[int], cost_ms: Sequence[float]) -> Tables:
        """The same, where the `changed` operators cost what `cost_ms` says."""
        mixed = (cost_ms[v] if v in changed else own for v, own in enumerate(self.cost_ms))
        return replace(self, cost_ms=tuple(mixed))

    def path_ms(self) -> float:
        """Longest path with free sends: no placement is shorter."""
        left_ms: list[float] = [0.0] * len(self.names)
        for v in range(len(self.names) - 1, -1, -1):
            onward = max((left_ms[r] for r in self.consumers[v]), default=0.0)
            left_ms[v] = self.cost_ms[v] + onward
        return max(left_ms, default=0.0)

    def makespan_ms(
        self, worker_of: Sequence[int], workers: int, order: Sequence[int] | None = None
    ) -> float:
        """What `simulate` predicts, without bars; `worker_of` by number of the operator.

        Workers run in the order of the numbers, or in `order`, which has to be topological.
        """
        free_ms = [0.0] * workers
        seen_ms = [0.0] * len(self.names)
        for v in range(len(worker_of)) if order is None else order:
            worker = worker_of[v]
            now = free_ms[worker]
            for p in self.producers[v]:
                if worker_of[p] != worker and seen_ms[p] > now:
                    now = seen_ms[p]
            now += self.cost_ms[v]
            for r in self.consumers[v]:
                if worker_of[r] != worker:
                    seen_ms[v] = now + self.send_ms[v]
                    now = seen_ms[v] - self.signal_ms
                    break
            free_ms[worker] = now
        return max(free_ms, default=0.0)
