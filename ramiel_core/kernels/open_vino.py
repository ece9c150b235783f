"""The kernel family `openvino`: a segment is a model compiled by OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe, TensorSpec
from ramiel_core.kernels.bound import BoundSession, give_back_memory, refuse_other_types
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.to_onnx import OnnxRecipe

TOLERANCE = 1e-3
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The compiled model of a segment, to be built in its worker.

    Raises
    ------
    RamielError
        Where the segment has no ONNX form.
    """
    return _Recipe.of(segment, weights)


class _Recipe(OnnxRecipe):
    def build(self, threads: int) -> Any:
        """One inference request, computed at `threads` threads on the worker's own cores."""
        try:
            import openvino
        except ImportError as cause:
            raise RamielError(
                "the kernel family openvino needs the package: pip install openvino."
            ) from cause
        core = openvino.Core()
        try:
            compiled = core.compile_model(
                core.read_model(self.model),
                "CPU",
                {
                    "INFERENCE_NUM_THREADS": threads,
                    "PERFORMANCE_HINT": "LATENCY",
                    "NUM_STREAMS": 1,
                    "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
                    "ENABLE_CPU_PINNING": False,  # the worker is pinned, and its threads with it
                },
            )
        except Exception as cause:
            said = str(cause).strip().rpartition("\n")[2].rstrip(".")
            raise RamielError(
                f"OpenVINO cannot compute this model ({said}); use --kernels fused or eager."
            ) from cause
        made = (str(found.get_element_type().to_dtype()) for found in compiled.outputs)
        refuse_other_types("OpenVINO", made, self.outputs)
        give_back_memory()
        return _Session(openvino, compiled, self.inputs, self.outputs)


class _Session(BoundSession):
    def __init__(
        self,
        openvino: Any,
        compiled: Any,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
    ) -> None:
        super().__init__(inputs, outputs)
        self._tensor = openvino.Tensor
        self._request = compiled.create_infer_request()
        self._inputs = {name: p for p in compiled.inputs for name in p.get_names()}
        self._outputs = compiled.outputs
        # `infer` of the class above makes a dictionary of results on every call.
        self._compute = super(type(self._request), self._request).infer  # type: ignore[misc]
        self._held: dict[Any, Any] = {}  # what is bound, so that it lives

    def _bind_input(self, k: int, tensor: torch.Tensor) -> None:
        if f"i{k}" in self._inputs:
            self._set(self._inputs[f"i{k}"], tensor)

    def _bind_output(self, k: int, tensor: torch.Tensor) -> None:
        self._set(self._outputs[k], tensor)

    def _set(self, port: Any, tensor: torch.Tensor) -> None:
        if not tensor.numel():
            return  # refused where OpenVINO takes an empty constant for one of unknown size
        wrapped = self._tensor(tensor.numpy(), shared_memory=True)
        self._held[port.get_any_name()] = (wrapped, tensor)
        self._request.set_tensor(port, wrapped)

    def _run(self) -> None:
        self._compute({}, True, False)
