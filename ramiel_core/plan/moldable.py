"""Moldable plans: each section of a graph wide or side by side, whichever is faster."""

from __future__ import annotations

from dataclasses import replace

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.linear import linear_clusters
from ramiel_core.plan.merge import Merging
from ramiel_core.plan.refine import refine
from ramiel_core.plan.simulate import simulate


def moldable_plan(
    narrow: Graph, wide: Graph, workers: int, threads: int, wide_threads: int
) -> tuple[Graph, Plan]:
    """Cut the graph where one value holds it together, and mold each section to its own best.

    Stems and joins scale well over threads, modules of many small operators over workers. A
    section is run either wide, by one worker with `wide_threads` threads while the others sleep,
    or as clusters side by side. Sequential with all threads and pure task parallelism are the
    two ends of it.

    Parameters
    ----------
    narrow, wide : Graph
        The same operators, weighed with `threads` and with `wide_threads` threads inside each;
        their calls may differ, since kernels are chosen for a thread count.
    workers : int
        Side by side; `workers * threads` should not exceed `wide_threads`.
    threads, wide_threads : int
        Inside each operator.

    Returns
    -------
    graph : Graph
        Each operator with the cost and the call of the way it runs.
    plan : Plan
        `wide` names the operators that run with all threads.

    References
    ----------
    .. [1] J. Turek, J. Wolf, P. Yu, "Approximate Algorithms for Scheduling Parallelizable
       Tasks", SPAA 1992 (moldable tasks; sections and the choice between two widths are ours).

    Notes
    -----
    Good for chains of modules (Inception, GoogLeNet, ResNet). Where no value holds the graph
    together (NASNet, whose cells read the two before them) it is all wide or all side by side.
    """
    distance = distance_to_end(narrow)
    linear = linear_clusters(narrow, distance)
    merging = Merging(narrow, distance, linear)
    merging.to_fixpoint()
    fixpoint = len(merging.members)
    merging.to_workers(workers)
    tables = merging.tables
    wide_ms = [wide[name].cost_ms for name in tables.names]
    found = refine(tables, merging.worker_of(), len(merging.members), wide_ms)
    names = frozenset(tables.names[v] for v in found.wide)
    nodes = tuple(wide[n.name] if n.name in names else n for n in narrow.nodes)
    graph = replace(narrow, nodes=nodes)
    clusters = found.clusters(tables)
    free = distance_to_end(graph, free_sends=True)
    with_sends = distance_to_end(graph)
    plan = Plan(
        clusters=clusters,
        linear=linear,
        steps=tuple(merging.steps),
        threads=threads,
        wide=tuple(n.name for n in graph.nodes if n.name in names),
        wide_threads=wide_threads,
        moves=found.moves,
        fixpoint=fixpoint,
        critical_path=critical_path(graph, with_sends),
        t1_ms=graph.t1_ms,
        tinf_ms=max(free.values(), default=0.0),
        tinf_send_ms=max(with_sends.values(), default=0.0),
        makespan_ms=simulate(graph, clusters).makespan_ms,
    )
    return graph, plan
