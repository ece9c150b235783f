"""How each contender builds its model: one function a contender, run in a child process.

Each is at its own best standard settings for the latency of one sample, by the number of threads
that makes it fastest. A recipe returns a function that does one inference and returns the outputs.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ramiel_core.ir import KERNELS
from ramiel_core.kernels.inductor import compiled as compile_frozen
from ramiel_core.run import host
from ramiel_core.run.profile import make_steady

Infer = Callable[[], Any]
WARM_UPS = 5
TUNE_S = 60.0


@dataclass
class Task:
    """What a recipe is given, and what it says about itself."""

    model: str
    module: nn.Module
    inputs: tuple[torch.Tensor, ...]
    cache: Path
    open: ExitStack  # what must be closed at the end
    cores: int = field(default_factory=lambda: len(host.cores()))
    threads: int = 1  # to build for
    note: str = ""

    @property
    def onnx(self) -> Path:
        """Where `export` leaves the model for ONNX's readers."""
        return self.cache / f"{self.model}.onnx"


def eager(task: Task) -> Infer:
    """The module as it is."""
    return lambda: task.module(*task.inputs)


def folded(task: Task) -> Infer:
    """Batch norm folded into convolutions, channels_last: what a user does by hand."""
    from torch import fx
    from torch.fx.experimental.optimization import fuse

    class Tracer(fx.Tracer):
        """Calls layers that pad by the size of their input (NASNet's) as they are."""

        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            same = type(m).__name__.endswith("Same")
            return same or super().is_leaf_module(m, module_qualified_name)

    traced = fx.GraphModule(task.module, Tracer().trace(task.module))
    fused = fuse(traced, no_trace=True)
    left = sum(isinstance(m, nn.BatchNorm2d) for m in _called(fused))
    task.note = f"{left} batch norms left" if left else ""
    image = all(tensor.dim() == 4 for tensor in task.inputs)
    if image:
        fused = fused.to(memory_format=torch.channels_last)
    inputs = [t.contiguous(memory_format=torch.channels_last) if image else t for t in task.inputs]
    return lambda: fused(*inputs)


def _called(module: Any) -> list[nn.Module]:
    layers = dict(module.named_modules())
    return [layers[str(n.target)] for n in module.graph.nodes if n.op == "call_module"]


def inductor(task: Task) -> Infer:
    """torch.compile with weights frozen into the kernels."""
    compiled = compile_frozen(task.module)
    return lambda: compiled(*task.inputs)


def onednn(task: Task) -> Infer:
    """TorchScript whose graph goes to oneDNN's own compiler, as torch.jit offers it."""
    torch.jit.enable_onednn_fusion(enabled=True)
    traced = torch.jit.trace(task.module, task.inputs, check_trace=False)
    function = torch.jit.freeze(traced)
    return lambda: function(*task.inputs)


def torchscript(task: Task) -> Infer:
    """torch.jit traced, frozen and optimised for inference."""
    traced = torch.jit.trace(task.module, task.inputs, check_trace=False)
    frozen = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    return lambda: frozen(*task.inputs)


def jit_fork(task: Task) -> Infer:
    """Branches run side by side by torch.jit.fork, as one would write it by hand, and frozen."""
    from benchmarks.forked_branches import fork_branches

    torch.set_num_interop_threads(task.cores)
    torch.set_num_threads(1)  # of the pool's threads too, when they first run something
    traced = torch.jit.trace(fork_branches(task.module), task.inputs, check_trace=False)
    frozen = torch.jit.freeze(traced)

    def infer() -> Any:
        return frozen(*task.inputs)

    alone = best_ms(infer)
    torch.set_num_threads(task.cores)  # of the calling thread: what is not in a branch
    if best_ms(infer) > alone:
        torch.set_num_threads(1)
    task.note = f"{torch.get_num_threads()} threads outside of branches"
    return infer


def best_ms(infer: Infer) -> float:
    """The shortest of some inferences, as in a loop of them."""
    infer()  # which may compile
    make_steady(partial(ms_of, infer))
    return min(ms_of(infer) for _ in range(WARM_UPS))


def ms_of(infer: Infer) -> float:
    """Of one inference."""
    start = time.perf_counter_ns()
    infer()
    return (time.perf_counter_ns() - start) / 1e6


def export(task: Task) -> Infer:
    """Not a contender: writes the ONNX file that three contenders read."""
    began = time.perf_counter()
    tried = []
    for dynamo in (True, False):
        try:
            torch.onnx.export(
                task.module, task.inputs, str(task.onnx), dynamo=dynamo, verbose=False
            )
        except Exception as error:  # noqa: BLE001 - the other exporter may manage
            tried.append(f"dynamo={dynamo}: {one_line(error)}")
            continue
        took = time.perf_counter() - began
        task.note = "; ".join([*tried, f"dynamo={dynamo} in {took:.0f} s"])
        return onnxruntime(task)
    raise RuntimeError("; ".join(tried))


def onnxruntime(task: Task, *, parallel: bool = False) -> Infer:
    """ONNX Runtime, its pool asleep between runs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = task.threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Its threads spin inside a run, as they should, and no longer than that.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if parallel:
        options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        options.inter_op_num_threads = task.threads
    session = ort.InferenceSession(str(task.onnx), options, providers=["CPUExecutionProvider"])
    names = [found.name for found in session.get_inputs()]
    feed = {n: t.numpy() for n, t in zip(names, task.inputs, strict=True)}
    return lambda: session.run(None, feed)


def ort_parallel(task: Task) -> Infer:
    """ONNX Runtime's own execution of branches side by side."""
    return onnxruntime(task, parallel=True)


def openvino(task: Task) -> Infer:
    """OpenVINO with its latency hint, float32."""
    import openvino as ov

    core = ov.Core()
    compiled = core.compile_model(
        core.read_model(task.onnx),
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": task.threads,
        },
    )
    request = compiled.create_infer_request()
    feed = [tensor.numpy() for tensor in task.inputs]
    return lambda: list(request.infer(feed, share_inputs=True).values())


def ramiel(task: Task, kernels: tuple[str, ...]) -> Infer:
    """Ramiel as its tuner sets it, within some families of kernels."""
    from ramiel_core import candidates
    from ramiel_core.ir import Configuration
    from ramiel_core.run.local import Local

    workshop = _workshop(task)
    best, *_ = candidates.race(workshop, TUNE_S, lambda *_, **__: None, kernels)
    task.note = best["label"]
    built = workshop.build(Configuration(**best["configuration"]))
    if built.plan.workers == 1:
        local = Local(built.program, built.weights, threads=built.configuration.threads)
        return lambda: local(*task.inputs)
    return _by_team(task, workshop, built)


def _workshop(task: Task) -> Any:
    from ramiel_core import pipeline, workshop
    from ramiel_core.ir import AUTO

    parcel = pipeline.parcel_of(pipeline.traced(task.module, task.inputs), AUTO)
    return workshop.Workshop(parcel, lambda *_, **__: None)


def _by_team(task: Task, workshop: Any, built: Any) -> Infer:
    team = task.open.enter_context(workshop.team(built))

    def infer() -> Any:
        team.set_inputs(task.inputs)  # the others read theirs where they lie
        team.run()
        return team.output()

    return infer


def ramiel_eager(task: Task) -> Infer:
    """With torch's own eager kernels."""
    return ramiel(task, ("eager",))


def ramiel_torch(task: Task) -> Infer:
    """With everything that torch alone can run."""
    return ramiel(task, ("eager", "fused", "onednn"))


def ramiel_auto(task: Task) -> Infer:
    """With every family of kernels."""
    return ramiel(task, KERNELS)


def ramiel_load(task: Task) -> Infer:
    """What a user gets in a process of its own: tuned in a launcher, then loaded here."""
    import ramiel_core

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loaded = ramiel_core.load(task.module, task.inputs, budget_s=TUNE_S)
    task.note = " ".join(str(w.message) for w in told)
    return lambda: loaded(*task.inputs)


def ramiel_threads(task: Task) -> Infer:
    """Fused kernels, one thread of one process for each core: what jit_fork does, by Ramiel."""
    from ramiel_core.ir import Configuration

    workshop = _workshop(task)
    asked = Configuration("fused", runtime="threads", workers=task.cores)
    built = workshop.build_if_sensible(asked)
    if built is None:
        raise RuntimeError("no plan of several workers is predicted to pay")
    task.note = str(asked)
    return _by_team(task, workshop, built)


RECIPES: dict[str, Callable[[Task], Infer]] = {
    "eager": eager,
    "folded": folded,
    "onednn": onednn,
    "inductor": inductor,
    "torchscript": torchscript,
    "jit_fork": jit_fork,
    "onnxruntime": onnxruntime,
    "ort_parallel": ort_parallel,
    "openvino": openvino,
    "ramiel_eager": ramiel_eager,
    "ramiel_torch": ramiel_torch,
    "ramiel_auto": ramiel_auto,
    "ramiel_threads": ramiel_threads,
    "ramiel_load": ramiel_load,
    "export": export,
}
TORCH_NATIVE = ("eager", "folded", "inductor", "torchscript", "jit_fork")
READ_ONNX = ("onnxruntime", "ort_parallel", "openvino")
PEERS = (*TORCH_NATIVE, "onednn", *READ_ONNX)
"""oneDNN's graphs are no way that torch's users know of, but Ramiel takes them, so what they gain
without it has to be seen."""
LAUNCHERS = ("ramiel_eager", "ramiel_torch", "ramiel_auto", "ramiel_threads")
"""Ramiel's own: their processes fork, and so start with one thread."""
ALONE = (*LAUNCHERS, "ramiel_load")  # which measure while they build
OWN_THREADS = (*ALONE, "jit_fork", "export")  # which see to their number of threads themselves


def one_line(error: BaseException) -> str:
    """What went wrong, short enough for a table."""
    said = (str(error).strip().splitlines() or [""])[0]
    kind = type(error).__name__
    return (said if kind == "RuntimeError" and said else f"{kind}: {said}")[:160]
