"""Graph and Plan -> the same, where several workers compute parts of one pooling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.parts import in_parts, worth
from ramiel_core.plan.simulate import simulate

LEAST_GAIN = 0.01
"""Share of the makespan that all parts together have to save: less is not worth longer code."""


def split(
    graph: Graph, plan: Plan, workers: int, replan: Callable[[Graph], Plan]
) -> tuple[Graph, Plan]:
    r"""Cut slow poolings into parts of some channels each, where that shortens the prediction.

    ::

        conv               conv           Pooling looks at each channel by itself, so a part of
          |               /    \          the channels gives the same bits as all of them. torch's
        pool    ->   part 0    part 1     takes as long as a large convolution, and often stands
          |               \    /          where nothing else can run: side by side the parts take
        conv               pool           half as long. `pool` is where they are put together:
                             |            they are written there one behind the other.
                           conv

    All poolings that cost enough are cut and the whole is planned anew; those whose parts then
    meet on one worker are made whole again. Good for the stems of GoogLeNet and the Inceptions,
    and for their pooling branches, whose halves fill the gaps that others leave.

    Parameters
    ----------
    graph : Graph
        Weighed.
    plan : Plan
        Of that graph; one of a single worker, or with wide operators, stays as it is.
    workers : int
        At most so many: into no more parts is an operator cut.
    replan : callable
        Plans a graph for these workers, as `plan` was planned.

    Returns
    -------
    tuple of Graph and Plan
        The very same ones where nothing helps. Parts are called `pool_part0`, name their operator
        in `part_of` and return its bits. T1 and T-infinity of the plan stay those of the operators
        as they were.
    """
    if plan.workers == 1 or plan.wide:
        return graph, plan
    wanted = {node.name: worth(graph, node, workers) for node in graph.nodes}
    cut = in_parts(graph, {name: count for name, count in wanted.items() if count > 1})
    if not cut.parts:
        return graph, plan
    tried = replan(cut)
    worker_of = tried.worker_of()
    homes: dict[str, set[int]] = {}
    for name in cut.parts:
        homes.setdefault(cut[name].part_of, set()).add(worker_of[name])
    found = in_parts(graph, {name: wanted[name] for name, at in homes.items() if len(at) > 1})
    clusters = _clusters(cut, tried, {name for name, at in homes.items() if len(at) == 1})
    makespan_ms = simulate(found, clusters).makespan_ms
    if not found.parts or makespan_ms > plan.makespan_ms * (1 - LEAST_GAIN):
        return graph, plan
    return found, replace(plan, clusters=clusters, makespan_ms=makespan_ms)


def _clusters(cut: Graph, plan: Plan, whole: set[str]) -> tuple[tuple[str, ...], ...]:
    """Clusters where some operators are whole again, in the place of their last part."""
    last: dict[str, str] = {}
    for names in plan.clusters:
        for name in names:
            if cut[name].part_of in whole:
                last[cut[name].part_of] = name
    clusters = []
    for names in plan.clusters:
        kept: list[str] = []
        for name in names:
            owner = cut[name].part_of
            if owner in whole:
                kept += [owner] if last[owner] == name else []
            elif name not in whole:
                kept.append(name)
        if kept:
            clusters.append(tuple(kept))
    return tuple(clusters)
