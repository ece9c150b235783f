"""How far a configuration's outputs may be from eager's: other kernels round otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ramiel_core.ir import MOLDABLE, Configuration
from ramiel_core.kernels import fused, inductor, onednn, onnx_runtime, open_vino

TOLERANCE: Mapping[str, float] = MappingProxyType(
    {
        "eager": 1e-5,  # only with several threads, which split sums in other places
        "fused": fused.TOLERANCE,
        "onednn": onednn.TOLERANCE,
        "inductor": inductor.TOLERANCE,
        "onnxruntime": onnx_runtime.TOLERANCE,
        "openvino": open_vino.TOLERANCE,
    }
)
"""Of the largest value, by kernel family."""


def tolerance_of(c: Configuration) -> float:
    """How far its outputs may be from eager's at one thread; 0 asks for equal bits."""
    wide = c.planner == MOLDABLE and c.workers > 1
    exact = c.kernels == "eager" and c.threads == 1 and not wide
    return 0.0 if exact else TOLERANCE[c.kernels]
