"""Graph -> Plan: the plan arrow as a whole."""

from __future__ import annotations

from dataclasses import replace

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.linear import linear_clusters
from ramiel_core.plan.merge import Merging
from ramiel_core.plan.refine import refine
from ramiel_core.plan.simulate import simulate

PAYS = 1.01
"""Least predicted speedup for which a plan is kept: below it, waking the other workers and the
noise of any host outweigh the gain."""


def make_plan(graph: Graph, workers: int | None = None) -> Plan:
    """Cluster, merge, predict, and keep the parallel plan only where it pays.

    Parameters
    ----------
    graph : Graph
        Weighed.
    workers : int or None
        At most so many workers; None stops at the natural fixpoint of merging.

    Returns
    -------
    Plan
        Sequential (one cluster, in the model's own order) where a parallel plan is not
        predicted to be faster by `PAYS`; `rejected_makespan_ms` then holds its prediction.

    Raises
    ------
    PlanError
        Where `workers` is less than 1.
    """
    if workers is not None and workers < 1:
        raise PlanError(
            f"a plan needs at least 1 worker, not {workers}; ask for --workers 1 or more."
        )
    distance = distance_to_end(graph)
    linear = linear_clusters(graph, distance)
    merging = Merging(graph, distance, linear)
    merging.to_fixpoint()
    fixpoint = len(merging.members)
    clusters, makespan_ms, moves = merging.clusters(), merging.makespan_ms(), 0
    if workers is not None:
        merging.to_workers(workers)
        refined = refine(merging.tables, merging.worker_of(), len(merging.members))
        clusters = refined.clusters(merging.tables)
        makespan_ms, moves = refined.makespan_ms, refined.moves
    rejected_ms = None
    if len(clusters) > 1 and makespan_ms * PAYS > graph.t1_ms:
        rejected_ms = makespan_ms
    if rejected_ms is not None or len(clusters) == 1:
        clusters = (tuple(node.name for node in graph.nodes),)
        makespan_ms = graph.t1_ms
    free = distance_to_end(graph, free_sends=True)
    return Plan(
        clusters=clusters,
        linear=linear,
        steps=tuple(merging.steps),
        moves=moves,
        fixpoint=fixpoint,
        critical_path=critical_path(graph, distance),
        t1_ms=graph.t1_ms,
        tinf_ms=max(free.values(), default=0.0),
        tinf_send_ms=max(distance.values(), default=0.0),
        makespan_ms=makespan_ms,
        rejected_makespan_ms=rejected_ms,
    )


def revalued(plan: Plan, graph: Graph) -> Plan:
    """The same placement, predicted anew from the costs of `graph`."""
    free = distance_to_end(graph, free_sends=True)
    return replace(
        plan,
        t1_ms=graph.t1_ms,
        tinf_ms=max(free.values(), default=0.0),
        tinf_send_ms=max(distance_to_end(graph).values(), default=0.0),
        makespan_ms=simulate(graph, plan.clusters).makespan_ms,
    )


def sequential_plan(graph: Graph) -> Plan:
    """Every operator on one worker, in the order of the model's own code."""
    return Plan(
        clusters=(tuple(node.name for node in graph.nodes),),
        t1_ms=graph.t1_ms,
        makespan_ms=graph.t1_ms,
    )
