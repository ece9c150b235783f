"""Distance to end and the critical path (Algorithm 1)."""

from __future__ import annotations

from ramiel_core.ir import Graph


def distance_to_end(graph: Graph, *, free_sends: bool = False) -> dict[str, float]:
    """Longest remaining path from each operator to the end of the graph.

    Parameters
    ----------
    graph : Graph
        Weighed. Nothing is raised here: a cyclic `Graph` raises `GraphError` when built.
    free_sends : bool
        Count every edge as 0, for the bound that no plan can beat.

    Returns
    -------
    dict[str, float]
        Milliseconds by node name, the node's own `cost_ms` included. Otherwise every edge pays
        `send_ms`, since no cluster exists yet.

    References
    ----------
    .. [1] S. Das, L. Rauchwerger, "Automatic Task Parallelization of Dataflow
       Graphs in ML/DL Models", IPDPS 2024, arXiv:2308.11192, Algorithm 1.

    Examples
    --------
    >>> distance_to_end(Graph.parse("a:1 b:5<a c:2<a d:1<b,c"))
    {'d': 1.0, 'c': 3.0, 'b': 6.0, 'a': 7.0}
    """
    distance: dict[str, float] = {}
    for node in reversed(graph.nodes):  # backwards: consumers are known before producers ask
        edge_ms = 0.0 if free_sends else node.send_ms
        onward = (edge_ms + distance[reader] for reader in graph.consumers[node.name])
        distance[node.name] = node.cost_ms + max(onward, default=0.0)
    return distance


def critical_path(graph: Graph, distance: dict[str, float]) -> tuple[str, ...]:
    """The chain of operators whose costs add up to the largest distance; ties to the earlier.

    >>> graph = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")
    >>> critical_path(graph, distance_to_end(graph))
    ('a', 'b', 'd')
    """
    path: list[str] = []
    readers = tuple(node.name for node in graph.nodes)
    while readers:
        path.append(max(readers, key=distance.__getitem__))
        readers = graph.consumers[path[-1]]
    return tuple(path)


def slack(graph: Graph) -> dict[str, float]:
    """How much longer each operator could take before the critical path would.

    Parameters
    ----------
    graph : Graph
        Weighed. Sends are free, as for the bound T-infinity.

    Returns
    -------
    dict[str, float]
        Milliseconds by node name; 0 on every critical path.

    Examples
    --------
    >>> slack(Graph.parse("a:1 b:5<a c:2<a d:1<b,c"))
    {'a': 0.0, 'b': 0.0, 'c': 3.0, 'd': 0.0}
    """
    distance = distance_to_end(graph, free_sends=True)
    longest = max(distance.values(), default=0.0)
    start: dict[str, float] = {}
    for node in graph.nodes:
        ready = (start[p] + graph[p].cost_ms for p in graph.producers[node.name])
        start[node.name] = max(ready, default=0.0)
    left = {name: longest - start[name] - distance[name] for name in start}
    rounding = 1e-9 * longest  # sums of the same costs in another order
    return {name: ms if ms > rounding else 0.0 for name, ms in left.items()}
