"""Merging of clusters: to the natural fixpoint (Algorithms 3-4), then down to K workers."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ramiel_core.ir import Graph, Plan, Step
from ramiel_core.plan.tables import Tables

# Choosing a merge by prediction tries every pair. These bound the operators visited, hence the
# time (a visit takes about 0.3 µs): all merges together, all recorded predictions.
VISITS_TO_CHOOSE = 1_000_000
VISITS_TO_RECORD = 600_000
_ROUNDING = 1 - 1e-9  # sums of the same costs in another order


@dataclass
class Merging:
    """Clusters while they merge, each named by the number of its first linear chain.

    Parameters
    ----------
    graph : Graph
        Weighed.
    distance : dict
        From `distance_to_end`, ms by operator name.
    linear : sequence of chains
        From `linear_clusters`, or any clusters by decreasing distance.
    record : bool
        False leaves out the predictions of steps that nobody will look at.
    visits : int
        Operators that `to_workers` may visit to choose merges by prediction.
    """

    graph: Graph
    distance: Mapping[str, float]
    linear: Sequence[tuple[str, ...]]
    record: bool = True
    visits: int = VISITS_TO_CHOOSE
    tables: Tables = field(init=False)
    steps: list[Step] = field(init=False, default_factory=list)
    spans: dict[int, tuple[float, float]] = field(init=False)
    members: dict[int, list[int]] = field(init=False)  # cluster -> its operators, by number
    iteration: int = field(init=False, default=0)
    fixpoint: int = field(init=False, default=0)  # clusters left by `to_fixpoint`

    def __post_init__(self) -> None:
        self.tables = Tables.of(self.graph, dict(self.distance))
        self.spans = {i: self._span(chain) for i, chain in enumerate(self.linear)}
        chain_of = {name: i for i, chain in enumerate(self.linear) for name in chain}
        rank = {name: i for i, name in enumerate(self.tables.names)}
        self.members = {i: [rank[name] for name in chain] for i, chain in enumerate(self.linear)}
        # Inside, the larger of two clusters gives the number to both, so that an operator changes
        # its number a few times only; `_number` tells it from the cluster's name.
        self._number = {i: i for i in self.members}
        self._worker_of = [chain_of[name] for name in self.tables.names]
        self._beyond: dict[int, list[int]] = {i: [] for i in self.members}  # ends of cut edges
        self._cut = 0
        for v, readers in enumerate(self.tables.consumers):
            for r in readers:
                a, b = self._worker_of[v], self._worker_of[r]
                if a != b:
                    self._beyond[a].append(r)
                    self._beyond[b].append(v)
                    self._cut += 1
        self._predicts = self.record and len(self.linear) * len(self.graph) <= VISITS_TO_RECORD

    def to_fixpoint(self) -> None:
        """Merge clusters whose spans do not overlap, pass after pass, until none does.

        In a pass each cluster takes the nearest one that starts where it has ended, and each is
        merged at most once. Chains were found by decreasing distance, so clusters stand in the
        order of their starts, and the nearest is found by bisection: near-linear a pass.

        References
        ----------
        .. [1] S. Das, L. Rauchwerger, IPDPS 2024, arXiv:2308.11192, Algorithms 3 and 4. The
           order in which pairs are tried is our reading.
        """
        merged = True
        while merged:
            self.iteration += 1
            merged = False
            labels = list(self.members)
            starts = [-self.spans[label][0] for label in labels]  # ascending, for bisect
            following = _Following(len(labels))
            for i, label in enumerate(labels):
                if following.is_taken(i):
                    continue
                following.take(i)
                ended = self.spans[label][1]
                j = following.first(max(i + 1, bisect_left(starts, -ended)))
                if j < len(labels):
                    following.take(j)
                    merged = True
                    why = (
                        f"cluster {label} is over {ended:.3g} ms before the end, and {labels[j]} "
                        f"starts {self.spans[labels[j]][0]:.3g} ms before it: one worker can do "
                        f"both in turn."
                    )
                    self._merge(label, labels[j], why)
        self.fixpoint = len(self.members)

    def to_workers(self, workers: int) -> None:
        """Go on merging until `workers` clusters are left, each time the best predicted pair.

        With too many clusters to try every pair, the two with the least work merge first: good
        for balance, blind to which values they exchange.
        """
        self.iteration += 1
        cost_ms = self.tables.cost_ms
        work = {c: sum(cost_ms[v] for v in mine) for c, mine in self.members.items()}
        self._merge_lightest(work, max(workers, self._affordable()))
        while len(self.members) > workers:
            pairs = list(combinations(self.members, 2))
            best_ms, kept, gone = math.inf, *pairs[0]
            for a, b in pairs:
                together_ms = work[a] + work[b]  # one worker does both: it cannot be faster
                if together_ms * _ROUNDING < best_ms:
                    predicted_ms = self._makespan_if(a, b)
                    if predicted_ms < best_ms:
                        best_ms, kept, gone = predicted_ms, a, b
            work[kept] += work.pop(gone)
            self._merge(
                kept,
                gone,
                f"of {len(pairs)} pairs this one leaves the shortest predicted makespan, "
                f"{best_ms:.3g} ms.",
            )

    def _merge_lightest(self, work: dict[int, float], count: int) -> None:
        """Merge the two clusters with the least `work` (ms) until `count` are left."""
        lightest = [(ms, cluster) for cluster, ms in work.items()]
        heapq.heapify(lightest)
        while len(self.members) > count:
            _, a = heapq.heappop(lightest)
            _, b = heapq.heappop(lightest)
            kept, gone = min(a, b), max(a, b)
            self._merge(
                kept, gone, "the two clusters with the least work; there are too many to try all."
            )
            work[kept] += work.pop(gone)
            heapq.heappush(lightest, (work[kept], kept))

    def makespan_ms(self) -> float:
        """Predicted for the clusters as they are now, one worker each."""
        return self.tables.makespan_ms(self._worker_of, len(self.linear))

    def worker_of(self) -> list[int]:
        """Number of the cluster, counted from 0, by number of the operator in `tables`."""
        number = {self._number[label]: i for i, label in enumerate(self.members)}
        return [number[inside] for inside in self._worker_of]

    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """The clusters, each in run order, the one with the earliest operator first."""
        by_label: dict[int, list[str]] = {}
        for name, label in zip(self.tables.names, self._worker_of, strict=True):
            by_label.setdefault(label, []).append(name)
        return tuple(tuple(names) for names in by_label.values())

    def _affordable(self) -> int:
        """From how many clusters on every pair can be tried within the bound."""
        count = 2
        while (count + 1) ** 3 / 6 * len(self.graph) <= self.visits:
            count += 1
        return count

    def _merge(self, kept: int, gone: int, reason: str) -> None:
        spans = (self.spans[kept], self.spans.pop(gone))
        self.spans[kept] = (max(s[0] for s in spans), min(s[1] for s in spans))
        larger, smaller = self._by_size(kept, gone)
        number = self._number[larger]
        near, far = self._beyond[kept], self._beyond.pop(gone)
        if len(near) < len(far):
            self._cut -= sum(self._worker_of[v] == self._number[gone] for v in near)
            near, far = far, near
        else:
            self._cut -= sum(self._worker_of[v] == self._number[kept] for v in far)
        near += far  # what is no cut edge any more has the cluster's own number: never counted
        self._beyond[kept] = near
        self._assign(smaller, number)
        self.members[larger] += self.members[smaller]
        self.members[kept] = self.members[larger]
        del self.members[gone]
        self._number[kept] = number
        del self._number[gone]
        predicted = self.makespan_ms() if self._predicts else None
        count = len(self.members)
        self.steps.append(
            Step(self.iteration, kept, gone, spans, count, self._cut, predicted, reason)
        )

    def _makespan_if(self, kept: int, gone: int) -> float:
        larger, smaller = self._by_size(kept, gone)
        self._assign(smaller, self._number[larger])
        predicted = self.makespan_ms()
        self._assign(smaller, self._number[smaller])
        return predicted

    def _by_size(self, a: int, b: int) -> tuple[int, int]:
        return (a, b) if len(self.members[a]) >= len(self.members[b]) else (b, a)

    def _assign(self, cluster: int, number: int) -> None:
        for v in self.members[cluster]:
            self._worker_of[v] = number

    def _span(self, chain: Sequence[str]) -> tuple[float, float]:
        return self.distance[chain[0]], self.distance[chain[-1]] - self.graph[chain[-1]].cost_ms


class _Following:
    """Which positions are taken, and the first free one from a position on (union-find)."""

    def __init__(self, count: int) -> None:
        self._next = list(range(count + 1))

    def is_taken(self, position: int) -> bool:
        return self._next[position] != position

    def take(self, position: int) -> None:
        self._next[position] = position + 1

    def first(self, position: int) -> int:
        while self._next[position] != position:
            self._next[position] = self._next[self._next[position]]
            position = self._next[position]
        return position


def replay(plan: Plan, steps: int) -> dict[int, tuple[str, ...]]:
    """Clusters after the first `steps` merges, by the number that names them.

    Operators stand in the order of their chains, not in run order.

    >>> step = Step(1, kept=0, gone=1, spans=((2, 1), (1, 0)), clusters=1, cut_edges=0,
    ...     makespan_ms=2, reason="")
    >>> plan = Plan((("a", "b"),), (("a",), ("b",)), (step,))
    >>> replay(plan, 0), replay(plan, 1)
    ({0: ('a',), 1: ('b',)}, {0: ('a', 'b')})
    """
    clusters = dict(enumerate(plan.linear))
    for step in plan.steps[:steps]:
        clusters[step.kept] += clusters.pop(step.gone)
    return clusters
