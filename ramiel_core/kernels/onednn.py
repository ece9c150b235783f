"""The kernel family `onednn`: a segment is a graph of oneDNN, inside torch, weights frozen in.

TorchScript hands what oneDNN knows to its graph compiler, which folds and fuses, keeps its own
blocked layouts from operator to operator, and describes each of them once. That is what the
family `fused`, one call an operator, cannot do: a 1x1 convolution of 7x7 pixels takes 30 µs
where it takes 88 there, GoogLeNet on one thread 31 ms where folded channels_last takes 47.
Nothing but torch is needed, and nothing is compiled by a C++ compiler.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ramiel_core.ir import Recipe
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.statements import Compiled

TOLERANCE = 1e-4
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""

WARM = 4  # calls: two that torch profiles, one that compiles, one to touch all memory


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The traced function of a segment, to be built in its worker."""
    return _Traced.of(segment, weights)


class _Traced(Compiled):
    def compiled(self, examples: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and pinned with torch
            torch.jit.enable_onednn_fusion(enabled=True)
            traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
                self.module, examples, check_trace=False
            )
            function: Callable[..., Any] = torch.jit.freeze(traced)
            for _ in range(WARM):
                function(*examples)
        return function

    def refusal(self, said: str) -> str:
        why = said.rpartition("\n")[2].removeprefix("RuntimeError: ").rstrip(".")
        return f"oneDNN's graphs cannot hold this model ({why}); use --kernels fused or eager."
