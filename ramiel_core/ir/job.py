"""What a launcher is asked to do, and all that it needs for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ramiel_core.errors import PlanError
from ramiel_core.ir.graph import Graph
from ramiel_core.ir.model import Rewrites

if TYPE_CHECKING:
    import torch

KERNELS = ("eager", "fused", "onednn", "inductor", "onnxruntime", "openvino")
"""Kernel families: what computes an operator, or a segment of them."""

AUTO = "auto"
MOLDABLE = "moldable"
"""The planner that needs costs at two thread counts: only a launcher can measure those."""
"""In place of a kernel family: whatever the tuner has found to be fastest here."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run a model on this host."""

    kernels: str = "eager"
    planner: str = "ramiel"
    runtime: Literal["processes", "threads"] = "processes"
    workers: int = 1
    threads: int = 1  # inside each operator, of each worker

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        if self.workers == 1:
            return f"{self.kernels}, {threads}"
        apart = "" if self.runtime == "processes" else " in one process"
        return f"{self.kernels}, {self.planner}, {self.workers} workers × {threads}{apart}"


@dataclass(frozen=True, slots=True)
class Job:
    """A benchmark as it was asked for; travels to the launcher as JSON."""

    model: str  # a name of torchvision's registry, or what the model sent along is called
    task: Literal["bench", "profile", "tune", "open"] = "bench"
    kernels: str = "eager"
    planner: str = "ramiel"
    runtime: Literal["processes", "threads"] = "processes"
    workers: int | None = None  # None: as many as are predicted to pay
    threads: int = 1  # inside each operator
    repeats: int = 30
    signals: Literal["fast", "queue"] = "fast"
    budget_s: float = 60.0  # of a tuner, or of opening an archive that can execute code
    fold_constants: bool = True
    share_repeats: bool = True
    drop_dead: bool = True
    clone: bool = False
    split: bool = True  # slow poolings among several workers, where it pays
    plan: str = ""  # who runs what, as `str(Plan)` writes it, where no planner decides
    weights: str = ""  # the file to load, as `model.weight_uploads` finds it; "" for random ones
    partial_weights: bool = False  # whether they may fit in part
    tuned: bool = False  # its configuration is what a tuner found to be fastest
    shapes: str = ""  # of the inputs of an archive to open: "1x3x224x224,1x64:int64"

    def __post_init__(self) -> None:
        if self.plan and self.kernels in ("fused", AUTO):
            raise PlanError(
                f"a plan of one's own names the model's operators, which --kernels {self.kernels} "
                f"puts together: choose eager, onnxruntime or openvino."
            )
        if self.workers is not None and self.workers < 1:
            raise PlanError(f"--workers must be 1 or more, not {self.workers}.")
        if self.threads < 1:
            raise PlanError(f"--threads must be 1 or more, not {self.threads}.")
        if self.repeats < 1:
            raise PlanError(f"--repeats must be 1 or more, not {self.repeats}.")
        if self.signals not in ("fast", "queue"):
            raise PlanError(f"--signals is fast or queue, not {self.signals!r}.")
        if self.kernels not in (*KERNELS, AUTO):
            raise PlanError(
                f"--kernels is one of {', '.join((*KERNELS, AUTO))}, not {self.kernels!r}."
            )
        if self.runtime not in ("processes", "threads"):
            raise PlanError(f"--runtime is processes or threads, not {self.runtime!r}.")
        if self.clone and (self.kernels not in ("eager", "fused") or self.planner == "moldable"):
            raise PlanError(
                "only torch's operators can be cloned, in plans of one thread count: use --clone "
                "with --kernels eager or fused and another planner than moldable."
            )
        if self.budget_s <= 0:
            raise PlanError(f"--budget must be more than 0 seconds, not {self.budget_s:g}.")

    @property
    def rewrites(self) -> Rewrites:
        """Those that it asks for."""
        return Rewrites(self.fold_constants, self.share_repeats, self.drop_dead)


@dataclass(frozen=True)
class Parcel:
    """Everything a launcher needs to run a model: no code of the model's own."""

    graph: Graph  # unweighed, its strides those of real values
    weights: Mapping[str, Any]
    inputs: tuple[torch.Tensor, ...]
    reference: Any  # what the model itself returned for `inputs`, at one thread
    fused: tuple[Graph, Mapping[str, Any]] | None = None  # graph and weights of the fused family
    warnings: tuple[str, ...] = ()  # to tell before any figure of the model is believed
