"""Resizing, sampling and regions of images; and transforms of signals."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from ramiel_core.model.onnx import image_calls
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
SAMPLING = {
    "linear": "bilinear",
    "bilinear": "bilinear",
    "nearest": "nearest",
    "cubic": "bicubic",
    "bicubic": "bicubic",
}


@operator("Upsample")
def _upsample(call: Call, x: Tensor, *_: Any) -> Tensor:
    scales = call.numbers(1, "scales")
    mode = call.attribute("mode", "nearest")
    sizes = [math.floor(n * s) for n, s in zip(x.shape, scales, strict=True)]
    return _resized(call, x, list(range(x.dim())), sizes, scales, mode, "asymmetric", "floor")


@operator("Resize", since=10, until=10)
def _resize_10(call: Call, x: Tensor, *_: Any) -> Tensor:
    return _upsample(call, x)


@operator("Resize", since=11)
def _resize(call: Call, x: Tensor, *_: Any) -> Tensor:
    axes = [a % x.dim() for a in call.attribute("axes", list(range(x.dim())))]
    scales = call.numbers(2) if call.given(2) and call.inputs[2].numel() else None
    sizes = call.numbers(3) if call.given(3) else None
    if sizes is not None:
        exact = [size / x.shape[a] for a, size in zip(axes, sizes, strict=True)]
        policy = call.attribute("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            one = min(exact) if policy == "not_larger" else max(exact)
            exact = [one] * len(axes)
            sizes = [math.floor(x.shape[a] * one + 0.5) for a in axes]
        scales = exact
    elif scales is not None:
        sizes = [math.floor(x.shape[a] * s + 1e-7 * s) for a, s in zip(axes, scales, strict=True)]
    else:
        raise call.wrong("names neither scales nor sizes")
    mode = call.attribute("mode", "nearest")
    where = call.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = call.attribute("nearest_mode", "round_prefer_floor")
    if where == "tf_crop_and_resize":
        return _crop_and_resize(call, x, axes, sizes, mode, rounding)
    return _resized(call, x, axes, sizes, scales, mode, where, rounding)


def _resized(
    call: Call,
    x: Tensor,
    axes: list[int],
    sizes: list[int],
    scales: list[float],
    mode: str,
    where: str,
    rounding: str,
) -> Tensor:
    """By torch's own function where it means the same, else dimension by dimension."""
    shape = list(x.shape)
    for axis, side in zip(axes, sizes, strict=True):
        shape[axis] = side
    call.recorder.allow_constant(x, tuple(shape))
    by_torch = _by_torch(
        call, x, shape, dict(zip(axes, scales, strict=True)), mode, where, rounding
    )
    if by_torch is not None:
        return by_torch
    weights = []
    for axis, size, scale in zip(axes, sizes, scales, strict=True):
        if size != x.shape[axis] or scale != 1:
            at = _coordinates(size, x.shape[axis], scale, where)
            weights.append((axis, _matrix(call, at, x.shape[axis], scale, mode, rounding)))
    return image_calls.interpolated(x, *weights) if weights else x


def _by_torch(
    call: Call,
    x: Tensor,
    shape: list[int],
    scales: dict[int, float],
    mode: str,
    where: str,
    rounding: str,
) -> Tensor | None:
    """`F.interpolate`, where it computes the very same."""
    changed = [a for a in scales if shape[a] != x.shape[a]]
    exact = all(abs(scale * x.shape[a] - shape[a]) < 1e-3 for a, scale in scales.items())
    if x.dim() != 4 or not changed or not set(changed) <= {2, 3} or not exact:
        return None
    if call.attribute("antialias", 0):
        return None
    size = (shape[2], shape[3])
    if mode == "nearest":
        whole = all(shape[a] % x.shape[a] == 0 for a in changed)  # then no coordinate is a tie
        centred = whole and where == "half_pixel" and rounding.startswith("round")
        cornered = where == "asymmetric" and rounding == "floor"
        return F.interpolate(x, size, mode="nearest") if centred or cornered else None
    corners = where == "align_corners" and min(size) > 1
    if mode == "linear" and (corners or where == "half_pixel"):
        return F.interpolate(x, size, mode="bilinear", align_corners=corners)
    return None


def _coordinates(size: int, old: int, scale: float, where: str) -> Tensor:
    """Where each number of the result lies among the old ones."""
    at = torch.arange(size, dtype=torch.float64)
    if where == "asymmetric":
        return at / scale
    if where == "align_corners":
        length = old * scale
        return (
            at * (old - 1) / (length - 1) if length > 1 else torch.zeros(size, dtype=torch.float64)
        )
    if where == "pytorch_half_pixel" and size <= 1:
        return torch.zeros(size, dtype=torch.float64)
    if where == "half_pixel_symmetric":
        adjustment = size / (scale * old)
        centre = old / 2
        return centre * (1 - adjustment) + (at + 0.5) / scale - 0.5
    return (at + 0.5) / scale - 0.5


def _matrix(call: Call, at: Tensor, old: int, scale: float, mode: str, rounding: str) -> Tensor:
    """(new size, old size): how much of each old number goes into each new one."""
    made = torch.zeros(at.shape[0], old, dtype=torch.float64)
    rows = torch.arange(at.shape[0])
    if mode == "nearest":
        if rounding.startswith("round"):
            whole = (at - 0.5).ceil() if rounding.endswith("floor") else (at + 0.5).floor()
        else:
            whole = at.floor() if rounding == "floor" else at.ceil()
        made[rows, whole.long().clamp(0, old - 1)] = 1
        return made
    shrinks = scale if call.attribute("antialias", 0) and scale < 1 else 1.0
    reach = math.ceil((2 if mode == "cubic" else 1) / shrinks) + 1
    first = at.floor().long()
    excluded = bool(call.attribute("exclude_outside", 0))
    for step in range(-reach, reach + 1):
        index = first + step
        weight = _kernel(call, (index - at) * shrinks, mode)
        if excluded:
            weight = torch.where((index < 0) | (index >= old), 0.0, weight)
        made.index_put_((rows, index.clamp(0, old - 1)), weight, accumulate=True)
    return made / made.sum(1, keepdim=True) if excluded or shrinks != 1 else made


def _kernel(call: Call, distance: Tensor, mode: str) -> Tensor:
    d = distance.abs()
    if mode != "cubic":
        return (1 - d).clamp(min=0)
    a = call.attribute("cubic_coeff_a", -0.75)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))


def _crop_and_resize(
    call: Call, x: Tensor, axes: list[int], sizes: list[int], mode: str, rounding: str
) -> Tensor:
    region = call.numbers(1)
    value = call.attribute("extrapolation_value", 0.0)
    outside = torch.zeros((), dtype=torch.bool)
    weights = []
    for i, (axis, size) in enumerate(zip(axes, sizes, strict=True)):
        start, end, old = region[i], region[i + len(axes)], x.shape[axis]
        at = torch.arange(size, dtype=torch.float64)
        step = (end - start) * (old - 1) / (size - 1) if size > 1 else 0.0
        first = start * (old - 1) if size > 1 else 0.5 * (start + end) * (old - 1)
        at = first + at * step
        shape = [1] * x.dim()
        shape[axis] = size
        outside = outside | ((at < 0) | (at > old - 1)).reshape(shape)
        weights.append((axis, _matrix(call, at, old, 1.0, mode, rounding)))
    made = image_calls.interpolated(x, *weights)
    return torch.where(outside, torch.full((), value, dtype=x.dtype), made)


@operator("GridSample", since=16)
def _grid_sample(call: Call, x: Tensor, grid: Tensor) -> Tensor:
    mode = SAMPLING[call.attribute("mode", "linear")]
    if mode == "bicubic" and x.dim() == 5:
        raise call.refuse("samples volumes by cubic splines, which torch lacks")
    padding = call.attribute("padding_mode", "zeros")
    return F.grid_sample(x, grid, mode, padding, bool(call.attribute("align_corners", 0)))


@operator("AffineGrid")
def _affine_grid(call: Call, theta: Tensor, _: Tensor) -> Tensor:
    return F.affine_grid(theta, call.numbers(1), bool(call.attribute("align_corners", 0)))


@operator("RoiAlign", since=16)
def _roi_align(call: Call, x: Tensor, boxes: Tensor, batch: Tensor) -> Tensor:
    if call.attribute("mode", "avg") != "avg":
        raise call.refuse("takes the largest of each region, which torch lacks")
    size = (call.attribute("output_height", 1), call.attribute("output_width", 1))
    half = call.attribute("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale, ratio = call.attribute("spatial_scale", 1.0), call.attribute("sampling_ratio", 0)
    return image_calls.roi_align(x, boxes, batch, size, scale, ratio, aligned=half)


@operator("RoiAlign", since=10, until=15)
def _roi_align_10(call: Call, x: Tensor, boxes: Tensor, batch: Tensor) -> Tensor:
    if call.attribute("mode", "avg") != "avg":
        raise call.refuse("takes the largest of each region, which torch lacks")
    size = (call.attribute("output_height", 1), call.attribute("output_width", 1))
    scale, ratio = call.attribute("spatial_scale", 1.0), call.attribute("sampling_ratio", 0)
    return image_calls.roi_align(x, boxes, batch, size, scale, ratio, aligned=False)


@operator("Det")
def _det(_: Call, x: Tensor) -> Tensor:
    return torch.linalg.det(x)


@operator("DFT", since=20)
def _dft(call: Call, x: Tensor, *_: Any) -> Tensor:
    return _fourier(call, x, call.number(2, default=-2))


@operator("DFT", since=17, until=19)
def _dft_17(call: Call, x: Tensor, *_: Any) -> Tensor:
    return _fourier(call, x, call.attribute("axis", 1))


def _fourier(call: Call, x: Tensor, axis: int) -> Tensor:
    axis %= x.dim()
    length = call.number(1) if call.given(1) else None
    inverse, half = bool(call.attribute("inverse", 0)), bool(call.attribute("onesided", 0))
    return image_calls.fourier(x, length, axis, inverse=inverse, half=half)


@operator("STFT")
def _stft(call: Call, x: Tensor, *_: Any) -> Tensor:
    step, window = int(call.number(1)), call.inputs[2] if call.given(2) else None
    length = int(call.number(3)) if call.given(3) else window.shape[0]  # type: ignore[union-attr]
    half = bool(call.attribute("onesided", 1)) and (x.dim() == 2 or x.shape[-1] == 1)
    return image_calls.short_fourier(x, step, window, length, half=half)
