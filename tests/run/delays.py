"""What the stress test of shared memory does inside a fresh process; asserts nothing."""

from __future__ import annotations

import ast
import os
import random
import time
from dataclasses import replace
from typing import Any

import torch

from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.ir import Layout, Program
from ramiel_core.model import zoo
from ramiel_core.model.trace import trace
from ramiel_core.run.forked import Team
from tests.graphs import dealt_plan

INFERENCES = 3
LONGEST_S = 0.002
SHARE = 0.1  # of the statements, before which a worker sleeps


def delayed(name: str, side: int, workers: int) -> dict[str, list[bool]]:
    """Whether each inference gives the model's own bits, by run-time, and by a wrong layout.

    Operators are dealt like cards, so that nearly every value crosses.
    """
    module, _ = zoo.build(name)
    inputs = (torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)),)
    with torch.no_grad():
        own = module(*inputs)
    parcel = pipeline.parcel_of(trace(module, inputs, name))
    program = pipeline.program_of(parcel.graph, dealt_plan(parcel.graph, workers))
    starts = {c.value: 0 for c in program.channels if c.place is None}
    in_one_place = replace(program, layout=Layout.of(program.channels, starts))
    weights = {**parcel.weights, "pause": _Pause()}
    return {
        "processes": _outcomes(program, weights, inputs, own),
        "in one place": _outcomes(in_one_place, weights, inputs, own),
        "threads": _outcomes(program, weights, inputs, own, runtime="threads"),
    }


def _outcomes(
    program: Program, weights: dict[str, Any], inputs: Any, own: Any, **how: Any
) -> list[bool]:
    with Team(_pausing(program), weights, inputs, limit_s=30.0, **how) as team:
        found = []
        for _ in range(INFERENCES):
            team.run()
            found.append(same_bits(team.output(), own))
        return found


class _Pause:
    """Sleeps now and then; every worker at other places, and at others in each inference."""

    def __init__(self) -> None:
        self._random: dict[int, random.Random] = {}

    def __call__(self) -> None:
        here = self._random.setdefault(os.getpid(), random.Random(os.getpid()))
        if here.random() < SHARE:
            time.sleep(here.uniform(0, LONGEST_S))


def _pausing(program: Program) -> Program:
    """The same program with a pause before each statement: between a receive and its reader too."""
    module = ast.parse(program.source)
    for part in module.body:
        if isinstance(part, ast.FunctionDef) and part.name.startswith("cluster_"):
            pauses = ast.parse('w["pause"]()\n' * len(part.body)).body
            part.body = [s for pair in zip(pauses, part.body, strict=True) for s in pair]
    return replace(program, source=ast.unparse(module), functions=())
