"""Operators on 8-bit integers with a scale."""

from __future__ import annotations

from typing import Any

import torch

from ramiel_core.model.onnx import calls
from ramiel_core.model.onnx.convolution import CONVOLUTIONS, padded, pads_of, window
from ramiel_core.model.onnx.file import TYPES
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor


def _blocked(call: Call, x: Tensor, value: Tensor) -> Tensor:
    """A scale or zero point, shaped so that it broadcasts over `x`."""
    axis, block = call.attribute("axis", 1), call.attribute("block_size", 0)
    if value.numel() == 1 and not block:
        return torch.reshape(value, ()) if value.dim() else value
    if block:
        repeated = torch.repeat_interleave(value, block, axis)
        return repeated.narrow(axis, 0, x.shape[axis])
    shape = [1] * x.dim()
    shape[axis] = -1
    return torch.reshape(value, shape)


@operator("QuantizeLinear")
def _quantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    code = call.attribute("output_dtype", 0)
    dtype = zero.dtype if zero is not None else TYPES.get(code or 2)
    if dtype is None or dtype not in (
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.uint16,
        torch.int32,
    ):
        raise call.refuse("quantises to a type that is not imported")
    limits = torch.iinfo(dtype)
    shift: Any = 0 if zero is None else _blocked(call, x, zero.to(torch.int32))
    wide = x if x.is_floating_point() else x.to(torch.float32)
    precision = call.attribute("precision", 0)
    if precision:
        raise call.refuse("divides in a precision of its own")
    return calls.quantized(wide, _blocked(call, x, scale), shift, limits.min, limits.max, dtype)


@operator("DequantizeLinear")
def _dequantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    shift: Any = 0 if zero is None else _blocked(call, x, zero.to(torch.int32))
    made = calls.dequantized(x, _blocked(call, x, scale), shift)
    code = call.attribute("output_dtype", 0)
    if code and code not in TYPES:
        raise call.refuse("makes a type that is not imported")
    return made.to(TYPES[code]) if code else made


@operator("DynamicQuantizeLinear")
def _dynamic(_: Call, x: Tensor) -> Any:
    return calls.dynamically_quantized(x)


def _shifted(x: Tensor, zero: Tensor | None, *, rows: bool = False) -> Tensor:
    """Integers less their zero point."""
    wide = x.to(torch.int32)
    if zero is None:
        return wide
    shift = zero.to(torch.int32)
    if rows and shift.dim() == 1 and shift.shape[0] > 1:
        shift = torch.unsqueeze(shift, -1)
    return torch.sub(wide, shift)


@operator("MatMulInteger")
def _matmul_integer(
    _: Call, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None
) -> Tensor:
    return torch.matmul(_shifted(a, a_zero, rows=True), _shifted(b, b_zero))


@operator("QLinearMatMul")
def _qlinear_matmul(
    call: Call,
    a: Tensor,
    a_scale: Tensor,
    a_zero: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero: Tensor,
    y_scale: Tensor,
    y_zero: Tensor,
) -> Tensor:
    if y_zero.dtype not in (torch.uint8, torch.int8):
        raise call.refuse("quantises to a type that is not imported")
    left, right = _shifted(a, a_zero, rows=True), _shifted(b, b_zero)
    exact = torch.matmul(left, right).to(torch.float32)
    limits = torch.iinfo(y_zero.dtype)
    scale = torch.div(y_scale, torch.mul(a_scale, b_scale)).to(torch.float32)
    return calls.quantized(
        exact, scale, y_zero.to(torch.int32), limits.min, limits.max, y_zero.dtype
    )


def _integer_convolution(call: Call, x: Tensor, weight: Tensor) -> Tensor:
    """In float64, which is exact for these sums and has a kernel."""
    rank = x.dim() - 2
    strides, dilations = window(call, rank)
    wide, padding = padded(
        x.to(torch.float64), pads_of(call, list(x.shape[2:]), list(weight.shape[2:]))
    )
    function, groups = CONVOLUTIONS[rank][0], call.attribute("group", 1)
    return function(wide, weight.to(torch.float64), None, strides, padding, dilations, groups)


def _by_output(zero: Tensor, rank: int) -> Tensor:
    """A number for each output channel of a weight."""
    return (
        torch.reshape(zero, (-1, *[1] * (rank - 1)))
        if zero.numel() > 1
        else torch.reshape(zero, ())
    )


@operator("ConvInteger")
def _conv_integer(
    call: Call,
    x: Tensor,
    weight: Tensor,
    x_zero: Tensor | None = None,
    w_zero: Tensor | None = None,
) -> Tensor:
    if w_zero is not None:
        w_zero = _by_output(w_zero, weight.dim())
    made = _integer_convolution(call, _shifted(x, x_zero), _shifted(weight, w_zero))
    return made.to(torch.int32)


@operator("QLinearConv")
def _qlinear_conv(
    call: Call,
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor,
    weight: Tensor,
    w_scale: Tensor,
    w_zero: Tensor,
    y_scale: Tensor,
    y_zero: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    rank = x.dim()
    shifted = _shifted(weight, _by_output(w_zero, rank))
    exact = _integer_convolution(call, _shifted(x, x_zero), shifted)
    if bias is not None:
        exact = torch.add(exact, torch.reshape(bias, (-1, *[1] * (rank - 2))))
    per_channel = torch.div(y_scale, torch.mul(x_scale, w_scale)).to(torch.float64)
    scale = (
        torch.reshape(per_channel, (-1, *[1] * (rank - 2)))
        if per_channel.numel() > 1
        else per_channel
    )
    limits = torch.iinfo(y_zero.dtype)
    return calls.quantized(
        exact, scale, y_zero.to(torch.int32), limits.min, limits.max, y_zero.dtype
    )
