"""Linear clustering (Algorithm 2)."""

from __future__ import annotations

import heapq

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
    heads = sorted(graph.index, key=lambda name: -distance[name])  # of equals the earlier first
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


def linear_clusters_anew(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Cut the graph into chains, the critical path of what is left each time.

    As `linear_clusters`, but distances are those of the residual graph, after the chains found
    before are taken out with all their edges: a chain is not drawn towards an operator whose
    long way on belongs to another cluster already.

    Good where branches end in long tails that they share; the same chains as `linear_clusters`
    on modules in a row (Inception), where every branch has the same way on. Bad at few workers:
    it makes as many chains, and knows nothing of load.

    Parameters
    ----------
    graph : Graph
        Weighed.

    Returns
    -------
    tuple of chains
        In the order they were found, each in topological order.

    Notes
    -----
    Taking operators out only shortens distances, and only those of operators before them, so
    each chain updates what leads to it: near-linear on random graphs, quadratic at worst.

    References
    ----------
    .. [1] S. J. Kim, J. C. Browne, "A general approach to mapping of parallel computation upon
       multiprocessor architectures", ICPP 1988.

    Examples
    --------
    By whole distances c goes on to x, because of t; but t belongs to p by then:

    >>> linear_clusters_anew(Graph.parse("p:20 c:1 x:1<c y:3<c t:10<p,x"))
    (('p', 't'), ('c', 'y'), ('x',))
    """
    left = _Residual(graph)
    heads = [(-ms, v) for v, ms in enumerate(left.distance)]
    heapq.heapify(heads)
    chains = []
    while heads:
        length, head = heapq.heappop(heads)
        if left.taken[head]:
            continue
        if -length != left.distance[head]:  # shortened since: it stands further back now
            heapq.heappush(heads, (-left.distance[head], head))
            continue
        chain, free = [], [head]
        while free:
            chain.append(max(free, key=left.distance.__getitem__))  # the first of equals
            left.taken[chain[-1]] = True
            free = [r for r in left.after[chain[-1]] if not left.taken[r]]
        left.shorten(chain)
        chains.append(tuple(graph.nodes[v].name for v in chain))
    return tuple(chains)


class _Residual:
    """Distances to end of what no chain has taken yet, by position in the graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        count, index = len(graph), graph.index
        self.before = [[index[p] for p in graph.producers[n.name]] for n in graph.nodes]
        self.after = [[index[r] for r in graph.consumers[n.name]] for n in graph.nodes]
        self.taken = [False] * count
        self.distance = [0.0] * count
        for v in reversed(range(count)):
            self.distance[v] = self._anew(v)

    def shorten(self, chain: list[int]) -> None:
        """Bring the distances of all before a chain that was taken up to date."""
        stale = [-p for v in chain for p in self.before[v] if not self.taken[p]]
        heapq.heapify(stale)  # the last first, so that each is computed from final values
        while stale:
            v = -heapq.heappop(stale)
            known, self.distance[v] = self.distance[v], self._anew(v)
            if self.distance[v] < known:
                for p in self.before[v]:
                    if not self.taken[p]:
                        heapq.heappush(stale, -p)

    def _anew(self, v: int) -> float:
        node = self.graph.nodes[v]
        onward = (node.send_ms + self.distance[r] for r in self.after[v] if not self.taken[r])
        return node.cost_ms + max(onward, default=0.0)
