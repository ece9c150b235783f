"""Moldable plans: each section of a graph wide or side by side, whichever is faster."""

from __future__ import annotations

from dataclasses import replace

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.planner import fixpoint_of, revalued
from ramiel_core.plan.refine import refine


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
    merging = fixpoint_of(narrow, record=True)
    merging.to_workers(workers)
    tables = merging.tables
    wide_ms = [wide[name].cost_ms for name in tables.names]
    found = refine(tables, merging.worker_of(), len(merging.members), wide_ms)
    names = frozenset(tables.names[v] for v in found.wide)
    nodes = tuple(wide[n.name] if n.name in names else n for n in narrow.nodes)
    graph = replace(narrow, nodes=nodes)
    clusters = found.clusters(tables)
    plan = Plan(
        clusters,
        steps=tuple(merging.steps),
        planner="moldable",
        threads=threads,
        wide=tuple(n.name for n in graph.nodes if n.name in names),
        wide_threads=wide_threads,
        moves=found.moves,
        linear=tuple(merging.linear),
        fixpoint=merging.fixpoint,
        critical_path=critical_path(graph, distance_to_end(graph)),
    )
    return graph, revalued(plan, graph)
