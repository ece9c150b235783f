"""A model several times side by side: what its operators cost while other workers compute."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.plan.renamed import reading

MOST = 4  # copies: each holds the model's values, and rarely do more workers compute at once


def side_by_side(graph: Graph, copies: int) -> tuple[Graph, Plan]:
    """`graph` and copies of it, each on a worker of its own, over the same weights and inputs.

    Parameters
    ----------
    graph : Graph
        Of a model.
    copies : int
        How many in all, at least 1.

    Returns
    -------
    graph : Graph
        With the outputs of the first copy, whose operators keep their names.
    plan : Plan
        `plan.clusters[i]` holds copy i, its operators in the order of `graph`.

    Examples
    --------
    >>> both, plan = side_by_side(Graph.parse("a:1 b:2<a"), 2)
    >>> plan.clusters
    (('a', 'b'), ('a_beside1', 'b_beside1'))
    """
    nodes, clusters = list(graph.nodes), [tuple(graph.index)]
    for i in range(1, copies):
        names = {name: f"{name}_beside{i}" for name in graph.index}
        nodes += [
            replace(reading(node, names, names[node.name]), clone_of="", joins=())
            for node in graph.nodes
        ]
        clusters.append(tuple(names.values()))
    plan = replace(sequential_plan(graph), clusters=tuple(clusters))
    return replace(graph, nodes=tuple(nodes)), plan


def crowding(
    copies: Plan, alone_ms: Mapping[str, float], beside_ms: Mapping[str, float]
) -> dict[str, float]:
    """By how much longer operators take side by side than alone, as a share.

    Noise may make it negative. Without that the sum over many operators would be too large.

    Parameters
    ----------
    copies : Plan
        From `side_by_side`.
    alone_ms, beside_ms : mapping
        Milliseconds by name, of the first copy by itself, and of every copy beside the others.

    Examples
    --------
    >>> _, copies = side_by_side(Graph.parse("a:1"), 2)
    >>> crowding(copies, {"a": 2.0}, {"a": 3.0, "a_beside1": 2.0})
    {'a': 0.25}
    """
    return {
        names[0]: statistics.fmean(beside_ms[name] for name in names) / alone_ms[names[0]] - 1
        for names in zip(*copies.clusters, strict=True)
    }
