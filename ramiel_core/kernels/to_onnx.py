"""Segment -> ONNX bytes, for the kernel libraries that read them.

By tracing: torch's older exporter takes a second or two for a model where the one through
`torch.export` takes ten to sixty, and the libraries run both results at the same speed. It starts
no thread, so a launcher may still fork after it; the bytes are made there once, and every worker
reads them where they lie.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.onnx import symbolic_helper

from ramiel_core.errors import RamielError
from ramiel_core.ir import TensorSpec
from ramiel_core.kernels.segment import Segment

OPSET = 18
NO_BUFFER = frozenset({"bfloat16", "complex64"})  # numpy has no bfloat16, ONNX no complex numbers
LARGEST_BYTES = 2**31 - 1  # of a protobuf message


def to_onnx(segment: Segment, weights: Mapping[str, Any]) -> bytes:
    """The ONNX model of a segment: inputs `i0`, `i1`, ..., outputs `o0`, `o1`, ...

    Raises
    ------
    RamielError
        Where the exporter does not know an operator, or the result would be too large.
    """
    kinds = {spec.dtype for _, spec in (*segment.inputs, *segment.outputs)} & NO_BUFFER
    if kinds:
        raise RamielError(
            f"{segment.name} takes or returns {' and '.join(sorted(kinds))}, which these libraries "
            f"cannot share with torch; use --kernels fused or eager."
        )
    size = sum(w.nbytes for w in weights.values() if isinstance(w, torch.Tensor))
    written = io.BytesIO()
    module = _Statements(segment, weights).eval()
    examples = tuple(_example(spec) for _, spec in segment.inputs)
    try:
        with torch.no_grad(), _quietly():
            torch.onnx.export(
                module,
                examples,
                written,  # type: ignore[arg-type]  # this exporter takes files as well
                dynamo=False,
                do_constant_folding=False,  # the libraries do, and keep outputs that are constant
                opset_version=OPSET,
                input_names=[f"i{k}" for k in range(len(examples))],
                output_names=[f"o{k}" for k in range(len(segment.outputs))],
                custom_opsets={},
            )
    except Exception as cause:
        if size > LARGEST_BYTES:
            raise RamielError(
                f"{segment.name} has {size / 2**30:.1f} GB of weights, and one ONNX model holds "
                f"2 GB; use --kernels fused, or more --workers."
            ) from cause
        said = str(cause).strip().partition("\n")[0][:300].rstrip(".")
        raise RamielError(
            f"{segment.name} has no ONNX form ({said}); use --kernels fused or eager."
        ) from cause
    return written.getvalue()


class _Statements(nn.Module):
    """Runs a segment's operators by their own emitted statements."""

    def __init__(self, segment: Segment, weights: Mapping[str, Any]) -> None:
        super().__init__()
        calls = "\n".join(node.call for node in segment.nodes)
        self._held: dict[str, str] = {}
        for number, name in enumerate(dict.fromkeys(re.findall(r'w\["([^"]*)"\]', calls))):
            self._held[name] = f"w{number}"
            self._hold(f"w{number}", weights[name])
        names = [name for name, _ in segment.inputs]
        lines = [
            "import torch",
            "import torch.nn.functional as F",
            *segment.imports,
            f"def run(w, {', '.join(names)}):",
            *(f"    {value} = {parts}" for value, parts in segment.tuples),
            *(f"    {node.name} = {node.call}" for node in segment.nodes),
            f"    return ({', '.join(expression for expression, _ in segment.outputs)},)",
        ]
        scope: dict[str, Any] = {}
        exec(compile("\n".join(lines), f"<{segment.name}>", "exec"), scope)  # noqa: S102 - emitted text
        self._run = scope["run"]

    def _hold(self, attribute: str, value: Any) -> None:
        if isinstance(value, nn.Module):
            self.add_module(attribute, value)
        elif isinstance(value, torch.Tensor):
            self.register_buffer(attribute, value.detach())
        else:
            setattr(self, attribute, value)

    def forward(self, *args: torch.Tensor) -> Any:
        return self._run({n: getattr(self, held) for n, held in self._held.items()}, *args)


def _example(spec: TensorSpec) -> torch.Tensor:
    """Zeros: valid as indices, and what is traced does not depend on values."""
    return torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))


@contextmanager
def _quietly() -> Iterator[None]:
    """With the operators that the exporter lacks, without its advice to use the slow one."""
    torch.onnx.register_custom_op_symbolic(
        "aten::_native_batch_norm_legit_no_training", _batch_norm, OPSET
    )
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@symbolic_helper.parse_args("v", "v", "v", "v", "v", "f", "f")
def _batch_norm(
    g: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> Any:
    """`torch.export` writes batch norm so; the other two results are empty in inference."""
    del momentum
    empty = g.op("Constant", value_t=torch.zeros(0))
    y = g.op("BatchNormalization", x, weight, bias, mean, var, epsilon_f=eps)
    return y, empty, empty
