"""What the tests of the kernel libraries do inside a fresh process; each returns facts."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from ramiel_core import pipeline
from ramiel_core.agreement import largest_difference
from ramiel_core.check import check_plan
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Parcel, Plan
from ramiel_core.kernels import inductor
from ramiel_core.kernels.segment import segment
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run.forked import Team
from ramiel_core.run.local import Local
from tests.alive import still_alive
from tests.graphs import any_order_plan, dealt_plan
from tests.run.modules import make

INFERENCES = 3


def outputs_of(family: str, names: list[str], plans: list[str]) -> dict[str, dict[str, str]]:
    """For each module and plan "equal", or what went wrong."""
    return {n: {p: _outcome(family, n, p) for p in plans} for n in names}


def zoo_output(family: str, name: str, workers: int, threads: int) -> str:
    """The same for a model of the registry."""
    parcel = pipeline.parcel_of(pipeline.traced(name, device="cpu"))
    return _compared(parcel, family, f"{workers} planned", threads)


def local_outputs_of(family: str, names: list[str]) -> dict[str, str]:
    """The same in the caller's own process, where a session allocates what it returns."""
    return {name: _local_outcome(family, name) for name in names}


class Odd(nn.Module):
    """One function of a tensor."""

    def __init__(self, function: Callable[[torch.Tensor], Any]):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


ODD: dict[str, Callable[[torch.Tensor], Any]] = {
    "divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3) * 2,
    "running sum": lambda x: (x * 9).int().cumsum(1),
    "floor": lambda x: (x * 9) // 2,
    "index add": lambda x: (x * 1).index_add(1, torch.tensor([0, 0]), x[:, :2]),
    "half": lambda x: x.half() * 3,
}


def odd_outcome(family: str, name: str) -> str:
    """What becomes of one of `ODD` in the caller's own process: "equal", or what was said."""
    torch.manual_seed(0)
    return _computed_here(family, name, Odd(ODD[name]).eval(), (torch.randn(1, 4, 6, 6),))


def _local_outcome(family: str, name: str) -> str:
    return _computed_here(family, name, *make(name))


def _computed_here(
    family: str, name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...]
) -> str:
    kernels = importlib.import_module(f"ramiel_core.kernels.{family}")
    try:
        parcel = pipeline.parcel_of(trace(module, tuple(t.clone() for t in inputs), name))
        plan = sequential_plan(parcel.graph)
        graph, planned, weights = segment(parcel.graph, plan, parcel.weights, kernels.recipe)
        run = Local(pipeline.program_of(graph, planned), weights)
        first = run(*parcel.inputs)
        run(*map(_other, parcel.inputs))  # which must not write over what is compared now
        said = _difference(first, parcel.reference, kernels.TOLERANCE)
        again = run(*(tensor.clone() for tensor in parcel.inputs))
        said = said or _difference(again, parcel.reference, kernels.TOLERANCE)
    except Exception as error:  # noqa: BLE001 - the test shows it
        return f"{type(error).__name__}: {error}"
    return said or "equal"


def without(library: str) -> str:
    """What building a session says where its library is not installed."""
    family = {"onnxruntime": "onnx_runtime", "openvino": "open_vino"}[library]
    kernels = importlib.import_module(f"ramiel_core.kernels.{family}")
    module, inputs = make("branches")
    parcel = pipeline.parcel_of(trace(module, inputs, "branches"))
    plan = sequential_plan(parcel.graph)
    recipes = segment(parcel.graph, plan, parcel.weights, kernels.recipe)[2]
    sys.modules[library] = None  # type: ignore[assignment] - `import` raises ImportError then
    try:
        recipes["segment_0"].build(1)
    except RamielError as error:
        return str(error)
    return "nothing"


class Products(nn.Module):
    """Needs one worker before and after the other."""

    def __init__(self):
        super().__init__()
        self.one, self.two = (nn.Parameter(torch.randn(8, 8)) for _ in range(2))

    def forward(self, x):
        left = x @ self.one
        right = left @ self.two
        return left @ right


def inductor_output() -> str:
    """As `outputs_of`, of a module that takes no C++."""
    return _compared(_parcel(Products()), "inductor", "2 dealt")


def compilers_left() -> list[int]:
    """Processes that a worker has started, while it compiles and after it was killed."""
    parcel = _parcel(nn.ReLU())
    plan = sequential_plan(parcel.graph)
    rewritten = segment(parcel.graph, plan, parcel.weights, inductor.recipe)
    program = pipeline.program_of(*rewritten[:2])
    with Team(program, rewritten[2], parcel.inputs) as team:
        worker = psutil.Process(*team.pids)
        while worker.is_running() and not (found := worker.children(recursive=True)):
            time.sleep(0.05)
    return [min(1, len(found)), len(still_alive(found))]


def _parcel(module: nn.Module) -> Parcel:
    torch.manual_seed(0)
    return pipeline.parcel_of(trace(module.eval(), (torch.randn(8, 8),), "small"))


def _outcome(family: str, name: str, plan: str) -> str:
    module, inputs = make(name)
    try:
        parcel = pipeline.parcel_of(trace(module, tuple(t.clone() for t in inputs), name))
        return _compared(parcel, family, plan)
    except Exception as error:  # noqa: BLE001 - the test shows it
        return f"{type(error).__name__}: {error}"


def _planned(graph: Graph, plan: str) -> Plan:
    """So many workers, and how they share the operators: "3 any order"."""
    count, _, how = plan.partition(" ")
    if how == "planned":
        return pipeline.plan_of(graph, int(count))
    if how == "any order":
        return any_order_plan(graph, int(count), seed=5)
    return dealt_plan(graph, int(count))


def _compared(parcel: Parcel, family: str, plan: str, threads: int = 1) -> str:
    kernels = importlib.import_module(f"ramiel_core.kernels.{family}")
    graph = pipeline.weigh(parcel.graph, "flops")
    rewritten = segment(graph, _planned(graph, plan), parcel.weights, kernels.recipe)
    check_plan(*rewritten[:2])
    program = pipeline.program_of(*rewritten[:2])
    with Team(program, rewritten[2], parcel.inputs, threads=threads, limit_s=60.0) as team:
        for inference in range(INFERENCES):
            team.run()
            said = _difference(team.output(), parcel.reference, kernels.TOLERANCE)
            if said:
                return f"inference {inference}: {said}"
        other = tuple(_other(tensor) for tensor in parcel.inputs)
        team.set_inputs(other)
        team.run()
        alone = pipeline.program_of(graph, sequential_plan(graph))
        found = team.output()
    with Team(alone, parcel.weights, other) as reference:
        reference.run()
        return _difference(found, reference.output(), kernels.TOLERANCE) or "equal"


def _other(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.flip(0) * 0.5 if tensor.is_floating_point() else tensor.flip(-1)


def _difference(found: Any, wanted: Any, tolerance: float) -> str:
    leaves, shape = pytree.tree_flatten(found)
    wanted_leaves, wanted_shape = pytree.tree_flatten(wanted)
    if shape != wanted_shape:
        return f"structure {shape} instead of {wanted_shape}"
    for a, b in zip(leaves, wanted_leaves, strict=True):
        if isinstance(b, torch.Tensor) and (a.shape, a.dtype) != (b.shape, b.dtype):
            return f"{a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}"
    difference = largest_difference(found, wanted)
    return "" if difference <= tolerance else f"off by {difference:.2g}"
