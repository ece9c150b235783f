"""The shortest plan there is, by constraint programming: for small graphs only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ramiel_core.ir import Graph
from ramiel_core.plan.cp_sat import search
from ramiel_core.plan.deal import Clusters
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables

MOST_OPERATORS = 80
"""Of a section. SqueezeNet has 66 in all; beyond, the solver hardly improves on its start."""

EFFORT = 2.0
"""In the solver's deterministic time, for all sections together, so that every host gets the same
plan, however fast it is. One unit took 5 to 12 s on a busy 2.5 GHz core; of random graphs, all of
20 operators were proved within 2.5 s, half of those of 30 within 8 units."""

OPTIMAL = 1e-3  # nearer to the proved bound than this is called optimal: the grid is that fine


@dataclass(frozen=True)
class Exact:
    """The best plan found, and what was proved about all others."""

    clusters: Clusters
    makespan_ms: float
    lower_bound_ms: float  # no plan of so many workers is shorter

    @property
    def is_optimal(self) -> bool:
        """Whether nothing shorter exists, to a thousandth."""
        return self.makespan_ms <= self.lower_bound_ms * (1 + OPTIMAL)


def exact(graph: Graph, workers: int, start: Sequence[Sequence[str]]) -> Exact:
    """Who runs what, when, such that the last one is done first: solved, not guessed.

    Where a single value holds the whole graph together, what comes before cannot matter to what
    follows: each section is a problem of its own. It is a model for or-tools CP-SAT in the terms
    of `simulate`: an operator with a reader elsewhere keeps its worker busy for its cost and the
    copy, once, and every reader elsewhere waits for the signal, too. The solver starts from a
    plan it is given, runs single-threaded with a fixed seed, and stops at `EFFORT`; what it has
    proved by then is told.

    Good for sections of some twenty operators (proved in seconds), for judging the others,
    and for a final touch up to `MOST_OPERATORS`. Bad beyond: the time grows exponentially.

    Parameters
    ----------
    graph : Graph
        Weighed, of small sections.
    workers : int
        At least 1.
    start : sequence of sequences of operator names
        A right plan of at most so many clusters, in run order.

    Returns
    -------
    Exact
        Never longer than `start`. By start, all operators of a section together are in
        topological order, so workers cannot wait for each other for ever.

    References
    ----------
    .. [1] L. Perron, F. Didier, S. Gay, "The CP-SAT-LP solver", CP 2023,
       doi:10.4230/LIPIcs.CP.2023.3.

    Examples
    --------
    >>> graph = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")
    >>> exact(graph, 2, [("a", "b", "c", "d")]).lower_bound_ms
    7.0
    """
    whole, graph = graph, _simple(graph)
    given = tuple(tuple(names) for names in start)
    start_ms = simulate(graph, given).makespan_ms
    bound_ms = _least_ms(graph, workers)
    if start_ms <= bound_ms or workers == 1:
        return Exact(given, start_ms, start_ms if workers == 1 else bound_ms)
    home = {name: i for i, names in enumerate(given) for name in names}
    joined: list[list[str]] = [[] for _ in range(workers)]
    proved_ms = 0.0
    for names in _sections(graph):
        border = names[0]
        found = _solved(_alone(graph, names), workers, given, EFFORT * len(names) / len(graph))
        proved_ms += found.lower_bound_ms
        # Workers are alike: two change names where the section before ended on another one.
        before = next((w for w, ran in enumerate(joined) if border in ran), home[border])
        now = next(w for w, cluster in enumerate(found.clusters) if border in cluster)
        swap = {now: before, before: now}
        for w, cluster in enumerate(found.clusters):
            ran = joined[swap.get(w, w)]
            ran += [name for name in cluster if name not in ran]
    clusters = tuple(tuple(names) for names in joined if names)
    makespan_ms = simulate(graph, clusters).makespan_ms
    # Times are rounded down to ticks, and the solver does not know all: perhaps it is not shorter.
    if simulate(whole, clusters).makespan_ms >= simulate(whole, given).makespan_ms:
        clusters, makespan_ms = given, start_ms
    return Exact(clusters, makespan_ms, min(max(bound_ms, proved_ms), makespan_ms))


def _simple(graph: Graph) -> Graph:
    """The graph without what the solver knows nothing of: contention, and the fetching of values.

    Both make plans longer, never shorter, so what is proved of all others holds.
    """
    nodes = (replace(node, fetch_ms=0.0) for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes), crowd=1)


def largest_section(graph: Graph) -> int:
    """Operators of the largest problem that `exact` would have to solve."""
    return max(map(len, _sections(graph)), default=0)


def _least_ms(graph: Graph, workers: int) -> float:
    """No plan is shorter: all the work shared out evenly, and the longest path."""
    free_ms = distance_to_end(graph, free_sends=True)
    return max(graph.t1_ms / workers, max(free_ms.values(), default=0.0))


def _sections(graph: Graph) -> list[tuple[str, ...]]:
    """Operators between two values that hold the whole graph together, both ends included.

    One section, the whole, where some operator reads nothing or is read by none on the way: it
    could run beside another section.
    """
    tables = Tables.of(graph, distance_to_end(graph))
    if not (all(tables.producers[1:]) and all(tables.consumers[:-1])):
        return [tables.names]
    return [tables.names[first : last + 1] for first, last in tables.sections()]


def _alone(graph: Graph, names: Sequence[str]) -> Graph:
    """A section as a graph; its first operator's value comes for nothing from the one before."""
    inside = set(names)
    nodes = tuple(
        replace(
            node,
            inputs=tuple(name for name in node.inputs if name in inside),
            aliases=(),
            cost_ms=0.0 if node.name == names[0] and graph.producers[names[0]] else node.cost_ms,
        )
        for node in graph.nodes
        if node.name in inside
    )
    return Graph(nodes, cost_model=graph.cost_model, signal_ms=graph.signal_ms)


def _solved(graph: Graph, workers: int, start: Clusters, effort: float) -> Exact:
    """The best plan of one section; `start` may name operators of others, too."""
    own = (tuple(name for name in names if name in graph.index) for names in start)
    given = tuple(names for names in own if names)
    start_ms = simulate(graph, given).makespan_ms
    bound_ms = _least_ms(graph, workers)
    if start_ms <= bound_ms:
        return Exact(given, start_ms, start_ms)
    clusters, proved_ms = search(graph, workers, given, start_ms, effort)
    proved_ms = max(bound_ms, proved_ms)
    if clusters is not None:
        makespan_ms = simulate(graph, clusters).makespan_ms
        if makespan_ms < start_ms:
            return Exact(clusters, makespan_ms, min(proved_ms, makespan_ms))
    return Exact(given, start_ms, min(proved_ms, start_ms))
