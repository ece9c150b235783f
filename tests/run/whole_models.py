"""Whole models against their own programs, inside a fresh process; each returns facts."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ramiel_core import pipeline
from ramiel_core.agreement import largest_difference, same_bits
from ramiel_core.ir import Plan
from ramiel_core.model.trace import trace
from ramiel_core.plan.parts import in_parts, worth
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run.forked import Team


def two_clusters(graph: Any) -> Plan:
    """A plan on two workers, whether it pays or not; a single chain is cut in two halves."""
    from ramiel_core.plan.distance import distance_to_end
    from ramiel_core.plan.linear import linear_clusters
    from ramiel_core.plan.merge import Merging

    distance = distance_to_end(graph)
    merging = Merging(graph, distance, linear_clusters(graph, distance))
    merging.to_fixpoint()
    merging.to_workers(2)
    clusters = merging.clusters()
    if len(clusters) == 1:
        half = len(clusters[0]) // 2
        clusters = (clusters[0][:half], clusters[0][half:])
    return Plan(clusters)


def zoo_output(name: str, side: int) -> dict[str, Any]:
    """Model, two workers and one worker compared, on an input of the given side."""
    from ramiel_core.model import zoo

    return compared(*resized(zoo.build(name), side), name)


def benchmark_output(name: str, side: int) -> dict[str, Any]:
    """The same of a model of the benchmarks, and what becomes of its rounding."""
    from benchmarks import models

    module, inputs = resized(models.build(name), side)
    return {**compared(module, inputs, name), "rounding": rounding(module, inputs)}


def rounding(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> float:
    """How far the output moves, as a share of its largest value, if layers round at random.

    References
    ----------
    .. [1] D. S. Parker, "Monte Carlo Arithmetic: exploiting randomness in floating-point
       arithmetic", UCLA CSD-970002, 1997 (random rounding of results).
    """
    generator = torch.Generator().manual_seed(0)

    def round_anew(_layer: nn.Module, _given: Any, output: torch.Tensor) -> torch.Tensor:
        away = torch.rand(output.shape, generator=generator) - 0.5
        return output * (1 + torch.finfo(output.dtype).eps * away)

    with torch.no_grad():
        own = module(*inputs)
        for layer in module.modules():
            if not list(layer.children()):
                layer.register_forward_hook(round_anew)
        return largest_difference(module(*inputs), own)


def resized(built: Any, side: int) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """The same model for a smaller image; 0 is its own size."""
    module, inputs = built
    if side:
        inputs = (torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)),)
    return module, inputs


def compared(module: Any, inputs: tuple[torch.Tensor, ...], name: str) -> dict[str, Any]:
    """Model, one worker and two workers, and what the outputs are like."""
    parcel = pipeline.parcel_of(trace(module, inputs, name))
    graph = pipeline.weigh(parcel.graph, "flops")
    free = pipeline.weigh(parcel.graph, "unit")  # where whatever can be cut is worth it
    with torch.no_grad():
        own = module(*inputs)
    found: dict[str, Any] = {
        "finite": bool(own.isfinite().all()),
        "spread": float(own.std()) / (float(own.abs().mean()) or 1.0),
    }
    cut = in_parts(graph, {n.name: 2 for n in free.nodes if worth(free, n, 2) == 2})
    for label, planned, plan in (
        ("sequential", graph, sequential_plan(graph)),
        ("parallel", graph, two_clusters(graph)),
        ("parts", cut, two_clusters(cut)),
    ):
        program = pipeline.program_of(planned, plan)
        with Team(program, parcel.weights, inputs) as team:
            for _ in range(2):  # the second reuses every buffer
                team.run()
            output = team.output()
        found[label] = {
            "equal": same_bits(output, own),
            "workers": program.workers,
            "crossing": sum(c.receivers != (-1,) for c in program.channels),
            "in_parts": len(planned.split),
        }
    return found
