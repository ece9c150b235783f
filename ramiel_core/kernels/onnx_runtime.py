"""The kernel family `onnxruntime`: a segment is an ONNX Runtime session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe, TensorSpec
from ramiel_core.kernels.bound import (
    UNBOUND,
    BoundSession,
    give_back_memory,
    refuse_other_types,
)
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.to_onnx import OnnxRecipe

TOLERANCE = 1e-3
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""

TYPES = {"float": "float32", "double": "float64"}  # torch calls the others as ONNX does
ERROR = 3  # of ONNX Runtime's severities; what it warns of is how it optimizes


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The session of a segment, to be built in its worker.

    Raises
    ------
    RamielError
        Where the segment has no ONNX form.
    """
    return _Recipe.of(segment, weights)


def run_file(path: Path, inputs: Sequence[Any]) -> list[Any]:
    """What ONNX Runtime itself makes of a file, on one thread; inputs and outputs are numpy arrays.

    Raises
    ------
    RamielError
        Where it cannot load or run the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = ERROR
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]
        made: list[Any] = session.run(None, dict(zip(names, inputs, strict=True)))
    except Exception as cause:
        said = str(cause).strip().partition("\n")[0][-160:].rstrip(".")
        raise RamielError(f"ONNX Runtime cannot run this file ({said}).") from cause
    return made


class _Recipe(OnnxRecipe):
    def build(self, threads: int) -> Any:
        """A session with a pool of its own, of `threads` threads."""
        try:
            import onnxruntime
        except ImportError as cause:
            raise RamielError(
                "the kernel family onnxruntime needs the package: pip install onnxruntime."
            ) from cause
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = ERROR
        # Between two calls other sessions need the cores that a spinning pool would hold.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            session = onnxruntime.InferenceSession(
                self.model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as cause:
            said = str(cause).strip().partition("\n")[0].rstrip(".")
            raise RamielError(
                f"ONNX Runtime cannot compute this model ({said}); use --kernels fused or eager."
            ) from cause
        made = (re.sub(r"tensor\((.*)\)", r"\1", found.type) for found in session.get_outputs())
        refuse_other_types("ONNX Runtime", (TYPES.get(t, t) for t in made), self.outputs)
        give_back_memory()
        return _Session(session, self.inputs, self.outputs)


class _Session(BoundSession):
    def __init__(
        self, session: Any, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        super().__init__(inputs, outputs)
        self._session = session
        self._binding = session.io_binding()
        # An input that nothing depends on is no input of the model.
        self._known = {given.name for given in session.get_inputs()}
        # The session's own wrapper looks at every argument anew; this is what it ends in.
        self._compute = session._sess.run_with_iobinding  # noqa: SLF001
        self._allocate = session._sess.run  # noqa: SLF001
        self._fed = [UNBOUND] * len(inputs)  # addresses of the arrays that are fed now
        self._feed: dict[str, Any] = {}
        self._names = [given.name for given in session.get_outputs()]
        self._bound = self._binding._iobinding  # noqa: SLF001

    def _bind_input(self, k: int, tensor: torch.Tensor) -> None:
        if f"i{k}" in self._known:
            self._binding.bind_input(f"i{k}", *_place(tensor))

    def _bind_output(self, k: int, tensor: torch.Tensor) -> None:
        self._binding.bind_output(f"o{k}", *_place(tensor))

    def _run(self) -> None:
        self._compute(self._bound, None)

    def _run_afresh(self, tensors: Sequence[torch.Tensor]) -> Iterable[Any]:
        fed, feed = self._fed, self._feed
        for k, tensor in enumerate(tensors):
            address = tensor.data_ptr()
            if address != fed[k] or not tensor.is_contiguous():
                fed[k] = address if tensor.is_contiguous() else UNBOUND
                if f"i{k}" in self._known:
                    feed[f"i{k}"] = tensor.detach().contiguous().numpy()
        made: list[Any] = self._allocate(self._names, feed, None)
        return made


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Device, its number, type, shape and address, as ONNX Runtime takes them."""
    dtype = tensor.new_empty(0).numpy().dtype.type
    address = tensor.data_ptr() or 1  # an empty tensor has none, and 0 is refused
    return ("cpu", 0, dtype, list(tensor.shape), address)
