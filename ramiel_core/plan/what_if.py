"""Graph -> a plan soon enough to follow a slider, and the speedup over workers with its bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ramiel_core.ir import Graph, Plan, Point
from ramiel_core.plan.by_hand import placed
from ramiel_core.plan.deal import Clusters
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.ended import fixpoint_of
from ramiel_core.plan.merge import Merging
from ramiel_core.plan.refine import refine
from ramiel_core.plan.simulate import simulate

# Operators visited, a fraction of what the planner `ramiel` takes: 431 operators are then planned
# in about 0.1 s, whatever their graph.
VISITS_TO_CHOOSE = 150_000
VISITS_TO_REFINE = 100_000
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Worker counts of a speedup curve."""


def quick_plan(graph: Graph, workers: int) -> Plan:
    """Plan as the planner `ramiel` does, with fewer tries, and whether or not it pays.

    Parameters
    ----------
    graph : Graph
        Weighed.
    workers : int
        At most so many.

    Returns
    -------
    Plan
        Unlike `make_plan`'s, not replaced by a sequential one where that is faster, so that it
        can be seen why.
    """
    merging = fixpoint_of(graph, visits=VISITS_TO_CHOOSE)
    (clusters,) = _clusters(merging, (workers,))
    return replace(placed(graph, clusters), planner="ramiel", linear=tuple(merging.linear))


def speedup_curve(graph: Graph, counts: Sequence[int] = COUNTS) -> tuple[Point, ...]:
    """Predicted speedup over workers, between what any plan and what no plan can reach.

    Parameters
    ----------
    graph : Graph
        Weighed.
    counts : sequence of int
        Of workers, ascending.

    Returns
    -------
    tuple of Point
        More workers are never slower: a plan for fewer stays possible.

    References
    ----------
    .. [1] R. L. Graham, "Bounds for certain multiprocessing anomalies", Bell System Technical
       Journal 45 (1966), doi:10.1002/j.1538-7305.1966.tb01709.x.
    """
    t1_ms = graph.t1_ms
    tinf_ms = max(distance_to_end(graph, free_sends=True).values(), default=0.0)
    falling = tuple(reversed(counts))
    merging = fixpoint_of(graph, visits=VISITS_TO_CHOOSE)
    planned = dict(zip(falling, _clusters(merging, falling), strict=True))
    took_ms = {c: simulate(graph, c).makespan_ms for c in {*planned.values()}}
    points: list[Point] = []
    best = (1.0, 1)
    for workers in counts:
        makespan_ms, used = took_ms[planned[workers]], len(planned[workers])
        best = max(best, (t1_ms / makespan_ms if makespan_ms else 1.0, used))
        most, least = bounds(t1_ms, tinf_ms, workers)
        points.append(Point(workers, best[1], best[0], most, least))
    return tuple(points)


def bounds(t1_ms: float, tinf_ms: float, workers: int) -> tuple[float, float]:
    """The largest speedup that any plan can have, and the one that greedy plans always have.

    >>> bounds(11.0, 7.0, 2)
    (1.5714285714285714, 1.2222222222222223)
    """
    if not tinf_ms:
        return 1.0, 1.0
    greedy_ms = t1_ms / workers + (1 - 1 / workers) * tinf_ms
    return min(float(workers), t1_ms / tinf_ms), t1_ms / greedy_ms


def _clusters(merging: Merging, counts: Sequence[int]) -> Iterator[Clusters]:
    """In run order, for falling worker counts: each goes on merging where the one before ended."""
    known: dict[int, Clusters] = {}
    for workers in counts:
        merging.to_workers(workers)
        left = len(merging.members)
        if left not in known:
            found = refine(merging.tables, merging.worker_of(), left, visits=VISITS_TO_REFINE)
            known[left] = found.clusters(merging.tables)
        yield known[left]
