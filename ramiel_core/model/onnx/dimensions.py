"""The inputs of an ONNX model, and sizes for the dimensions that the file leaves open."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx
import torch

from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.model.onnx.file import type_of

MOST_INPUT_BYTES = 2**30
LARGEST_SIZE = 2**31 - 1
DEFAULTS = (  # what the name of a dimension, or of its input, says of its usual size
    (re.compile(r"past|cache", re.IGNORECASE), 1),
    (re.compile(r"seq|len|token|time|frame", re.IGNORECASE), 64),
    (re.compile(r"height|width|^h$|^w$", re.IGNORECASE), 224),
)


@dataclass(frozen=True)
class Input:
    """An input of a model as its file declares it."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]  # with defaults in place of dynamic dimensions
    dynamic: Mapping[int, str]  # names of those, by axis

    def __str__(self) -> str:
        sides = (
            f"{self.dynamic[axis]}={size}" if axis in self.dynamic else str(size)
            for axis, size in enumerate(self.shape)
        )
        return f"{self.name}: {str(self.dtype).removeprefix('torch.')}[{', '.join(sides)}]"


def inputs_of(graph: onnx.GraphProto) -> tuple[Input, ...]:
    """Every input that is no weight; dynamic dimensions have a default size.

    That is 1 for the first axis and wherever the name says nothing; 64 for lengths of sequences;
    224 for heights and widths.

    Raises
    ------
    ModelError
        For an input without a shape, or of a type that is not imported.
    """
    weights = {proto.name for proto in graph.initializer}
    return tuple(_input(value) for value in graph.input if value.name not in weights)


def _input(value: onnx.ValueInfoProto) -> Input:
    kind = value.type.WhichOneof("value")
    where = f"the input {value.name[:80]!r}"
    if kind != "tensor_type":
        raise UnsupportedError(f"{where} is no tensor; only tensors are imported as inputs.")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise ModelError(f"{where} has no shape; export the model with shapes of its inputs.")
    dtype = type_of(tensor.elem_type, where)
    shape, dynamic = [], {}
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value >= 0:
            shape.append(dim.dim_value)
        else:
            name = dim.dim_param.strip() or f"{value.name}.{axis}"
            dynamic[axis] = name
            shape.append(_default(name, axis, dtype))
    return Input(value.name, dtype, tuple(shape), dynamic)


def _default(name: str, axis: int, dtype: torch.dtype) -> int:
    if axis == 0 or "batch" in name.lower():
        return 1
    by_name = next((size for pattern, size in DEFAULTS if pattern.search(name)), None)
    if by_name is not None:
        return by_name
    return 64 if axis == 1 and not dtype.is_floating_point else 1


def defaults(inputs: tuple[Input, ...]) -> dict[str, int]:
    """Size of each dynamic dimension, by name; of one that occurs twice, the first."""
    found: dict[str, int] = {}
    for given in inputs:
        for axis, name in given.dynamic.items():
            found.setdefault(name, given.shape[axis])
    return found


def sized(inputs: tuple[Input, ...], sizes: Mapping[str, int]) -> tuple[Input, ...]:
    """The inputs with these sizes for dynamic dimensions; the same name is the same size.

    Raises
    ------
    ModelError
        For a name that is no dynamic dimension, and for inputs that would fill the memory.
    """
    known = defaults(inputs)
    for name, size in sizes.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "all of its sizes are fixed"
            raise ModelError(f"the model has no dynamic dimension {name[:80]!r}: {has}.")
        if not 1 <= size <= LARGEST_SIZE:
            raise ModelError(f"the dimension {name!r} is at least 1, not {size}.")
    known.update(sizes)
    made = tuple(_with_sizes(given, known) for given in inputs)
    for given in made:
        needed = math.prod(given.shape) * given.dtype.itemsize
        if needed > MOST_INPUT_BYTES:
            raise ModelError(
                f"the input {given.name[:80]!r} would take {needed / 2**30:,.0f} GB; inputs up to "
                f"{MOST_INPUT_BYTES >> 30} GB are imported, so give smaller sizes by "
                f"--dim NAME=SIZE or export it smaller."
            )
    return made


def _with_sizes(given: Input, sizes: Mapping[str, int]) -> Input:
    shape = tuple(
        sizes[given.dynamic[axis]] if axis in given.dynamic else size
        for axis, size in enumerate(given.shape)
    )
    return replace(given, shape=shape)
