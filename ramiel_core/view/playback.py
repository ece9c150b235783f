"""Plan -> what the merge player plays: every step of clustering and merging, sent once.

Frame f shows the first f chains; past the last chain each frame is one merge more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from ramiel_core.ir import Graph, Plan
from ramiel_core.view.scene import Part

COLUMNS = ("iteration", "kept", "gone", "spans", "reason")


def playback(
    graph: Graph, plan: Plan, distance: Mapping[str, float], linear_ms: float | None
) -> Part:
    """Chains and merges of a plan, a column for each of their properties.

    Parameters
    ----------
    graph : Graph
        Weighed.
    plan : Plan
        With its chains and steps.
    distance : Mapping[str, float]
        From `plan.distance.distance_to_end`: the chains were chosen by it.
    linear_ms : float, optional
        Predicted makespan of the chains, one worker each; none where nobody predicted it.
    """
    chain_of = {name: i for i, chain in enumerate(plan.linear) for name in chain}
    before = len(plan.linear)
    steps = [asdict(step) for step in plan.steps]
    return Part.of(
        {
            "chain": [chain_of[node.name] for node in graph.nodes],
            "chains": {
                "operators": [len(chain) for chain in plan.linear],
                "distance": [distance[chain[0]] for chain in plan.linear],
            },
            "steps": {key: [step[key] for step in steps] for key in COLUMNS},
            "makespan": [None] * before + [linear_ms] + [step.makespan_ms for step in plan.steps],
            "cut": _cut_edges(graph, plan, chain_of) + [step.cut_edges for step in plan.steps],
            "clusters": [*range(before + 1), *(step.clusters for step in plan.steps)],
            "longest": max(plan.tinf_send_ms, plan.tinf_ms),
            "unit": graph.unit,
        }
    )


def _cut_edges(graph: Graph, plan: Plan, chain_of: Mapping[str, int]) -> list[int]:
    """Edges between different chains among the first 0, 1, 2, ... of them."""
    added = [0] * (len(plan.linear) + 1)
    for a, b in graph.edges:
        if chain_of[a] != chain_of[b]:
            added[max(chain_of[a], chain_of[b]) + 1] += 1
    return [sum(added[: i + 1]) for i in range(len(added))]
