"""How every planner begins and ends: the natural fixpoint, and sequential where parallel loses."""

from __future__ import annotations

from dataclasses import replace

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.linear import linear_clusters
from ramiel_core.plan.merge import VISITS_TO_CHOOSE, Merging
from ramiel_core.plan.simulate import simulate

PAYS = 1.01
"""Least predicted speedup for which a plan is kept: below it, waking the other workers and the
noise of any host outweigh the gain."""


def fixpoint_of(graph: Graph, *, record: bool = False, visits: int = VISITS_TO_CHOOSE) -> Merging:
    """The chains of a graph, merged to the natural fixpoint: what every plan tells about it.

    Parameters
    ----------
    graph : Graph
        Weighed.
    record : bool
        Whether somebody will look at what was predicted after each step.
    visits : int
        Operators that merging further may visit.
    """
    distance = distance_to_end(graph)
    merging = Merging(graph, distance, linear_clusters(graph, distance), record, visits)
    merging.to_fixpoint()
    return merging


def ended(plan: Plan, graph: Graph, natural: Merging) -> Plan:
    """What all planners share: facts about the graph, and sequential where parallel loses.

    Parameters
    ----------
    plan : Plan
        With clusters and whatever is the planner's own.
    graph : Graph
        Weighed.
    natural : Merging
        From `fixpoint_of`.
    """
    clusters, rejected_ms = plan.clusters, None
    makespan_ms = simulate(graph, clusters).makespan_ms  # planners know nothing of contention
    if len(clusters) > 1 and makespan_ms * PAYS > graph.t1_ms:
        rejected_ms = makespan_ms
    if rejected_ms is not None or len(clusters) == 1:
        clusters = (tuple(node.name for node in graph.nodes),)
        makespan_ms = graph.t1_ms
    free = distance_to_end(graph, free_sends=True)
    return replace(
        plan,
        clusters=clusters,
        makespan_ms=makespan_ms,
        rejected_makespan_ms=rejected_ms,
        linear=tuple(natural.linear),
        fixpoint=natural.fixpoint,
        critical_path=critical_path(graph, dict(natural.distance)),
        t1_ms=graph.t1_ms,
        tinf_ms=max(free.values(), default=0.0),
        tinf_send_ms=max(natural.distance.values(), default=0.0),
    )
