"""CPOP: one worker for the critical path, the others for what is left."""

from __future__ import annotations

import heapq

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.tables import Tables
from ramiel_core.plan.timetable import Timetable


def cpop(graph: Graph, workers: int) -> tuple[tuple[str, ...], ...]:
    """Critical Path on a Processor, insertion-based, on workers that are all alike.

    An operator's priority is the longest path *through* it (downward rank before it, upward rank
    from it on, every send paid). Of the operators whose inputs are known the one with the
    highest priority is next: onto worker 0 if it is on the critical path, else where it ends
    first.

    Good where one path dominates (GoogLeNet at two workers). Bad where many paths are nearly as
    long: only one of them is kept together.

    Parameters
    ----------
    graph : Graph
        Weighed.
    workers : int
        At least 1.

    Returns
    -------
    tuple of tuples of operator names
        One a worker that has work, in run order, free of deadlock as `heft`'s.

    References
    ----------
    .. [1] H. Topcuoglu, S. Hariri, M.-Y. Wu, "Performance-effective and low-complexity task
       scheduling for heterogeneous computing", IEEE TPDS 13(3), 2002, doi:10.1109/71.993206.

    Examples
    --------
    >>> cpop(Graph.parse("a:1 b:5<a c:2<a d:1<b,c"), 2)
    (('a', 'b', 'd'), ('c',))
    """
    distance = distance_to_end(graph)
    tables = Tables.of(graph, distance)
    on_path = set(critical_path(graph, distance))
    through_ms = [0.0] * len(tables.names)  # before it, while the sweep goes on
    for v, producers in enumerate(tables.producers):
        ways = ((through_ms[p] + tables.cost_ms[p] + tables.send_ms[p]) for p in producers)
        through_ms[v] = max(ways, default=0.0)
    through_ms = [ms + distance[n] for ms, n in zip(through_ms, tables.names, strict=True)]
    missing = [len(producers) for producers in tables.producers]
    ready = [(-through_ms[v], v) for v, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    timetable = Timetable(tables, workers)
    while ready:
        _, v = heapq.heappop(ready)
        if tables.names[v] in on_path:
            timetable.place_on(v, 0)
        else:
            timetable.place_earliest(v)
        for r in tables.consumers[v]:
            missing[r] -= 1
            if missing[r] == 0:
                heapq.heappush(ready, (-through_ms[r], r))
    return timetable.clusters()
