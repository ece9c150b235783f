"""HEFT: the operator with the longest way to the end next, where it ends first."""

from __future__ import annotations

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.tables import Tables
from ramiel_core.plan.timetable import Timetable


def heft(graph: Graph, workers: int) -> tuple[tuple[str, ...], ...]:
    """Heterogeneous Earliest Finish Time, insertion-based, on workers that are all alike.

    Operators are taken by decreasing *upward rank*, which is distance to end with every send
    paid, and each goes to the worker on which it ends first, into an idle gap where it fits.

    Good for wide graphs, and the usual yardstick: it sees both load and sends. Bad where a
    decision pays only later: it looks one operator ahead, so it leaves a worker for a short
    gain, and sends that an operator causes to its readers do not count.

    Parameters
    ----------
    graph : Graph
        Weighed.
    workers : int
        At least 1.

    Returns
    -------
    tuple of tuples of operator names
        One a worker that has work, in run order. Sorted by start, all of them together are in
        topological order, so workers cannot wait for each other for ever.

    References
    ----------
    .. [1] H. Topcuoglu, S. Hariri, M.-Y. Wu, "Performance-effective and low-complexity task
       scheduling for heterogeneous computing", IEEE TPDS 13(3), 2002, doi:10.1109/71.993206.

    Examples
    --------
    >>> heft(Graph.parse("a:1 b:5<a c:2<a d:1<b,c"), 2)
    (('a', 'b', 'd'), ('c',))
    """
    tables = Tables.of(graph, distance_to_end(graph))  # numbered by decreasing upward rank
    timetable = Timetable(tables, workers)
    for v in range(len(tables.names)):
        timetable.place_earliest(v)
    return timetable.clusters()
