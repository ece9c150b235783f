"""Segment -> ONNX bytes, for the kernel libraries that read them.

By tracing: torch's older exporter takes a second or two for a model where the one through
`torch.export` takes ten to sixty, and the libraries run both results at the same speed. It starts
no thread, so a launcher may still fork after it; the bytes are made there once, and every worker
reads them where they lie.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch.onnx import symbolic_helper, symbolic_opset10
from torch.onnx._internal.torchscript_exporter.registration import registry

from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe, TensorSpec
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.statements import Statements, examples_of

OPSET = 18
NO_BUFFER = frozenset({"bfloat16", "complex64", "complex128"})  # in numpy, or in ONNX
LARGEST_BYTES = 2**31 - 1  # of a protobuf message
DIVISOR = 5  # its place among the arguments of average pooling, behind the input
AVERAGE_POOLS = {  # the exporter's own
    name: known.get(OPSET)
    for name in ("aten::avg_pool2d", "aten::avg_pool3d")
    if (known := registry.get_function_group(name))
}


@dataclass(frozen=True)
class OnnxRecipe(Recipe):
    """A segment as the ONNX model that a library reads in the worker which runs it."""

    model: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    by_torch = False

    @classmethod
    def of(cls, segment: Segment, weights: Mapping[str, Any]) -> Self:
        """What becomes of a segment whose calls find `weights` in `w`.

        Raises
        ------
        RamielError
            Where the segment has no ONNX form.
        """
        return cls(
            to_onnx(segment, weights),
            tuple(spec for _, spec in segment.inputs),
            tuple(spec for _, spec in segment.outputs),
        )


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
    module = Statements(segment, weights).eval()
    examples = examples_of(segment)
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


@contextmanager
def _quietly() -> Iterator[None]:
    """With operators that the exporter gets wrong, without its advice to use the slow one.

    What it warns of as incorrect is an error: nobody reads warnings of a worker.
    """
    torch.onnx.register_custom_op_symbolic("aten::floor_divide", _floor_divide, OPSET)
    for name, itself in AVERAGE_POOLS.items():
        torch.onnx.register_custom_op_symbolic(name, partial(_average_pool, itself), OPSET)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*model to be incorrect")
            yield
    finally:
        logger.setLevel(level)


def _floor_divide(g: Any, a: Any, b: Any) -> Any:
    """Round down, where the exporter's own rounds towards zero."""
    return symbolic_opset10.div(g, a, b, "floor")


def _average_pool(itself: Any, g: Any, x: Any, *how: Any) -> Any:
    """Refuse a divisor of its own, the last argument, which the exporter leaves out."""
    if len(how) > DIVISOR and not symbolic_helper._is_none(how[DIVISOR]):  # noqa: SLF001
        raise NotImplementedError("average pooling with a divisor of its own")
    return itself(g, x, *how)
