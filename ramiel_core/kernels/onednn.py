"""The kernel family `onednn`: a segment is a graph of oneDNN, inside torch, weights frozen in.

TorchScript hands what oneDNN knows to its graph compiler, which folds and fuses, keeps its own
blocked layouts from operator to operator, and describes each of them once. That is what the
family `fused`, one call an operator, cannot do: a 1x1 convolution of 7x7 pixels takes 30 µs
where it takes 88 there, GoogLeNet on one thread 31 ms where folded channels_last takes 47.
Nothing but torch is needed, and nothing is compiled by a C++ compiler.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe
from ramiel_core.kernels.bound import give_back_memory
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.statements import Function, Statements, examples_of

TOLERANCE = 1e-4
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""

WARM = 4  # calls: two that torch profiles, one that compiles, one to touch all memory
_tracing = threading.Lock()  # its settings are those of the whole process


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The traced function of a segment, to be built in its worker."""
    return _Recipe(segment, Statements(segment, weights).eval())


@dataclass(frozen=True)
class _Recipe(Recipe):
    segment: Segment
    module: nn.Module

    def build(self, threads: int) -> Any:  # noqa: ARG002 - torch's own setting decides
        """The function, compiled for the threads that are set now.

        Raises
        ------
        RamielError
            Where TorchScript cannot hold the segment.
        """
        examples = examples_of(self.segment)
        try:
            with _tracing, torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TorchScript is deprecated, and pinned with torch
                torch.jit.enable_onednn_fusion(enabled=True)
                traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
                    self.module, examples, check_trace=False
                )
                function = torch.jit.freeze(traced)
                for _ in range(WARM):
                    function(*examples)
        except Exception as cause:
            said = str(cause).strip().rpartition("\n")[2].removeprefix("RuntimeError: ").rstrip(".")
            raise RamielError(
                f"oneDNN's graphs cannot hold this model ({said}); use --kernels fused or eager."
            ) from cause
        give_back_memory()
        return Function(function, single=len(self.segment.outputs) == 1)
