"""Clusters onto K workers by load alone, as textbooks map them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ramiel_core.ir import Graph

Clusters = tuple[tuple[str, ...], ...]


def deal(graph: Graph, clusters: Sequence[Sequence[str]], workers: int) -> Clusters:
    """Give the largest cluster left to the worker with the least work, again and again.

    Longest processing time first: no worker has more than 4/3 of the least possible load where
    clusters are independent. It is blind to which values clusters exchange, and to when they
    run: good for many similar clusters, bad for few of different length (Inception), where
    `Merging.to_workers`, which predicts every pair, is better.

    Parameters
    ----------
    graph : Graph
        Weighed.
    clusters : sequence of sequences of operator names
        Together every operator once.
    workers : int
        At most so many clusters are left.

    Returns
    -------
    tuple of tuples of operator names
        One a worker, operators in the order in which `clusters` and their parts came: sort them
        (`in_order`) before running them.

    References
    ----------
    .. [1] R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17
       (1969), doi:10.1137/0117039.

    Examples
    --------
    >>> graph = Graph.parse("a:3 b:2 c:2 d:1")
    >>> deal(graph, [("a",), ("b",), ("c",), ("d",)], 2)
    (('a', 'd'), ('b', 'c'))
    """
    work_ms = [sum(graph[name].cost_ms for name in names) for names in clusters]
    largest = sorted(range(len(clusters)), key=lambda i: (-work_ms[i], i))
    loads = [(0.0, worker) for worker in range(min(workers, len(clusters)))]
    dealt: list[list[str]] = [[] for _ in loads]
    for i in largest:
        load_ms, worker = heapq.heappop(loads)
        dealt[worker] += clusters[i]
        heapq.heappush(loads, (load_ms + work_ms[i], worker))
    return tuple(tuple(names) for names in dealt)


def in_order(order: Sequence[str], clusters: Sequence[Sequence[str]]) -> Clusters:
    """Sort each cluster's operators as they stand in `order`, the earliest cluster first.

    Where `order` is a topological order of the whole graph, workers cannot wait for each other
    for ever.

    >>> in_order("abcd", ["db", "ca"])
    (('a', 'c'), ('b', 'd'))
    """
    cluster_of = {name: i for i, names in enumerate(clusters) for name in names}
    sorted_: dict[int, list[str]] = {}
    for name in order:
        sorted_.setdefault(cluster_of[name], []).append(name)
    return tuple(tuple(names) for names in sorted_.values())
