"""Linear clustering (Algorithm 2)."""

from __future__ import annotations

from ramiel_core.ir import Graph


def linear_clusters(graph: Graph, distance: dict[str, float]) -> tuple[tuple[str, ...], ...]:
    r"""Cut the graph into chains, the critical path first.

    While operators are left: take the unassigned one with the largest distance to end, follow
    the unassigned reader with the largest distance until there is none, emit that chain. The
    distances stay those of the whole graph throughout.

    Good for graphs whose branches differ in length; on a chain with skip edges (DenseNet) it
    rightly finds one cluster and no parallelism.

    Parameters
    ----------
    graph : Graph
        Weighed.
    distance : dict[str, float]
        From `distance_to_end`, ms.

    Returns
    -------
    tuple of chains
        In the order they were found, each in topological order.

    References
    ----------
    .. [1] S. Das, L. Rauchwerger, IPDPS 2024, arXiv:2308.11192, Algorithm 2.
    .. [2] S. J. Kim, J. C. Browne, "A general approach to mapping of parallel computation upon
       multiprocessor architectures", ICPP 1988 (there, distances are computed anew each time).

    Examples
    --------
    >>> from ramiel_core.plan.distance import distance_to_end
    >>> graph = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")
    >>> linear_clusters(graph, distance_to_end(graph))
    (('a', 'b', 'd'), ('c',))
    """
    heads = sorted(graph.index, key=lambda name: (-distance[name], graph.index[name]))
    assigned: set[str] = set()
    chains = []
    for head in heads:
        chain = []
        free = [] if head in assigned else [head]
        while free:
            chain.append(max(free, key=distance.__getitem__))  # the first of equals is the earlier
            assigned.add(chain[-1])
            free = [r for r in graph.consumers[chain[-1]] if r not in assigned]
        if chain:
            chains.append(tuple(chain))
    return tuple(chains)
