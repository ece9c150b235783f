"""What the tests of cloning do inside a fresh process; returns facts, asserts nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.ir import Plan
from ramiel_core.model.trace import trace
from ramiel_core.plan.clone import Limits
from ramiel_core.run.forked import Team


class Cheap(nn.Module):
    """Views, a norm, an activation and an operator in place, each read by two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(64)
        self.left, self.right = nn.Linear(64, 64), nn.Linear(64, 64)
        self.before = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        for _ in range(3):
            y = self.before(x + 1)
            first, second = torch.chunk(F.gelu(y), 2, dim=0)
            left = self.left(first).sin() + second
            right = self.right(second).cos() + first
            x = torch.cat([left, right])
        return x


def outputs() -> dict[str, Any]:
    """The module's own bits against two workers with and without clones."""
    torch.manual_seed(0)
    module = Cheap().eval().requires_grad_(requires_grad=False)
    inputs = (torch.randn(64, 64),)
    parcel = pipeline.parcel_of(trace(module, inputs, "cheap"))
    graph = pipeline.weigh(parcel.graph, "flops")
    right = {
        node.name
        for node in graph.nodes
        if node.name.startswith(("right", "cos")) or "cos" in str(node.inputs)
    }
    names = [node.name for node in graph.nodes]
    plan = Plan((tuple(n for n in names if n not in right), tuple(n for n in names if n in right)))
    cloned, now = pipeline.with_clones(graph, plan, Limits(sends=1e3, growth=1.0))
    found: dict[str, Any] = {"clones": list(cloned.clones), "in_place": []}
    found["in_place"] = [n.name for n in graph.nodes if "inplace=True" in n.call]
    for label, parts in (("plain", (graph, plan)), ("cloned", (cloned, now))):
        program = pipeline.program_of(*parts)
        with Team(program, parcel.weights, inputs) as team:
            for _ in range(3):
                team.run()
            found[label] = same_bits(team.output(), parcel.reference)
    return found
