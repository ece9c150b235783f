"""Predict the timeline of any plan by simulating its workers, event by event.

The model: a worker runs its operators in order. Before one that reads another worker's value
it waits for it. After one that another worker reads it copies the value out once
(`send_ms - signal_ms`), then goes on while the signal travels (`signal_ms`). The first of a
worker's operators that reads the value takes longer by what that costs out of another core's caches
(`fetch_ms`). Before one that needs another number of threads it changes that (`switch_ms`). Every
worker has its own core; while others compute as well, an operator takes longer by its `crowding`.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from ramiel_core.errors import PlanError
from ramiel_core.ir import Bar, Graph, OpNode, Timeline


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
        Bars in ms by worker: compute, copy, wait wherever a worker had to, and dispatch where it
        changes its thread count.

    Raises
    ------
    PlanError
        Where two workers wait for each other for ever.
    """
    return _Simulation(graph, clusters).run()


@dataclass(slots=True)
class _Computing:
    """An operator that a worker is at."""

    node: OpNode
    began_ms: float
    left_ms: float  # that it would still take alone, a switch included, at `since_ms`
    since_ms: float


class _Simulation:
    """Workers and the events that wake them, in order of time."""

    def __init__(self, graph: Graph, clusters: Sequence[Sequence[str]]) -> None:
        self.graph = graph
        self.worker_of = {name: i for i, cluster in enumerate(clusters) for name in cluster}
        self.left = [deque(cluster) for cluster in clusters]
        self.free_ms = [0.0] * len(clusters)
        self.bars: list[list[Bar]] = [[] for _ in clusters]
        self.seen_ms: dict[str, float] = {}  # when a value can be read by other workers
        self.fetch_ms: dict[str, float] = defaultdict(float)  # what an operator fetches
        self.waiting: dict[str, list[int]] = defaultdict(list)  # value -> workers stopped at it
        self.computing: dict[int, _Computing] = {}
        self.crowded = 0.0  # how much of `crowding` counts now: none alone, all with a full crowd
        self.events: list[tuple[float, int, int]] = []  # ms, number, worker
        self.due: dict[int, int] = {}  # number of each worker's event; others came to nothing
        self.numbers = 0

    def run(self) -> Timeline:
        for worker in range(len(self.left)):
            self.proceed(worker, 0.0)
        while self.events:
            now_ms, number, worker = heapq.heappop(self.events)
            if self.due.get(worker) != number:
                continue
            if worker in self.computing:
                self.finish(worker, now_ms)
            else:
                self.proceed(worker, now_ms)
        stuck = [f"worker {i} at {names[0]!r}" for i, names in enumerate(self.left) if names]
        if stuck:
            raise PlanError(
                f"the plan never ends: {' and '.join(stuck)} wait for each other. Order each "
                f"worker's operators by decreasing distance to end."
            )
        bars = tuple(bar for bars in self.bars for bar in bars)
        return Timeline(bars, max(self.free_ms, default=0.0))

    def wake(self, worker: int, at_ms: float) -> None:
        """Make this the one event of a worker."""
        self.numbers += 1
        self.due[worker] = self.numbers
        heapq.heappush(self.events, (at_ms, self.numbers, worker))

    def proceed(self, worker: int, now_ms: float) -> None:
        """Begin a worker's next operator, or wait for what it reads."""
        if not self.left[worker]:
            return
        name = self.left[worker][0]
        remote = [p for p in self.graph.producers[name] if self.worker_of[p] != worker]
        missing = next((p for p in remote if p not in self.seen_ms), None)
        if missing is not None:
            self.waiting[missing].append(worker)
            return
        late = max(remote, key=self.seen_ms.__getitem__, default=None)
        if late is not None and self.seen_ms[late] > now_ms:
            self.wake(worker, self.seen_ms[late])
            return
        if late is not None and now_ms > self.free_ms[worker]:
            self.bars[worker].append(Bar(worker, late, "wait", self.free_ms[worker], now_ms))
        node = self.graph[self.left[worker].popleft()]
        began_ms = now_ms + node.switch_ms
        if node.switch_ms:
            self.bars[worker].append(Bar(worker, name, "dispatch", now_ms, began_ms))
        left_ms = node.switch_ms + self.fetch_ms[name] + node.cost_ms
        self.computing[worker] = _Computing(node, began_ms, left_ms, now_ms)
        self.pace(worker, now_ms)

    def finish(self, worker: int, now_ms: float) -> None:
        """End a worker's operator; hand its value to whoever reads it elsewhere."""
        done = self.computing.pop(worker)
        node, end_ms = done.node, now_ms
        self.bars[worker].append(Bar(worker, node.name, "compute", done.began_ms, end_ms))
        readers = reversed(self.graph.consumers[node.name])  # the first of each worker stays
        first = {self.worker_of[r]: r for r in readers if self.worker_of[r] != worker}
        if first:
            for name in first.values():
                self.fetch_ms[name] += node.fetch_ms
            self.seen_ms[node.name] = end_ms + node.send_ms
            end_ms = self.seen_ms[node.name] - self.graph.signal_ms
            self.bars[worker].append(Bar(worker, node.name, "copy", now_ms, end_ms))
            for reader in self.waiting.pop(node.name, ()):
                self.proceed(reader, now_ms)
        self.free_ms[worker] = end_ms
        self.wake(worker, end_ms)
        self.pace(worker, now_ms)

    def pace(self, changed: int, now_ms: float) -> None:
        """Say when each operator ends, after one worker has begun or ended its own."""
        others = self.graph.crowd - 1
        crowded = min(1.0, max(0, len(self.computing) - 1) / others) if others else 0.0
        again = self.computing if crowded != self.crowded else {changed} & self.computing.keys()
        for worker in again:
            at = self.computing[worker]
            at.left_ms -= (now_ms - at.since_ms) / self.slower(at.node)
            at.since_ms = now_ms
        self.crowded = crowded
        for worker in again:
            at = self.computing[worker]
            self.wake(worker, now_ms + at.left_ms * self.slower(at.node))

    def slower(self, node: OpNode) -> float:
        """How many times as long as alone an operator takes now."""
        return 1.0 + node.crowding * self.crowded
