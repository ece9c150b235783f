"""Plan -> Plan: operators that a person gives to other workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.planner import revalued
from ramiel_core.plan.simulate import simulate

BY_HAND = "by hand"
"""The name of a planner that is a person."""


def placed(graph: Graph, clusters: Sequence[Sequence[str]]) -> Plan:
    """The plan of given clusters, each in its given order, as predicted for the graph.

    Raises
    ------
    PlanError
        Where there is no cluster, one is empty, or two wait for each other for ever.
    """
    plan = Plan(tuple(map(tuple, clusters)), planner=BY_HAND)
    path = critical_path(graph, distance_to_end(graph))
    return replace(revalued(plan, graph), critical_path=path)


def reassigned(graph: Graph, plan: Plan, moves: Mapping[str, int]) -> Plan:
    """The plan with some operators on other workers, at the place in time that they had.

    Every worker runs its operators in the order in which `plan` is predicted to start them. That
    is an order of the whole graph in which no operator stands before what it reads, so whatever
    is moved where, no two workers can wait for each other for ever.

    Parameters
    ----------
    graph : Graph
        Weighed.
    plan : Plan
        Of this graph.
    moves : mapping
        New worker by operator; `plan.workers` and above are workers that had nothing to do.

    Returns
    -------
    Plan
        Workers left without operators are gone, and those after them count on from them.

    Raises
    ------
    PlanError
        For an operator that the plan does not run, or a worker below 0.

    Examples
    --------
    >>> graph = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")
    >>> print(reassigned(graph, Plan((("a", "b", "c", "d"),)), {"c": 1}))
    0: a b d
    1: c
    """
    worker_of = plan.worker_of()
    for name, worker in moves.items():
        if name not in worker_of:
            raise PlanError(f"no worker runs an operator {name!r} that could be moved.")
        if worker < 0:
            raise PlanError(f"{name!r} cannot go to worker {worker}: workers count from 0.")
    worker_of |= moves
    timeline = simulate(graph, plan.clusters)
    starts = {bar.name: bar.start_ms for bar in timeline.bars if bar.kind == "compute"}
    order = sorted(graph.index, key=lambda name: (starts[name], graph.index[name]))
    clusters: dict[int, list[str]] = {worker: [] for worker in sorted(set(worker_of.values()))}
    for name in order:
        clusters[worker_of[name]].append(name)
    return placed(graph, tuple(clusters.values()))
