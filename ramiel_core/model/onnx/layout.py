"""Operators that move numbers or change shapes, and those that ask for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ramiel_core.model.onnx.elementwise import cast
from ramiel_core.model.onnx.file import TYPES, constant
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operator("Shape")
def _shape(call: Call, x: Tensor) -> Tensor:
    start, end = call.attribute("start", 0), call.attribute("end")
    return torch.tensor(list(x.shape)[start:end], dtype=torch.int64)


@operator("Size")
def _size(_: Call, x: Tensor) -> Tensor:
    return torch.tensor(x.numel())


@operator("Reshape")
def _reshape(call: Call, x: Tensor, *_: Any) -> Tensor:
    asked = call.numbers(1, "shape")
    if not call.attribute("allowzero", 0):
        asked = [x.shape[i] if side == 0 else side for i, side in enumerate(asked)]
    if list(asked) == list(x.shape):
        return x
    return torch.reshape(x, tuple(asked))


@operator("Flatten")
def _flatten(call: Call, x: Tensor) -> Tensor:
    axis = call.attribute("axis", 1)
    if axis == 1 and x.dim() > 1:
        return torch.flatten(x, 1)
    axis = axis + x.dim() if axis < 0 else axis
    return torch.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@operator("Squeeze")
def _squeeze(call: Call, x: Tensor, *_: Any) -> Tensor:
    axes = call.numbers(1, "axes")
    if axes is None:
        return torch.squeeze(x)
    if any(x.shape[axis] != 1 for axis in axes):
        raise call.wrong(f"takes dimensions {axes} of {tuple(x.shape)} away, not all of size 1")
    return torch.squeeze(x, tuple(axes))


@operator("Unsqueeze")
def _unsqueeze(call: Call, x: Tensor, *_: Any) -> Tensor:
    axes = call.numbers(1, "axes")
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = torch.unsqueeze(x, axis)
    return x


@operator("Transpose")
def _transpose(call: Call, x: Tensor) -> Tensor:
    order = call.attribute("perm", list(reversed(range(x.dim()))))
    return x if order == list(range(x.dim())) else torch.permute(x, tuple(order))


@operator("Concat")
def _concat(call: Call, *inputs: Tensor) -> Tensor:
    return torch.cat(inputs, call.attribute("axis", 0))


@operator("Split")
def _split(call: Call, x: Tensor, *_: Any) -> Any:
    axis, sizes = call.attribute("axis", 0), call.numbers(1, "split")
    if sizes is None:
        count = call.attribute("num_outputs", len(call.node.output))
        each = math.ceil(x.shape[axis] / count)
        sizes = [min(each, max(0, x.shape[axis] - i * each)) for i in range(count)]
    return torch.split(x, sizes, axis)


@operator("Slice", since=10)
def _slice(call: Call, x: Tensor, *_: Any) -> Tensor:
    starts, ends = call.numbers(1), call.numbers(2)
    axes = call.numbers(3, default=list(range(len(starts))))
    steps = call.numbers(4, default=[1] * len(starts))
    return _sliced(x, starts, ends, axes, steps)


@operator("Slice", until=9)
def _slice_by_attributes(call: Call, x: Tensor) -> Tensor:
    starts, ends = call.attribute("starts"), call.attribute("ends")
    axes = call.attribute("axes", list(range(len(starts))))
    return _sliced(x, starts, ends, axes, [1] * len(starts))


def _sliced(
    x: Tensor, starts: list[int], ends: list[int], axes: list[int], steps: list[int]
) -> Tensor:
    index: list[slice] = [slice(None)] * x.dim()
    backwards = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis %= x.dim()  # noqa: PLW2901 - counted from the front from here on
        first, last, stride = slice(start, end, step).indices(x.shape[axis])
        if step < 0:  # torch has no negative steps: the same numbers forwards, then turned round
            count = len(range(first, last, stride))
            first, last, stride = first + (count - 1) * stride, first + 1, -stride
            first, last = (first, last) if count else (0, 0)
            backwards.append(axis)
        if (first, last, stride) != (0, x.shape[axis], 1):
            index[axis] = slice(first, max(first, last), None if stride == 1 else stride)
    while index and index[-1] == slice(None):
        index.pop()
    made = x[tuple(index)] if index else x
    return torch.flip(made, tuple(backwards)) if backwards else made


@operator("Expand")
def _expand(call: Call, x: Tensor, _: Tensor) -> Tensor:
    shape = np.broadcast_shapes(tuple(x.shape), tuple(call.numbers(1)))
    return x if shape == tuple(x.shape) else x.expand(shape)


@operator("Tile")
def _tile(call: Call, x: Tensor, _: Tensor) -> Tensor:
    times = call.numbers(1)
    call.recorder.allow_constant(x, tuple(n * t for n, t in zip(x.shape, times, strict=True)))
    return torch.tile(x, tuple(times))


@operator("ConstantOfShape")
def _constant_of_shape(call: Call, _: Tensor) -> Tensor:
    shape = tuple(call.numbers(0))
    proto = call.attribute("value")
    value = torch.zeros(1) if proto is None else constant(proto, str(call))
    call.recorder.allow(shape, value.dtype)
    return torch.full(shape, value.item(), dtype=value.dtype)


@operator("Range")
def _range(call: Call, start: Tensor, *_: Tensor) -> Tensor:
    first, limit, delta = (call.number(i) for i in range(3))
    if not delta:
        raise call.wrong("steps by 0")
    count = max(0, math.ceil((limit - first) / delta))
    call.recorder.allow((count,), start.dtype)
    return (torch.arange(count) * delta + first).to(start.dtype)


@operator("Pad")
def _pad(call: Call, x: Tensor, *_: Any) -> Tensor:
    mode = call.attribute("mode", "constant")
    amounts = call.numbers(1, "pads")
    value = call.number(2, "value", 0.0) if call.opset < 11 or call.given(2) else 0
    half = len(amounts) // 2
    axes = call.numbers(3, default=list(range(half)))
    sides = {a % x.dim(): (amounts[i], amounts[half + i]) for i, a in enumerate(axes)}
    if not any(any(pair) for pair in sides.values()):
        return x
    shape = tuple(n + sum(sides.get(i, (0, 0))) for i, n in enumerate(x.shape))
    call.recorder.allow_constant(x, shape)
    if mode == "constant":
        flat = [n for i in reversed(range(x.dim())) for n in sides.get(i, (0, 0))]
        while len(flat) > 2 and flat[-2:] == [0, 0]:
            del flat[-2:]
        return F.pad(x, flat, value=value)
    if mode not in PAD_MODES:
        raise call.refuse(f"pads in mode {mode!r}, which is not known")
    return _mirrored(x, sides, mode)


def _mirrored(x: Tensor, sides: dict[int, tuple[int, int]], mode: str) -> Tensor:
    """Pad with the tensor's own numbers, one dimension after another, by their index."""
    for axis, (before, after) in sides.items():
        if not before and not after:
            continue
        size = x.shape[axis]
        where = torch.arange(-before, size + after)
        if mode == "edge":
            where = where.clamp(0, size - 1)
        elif mode == "wrap":
            where = where.remainder(size)
        else:
            period = max(1, 2 * (size - 1))
            where = where.remainder(period)
            where = torch.minimum(where, period - where)
        x = torch.index_select(x, axis, where)
    return x


@operator("DepthToSpace")
def _depth_to_space(call: Call, x: Tensor) -> Tensor:
    side = call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, side)
    n, c, h, w = x.shape
    blocks = torch.reshape(x, (n, side, side, c // side**2, h, w))
    moved = torch.permute(blocks, (0, 3, 4, 1, 5, 2))
    return torch.reshape(moved, (n, c // side**2, h * side, w * side))


@operator("SpaceToDepth")
def _space_to_depth(call: Call, x: Tensor) -> Tensor:
    side = call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "CRD":
        return F.pixel_unshuffle(x, side)
    n, c, h, w = x.shape
    blocks = torch.reshape(x, (n, c, h // side, side, w // side, side))
    moved = torch.permute(blocks, (0, 3, 5, 1, 2, 4))
    return torch.reshape(moved, (n, c * side**2, h // side, w // side))


@operator("Trilu")
def _trilu(call: Call, x: Tensor, *_: Any) -> Tensor:
    diagonal = call.number(1, default=0)
    return (torch.triu if call.attribute("upper", 1) else torch.tril)(x, diagonal)


@operator("EyeLike")
def _eye_like(call: Call, x: Tensor) -> Tensor:
    code = call.attribute("dtype")
    shifted = torch.arange(x.shape[1]) - torch.arange(x.shape[0])[:, None]
    eye = (shifted == call.attribute("k", 0)).to(torch.uint8)
    return eye.to(x.dtype) if code is None else cast(call, eye, code)


@operator("Einsum")
def _einsum(call: Call, *inputs: Tensor) -> Tensor:
    equation = call.attribute("equation").replace(" ", "")
    result: Tensor = torch.einsum(equation, *inputs)
    return result


@operator("Col2Im")
def _col2im(call: Call, x: Tensor, *_: Any) -> Tensor:
    size, kernel = call.numbers(1), call.numbers(2)
    rank = len(size)
    if rank != 2:
        raise call.refuse(f"has {rank} dimensions, where torch folds two")
    pads = call.attribute("pads", [0] * 4)
    if pads[:2] != pads[2:]:
        raise call.refuse("pads the two sides differently")
    dilations, strides = (call.attribute(name, [1, 1]) for name in ("dilations", "strides"))
    return F.fold(x, size, kernel, dilations, pads[:2], strides)


@operator("MelWeightMatrix")
def _mel_weights(call: Call, *_: Tensor) -> Tensor:
    bins, length, rate, low, high = (call.number(i) for i in range(5))
    dtype = TYPES[call.attribute("output_datatype", 1)]
    spectrogram = length // 2 + 1
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (low, high))
    step = (highest - lowest) / (bins + 2)
    hertz = 700 * (10 ** ((torch.arange(bins + 2) * step + lowest) / 2595) - 1)
    edges = ((length + 1) * hertz / rate).floor()
    made = torch.zeros(spectrogram, bins, dtype=torch.float32)
    for i in range(bins):
        left, centre, right = (int(edges[i + k]) for k in range(3))
        if centre == left:
            made[centre, i] = 1
        else:
            made[left : centre + 1, i] = torch.arange(centre - left + 1) / (centre - left)
        if right > centre:
            made[centre:right, i] = (right - torch.arange(centre, right)) / (right - centre)
    return made.to(dtype)


def _window(cosines: tuple[float, ...]) -> Any:
    def handler(call: Call, _: Tensor) -> Tensor:
        size = int(call.number(0))
        call.recorder.allow((size,))
        steps = size if call.attribute("periodic", 1) else size - 1
        turn = 2 * math.pi * torch.arange(size, dtype=torch.float64) / steps
        made = torch.zeros(size, dtype=torch.float64)
        for k, weight in enumerate(cosines):
            made = made + weight * torch.cos(turn * k)
        return made.to(TYPES[call.attribute("output_datatype", 1)])

    return handler


operator("HannWindow")(_window((0.5, -0.5)))
operator("HammingWindow")(_window((25 / 46, -21 / 46)))
operator("BlackmanWindow")(_window((0.42, -0.5, 0.08)))
