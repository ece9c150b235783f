"""Operators that reduce dimensions, and those that normalise along one."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ramiel_core.model.onnx import calls
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
AXES_AS_INPUT = {"ReduceSum": 13}  # the others followed in opset 18


def _axes(call: Call, x: Tensor) -> list[int]:
    """Dimensions to reduce; empty for none at all."""
    given = call.numbers(1, "axes")
    if call.opset < AXES_AS_INPUT.get(call.node.op_type, 18):
        given = call.attribute("axes")
    if not given:
        return [] if call.attribute("noop_with_empty_axes", 0) else list(range(x.dim()))
    return [int(axis) for axis in given]


def _reduced(call: Call, function: Any, x: Tensor) -> Tensor:
    axes = _axes(call, x)
    if not axes:
        return x
    result: Tensor = function(x, axes, keepdim=bool(call.attribute("keepdims", 1)))
    return result


def _sum(x: Tensor, axes: list[int], *, keepdim: bool) -> Tensor:
    if not x.dim():
        return x
    return torch.sum(x, axes, keepdim=keepdim, dtype=x.dtype)


@operator("ReduceSum")
def _reduce_sum(call: Call, x: Tensor, *_: Any) -> Tensor:
    return _reduced(call, _sum, x)


@operator("ReduceMean")
def _reduce_mean(call: Call, x: Tensor, *_: Any) -> Tensor:
    if not x.is_floating_point():
        raise call.refuse("takes the mean of integers, which torch rounds differently")
    return _reduced(call, torch.mean, x)


@operator("ReduceMax")
def _reduce_max(call: Call, x: Tensor, *_: Any) -> Tensor:
    return _reduced(call, _extreme(torch.amax, largest=True), x)


@operator("ReduceMin")
def _reduce_min(call: Call, x: Tensor, *_: Any) -> Tensor:
    return _reduced(call, _extreme(torch.amin, largest=False), x)


def _extreme(function: Any, *, largest: bool) -> Any:
    def reduce(x: Tensor, axes: list[int], *, keepdim: bool) -> Tensor:
        if x.numel():
            result: Tensor = function(x, axes, keepdim=keepdim)
            return result
        if x.dtype is torch.bool:
            worst: float = not largest
        elif x.dtype.is_floating_point:
            worst = float("-inf") if largest else float("inf")
        else:
            limits = torch.iinfo(x.dtype)
            worst = limits.min if largest else limits.max
        shape = torch.sum(x, axes, keepdim=keepdim).shape
        return torch.full(shape, worst, dtype=x.dtype)

    return reduce


@operator("ReduceProd")
def _reduce_prod(call: Call, x: Tensor, *_: Any) -> Tensor:
    def product(x: Tensor, axes: list[int], *, keepdim: bool) -> Tensor:
        for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
            x = torch.prod(x, axis, keepdim=keepdim, dtype=x.dtype)
        return x

    return _reduced(call, product, x)


def _through(before: Any, after: Any) -> Any:
    """A sum of `before`, then `after`; both also where no dimension is reduced."""

    def handler(call: Call, x: Tensor, *_: Any) -> Tensor:
        made = _reduced(call, _sum, before(x))
        result: Tensor = after(made)
        return result if result.dtype is x.dtype else result.to(x.dtype)

    return handler


def _same(x: Tensor) -> Tensor:
    return x


operator("ReduceL1")(_through(torch.abs, _same))
operator("ReduceL2")(_through(torch.square, torch.sqrt))
operator("ReduceSumSquare")(_through(torch.square, _same))
operator("ReduceLogSum")(_through(_same, torch.log))


@operator("ReduceLogSumExp")
def _reduce_log_sum_exp(call: Call, x: Tensor, *_: Any) -> Tensor:
    if not x.dim():
        return x
    return _reduced(call, torch.logsumexp, x)


@operator("ArgMax")
def _arg_max(call: Call, x: Tensor) -> Tensor:
    return _arg(call, x, torch.argmax)


@operator("ArgMin")
def _arg_min(call: Call, x: Tensor) -> Tensor:
    return _arg(call, x, torch.argmin)


def _arg(call: Call, x: Tensor, function: Any) -> Tensor:
    axis, keep = call.attribute("axis", 0), bool(call.attribute("keepdims", 1))
    if call.attribute("select_last_index", 0):
        signed = x if function is torch.argmax else torch.neg(x)
        return calls.first_index(signed, axis, keepdim=keep, last=True)
    result: Tensor = function(x, axis, keepdim=keep)
    return result


# --- along one dimension --------------------------------------------------------------------


def _softmax(function: Any) -> Any:
    def recent(call: Call, x: Tensor) -> Tensor:
        result: Tensor = function(x, call.attribute("axis", -1))
        return result

    return recent


def _flat_softmax(function: Any) -> Any:
    """Before opset 13, everything from the axis on was one dimension."""

    def old(call: Call, x: Tensor) -> Tensor:
        axis = call.attribute("axis", 1)
        if axis % x.dim() == x.dim() - 1:
            result: Tensor = function(x, axis)
            return result
        flat: Tensor = function(torch.flatten(x, axis % x.dim()), -1)
        return torch.reshape(flat, x.shape)

    return old


for _name, _function in {
    "Softmax": F.softmax,
    "LogSoftmax": F.log_softmax,
    "Hardmax": calls.hardmax,
}.items():
    operator(_name, since=13)(_softmax(_function))
    operator(_name, until=12)(_flat_softmax(_function))


@operator("LpNormalization")
def _lp_normalization(call: Call, x: Tensor) -> Tensor:
    return calls.normalized(x, call.attribute("p", 2), call.attribute("axis", -1))


@operator("CumSum")
def _cum_sum(call: Call, x: Tensor, _: Tensor) -> Tensor:
    return _cumulative(call, x, product=False)


@operator("CumProd")
def _cum_prod(call: Call, x: Tensor, _: Tensor) -> Tensor:
    return _cumulative(call, x, product=True)


def _cumulative(call: Call, x: Tensor, *, product: bool) -> Tensor:
    return calls.cumulative(
        x,
        call.number(1),
        product=product,
        exclusive=bool(call.attribute("exclusive", 0)),
        reverse=bool(call.attribute("reverse", 0)),
    )
