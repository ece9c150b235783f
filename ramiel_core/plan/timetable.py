"""When workers are busy, while a list scheduler fills them one operator after the other."""

from __future__ import annotations

import math
from bisect import bisect_right

from ramiel_core.plan.tables import Tables


class Timetable:
    """Who runs which operator from when, and the idle gaps of every worker.

    An operator that is placed stays where it is. The copy of its value is booked when the first
    reader goes to another worker, as far as the gap behind it reaches: HEFT and CPOP know no
    cost of sending to the sender, our simulation does.

    Parameters
    ----------
    tables : Tables
        The graph.
    workers : int
        Numbered from 0.
    """

    def __init__(self, tables: Tables, workers: int) -> None:
        self.tables = tables
        self.worker_of = [-1] * len(tables.names)
        self.start_ms = [0.0] * len(tables.names)
        self.end_ms = [0.0] * len(tables.names)
        self._sent = [False] * len(tables.names)
        self._gaps = [[(0.0, math.inf)] for _ in range(workers)]  # (from, to), ascending

    def place_earliest(self, v: int) -> None:
        """Place operator `v` where it ends first, in a gap if one is long enough.

        Of equals, a worker that holds an input is taken, then the earlier one. All workers
        without an input get every value at the same time, and the first idle one is as good
        as any after it.
        """
        holders = {self.worker_of[p] for p in self.tables.producers[v]}
        found = [(self._earliest(v, w, self._ready(v, w)), False, w) for w in sorted(holders)]
        ready = self._ready(v, -1)
        for worker in range(len(self._gaps)):
            if worker not in holders:
                found.append((self._earliest(v, worker, ready), True, worker))
                if found[-1][0] == ready:
                    break
        start_ms, _, worker = min(found)
        self._book(v, worker, start_ms)

    def place_on(self, v: int, worker: int) -> None:
        """Place operator `v` on `worker`, as early as it can."""
        self._book(v, worker, self._earliest(v, worker, self._ready(v, worker)))

    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """Names by worker, by start, the worker with the earliest operator first.

        Ties go to the smaller number, so the order of all starts is topological even where
        operators cost nothing.
        """
        order = sorted(range(len(self.start_ms)), key=lambda v: (self.start_ms[v], v))
        by_worker: dict[int, list[str]] = {}
        for v in order:
            by_worker.setdefault(self.worker_of[v], []).append(self.tables.names[v])
        return tuple(tuple(names) for names in by_worker.values())

    def _ready(self, v: int, worker: int) -> float:
        """When all inputs of `v` have reached `worker`; -1 is a worker that holds none."""
        ready = 0.0
        for p in self.tables.producers[v]:
            here = self.worker_of[p] == worker
            ready = max(ready, self.end_ms[p] + (0.0 if here else self.tables.send_ms[p]))
        return ready

    def _earliest(self, v: int, worker: int, ready: float) -> float:
        gaps, cost_ms = self._gaps[worker], self.tables.cost_ms[v]
        i = max(0, bisect_right(gaps, (ready, math.inf)) - 1)
        while True:
            start = max(ready, gaps[i][0])
            if start + cost_ms <= gaps[i][1]:
                return start
            i += 1

    def _book(self, v: int, worker: int, start_ms: float) -> None:
        self.worker_of[v], self.start_ms[v] = worker, start_ms
        self.end_ms[v] = start_ms + self.tables.cost_ms[v]
        self._occupy(worker, start_ms, self.end_ms[v])
        for p in self.tables.producers[v]:
            if self.worker_of[p] != worker and not self._sent[p]:
                self._sent[p] = True
                copied = self.end_ms[p] + self.tables.send_ms[p] - self.tables.signal_ms
                self._occupy(self.worker_of[p], self.end_ms[p], copied)

    def _occupy(self, worker: int, start: float, end: float) -> None:
        """Take `start` to `end` out of the gap that holds `start`, as far as it reaches."""
        gaps = self._gaps[worker]
        i = bisect_right(gaps, (start, math.inf)) - 1
        if i < 0 or gaps[i][1] <= start or end <= start:
            return
        since, until = gaps.pop(i)
        if end < until:
            gaps.insert(i, (end, until))
        if since < start:
            gaps.insert(i, (since, start))
