"""Operators that work on each number by itself, with broadcasting."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce
from typing import Any

import torch
import torch.nn.functional as F

from ramiel_core.model.onnx import calls
from ramiel_core.model.onnx.file import TYPES, constant
from ramiel_core.model.onnx.registry import Call, operator, plain

Tensor = torch.Tensor
WIDER = frozenset({torch.uint16, torch.uint32, torch.uint64})  # torch has few kernels for these
INTEGERS = WIDER | {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}

PLAIN: Mapping[str, Any] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sqrt": torch.sqrt,
    "Reciprocal": torch.reciprocal,
    "Erf": torch.erf,
    "Ceil": torch.ceil,
    "Floor": torch.floor,
    "Round": torch.round,
    "Sign": torch.sign,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "IsNaN": torch.isnan,
    "Relu": F.relu,
    "Sigmoid": torch.sigmoid,
    "HardSwish": F.hardswish,
    "Mish": F.mish,
    "Softsign": F.softsign,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
}
for _name, _function in PLAIN.items():
    plain(_name, _function)


@operator("Identity")
def _identity(_: Call, x: Any) -> Any:
    return x


@operator("PRelu")
def _prelu(_: Call, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(torch.lt(x, 0), torch.mul(x, slope), x)


def number_in(call: Call, value: Tensor, beside: Tensor) -> Any:
    """A constant of one number as that number, where it cannot change shape or type of a result."""
    one = not call.recorder.is_live(value) and not value.is_meta and value.numel() == 1
    fits = one and value.dim() <= beside.dim() and value.dtype == beside.dtype
    return value.item() if fits and call.recorder.is_live(beside) else value


def _computed_wide(function: Any, a: Tensor, b: Tensor) -> Tensor:
    """Compute with unsigned numbers as int64: bits are kept, so sums and products are right."""
    result: Tensor = function(a.to(torch.int64), b.to(torch.int64))
    return result if result.dtype is torch.bool else result.to(a.dtype)


def _binary(function: Any, call: Call, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype in WIDER:
        return _computed_wide(function, a, b)
    left, right = number_in(call, a, b), number_in(call, b, a)
    if not isinstance(left, Tensor):  # torch's functions take a number on the right only
        left = a
    result: Tensor = function(left, right)
    return result


BINARY: Mapping[str, Any] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
    "Equal": torch.eq,
}
for _name, _function in BINARY.items():
    operator(_name)(partial(_binary, _function))


@operator("Div")
def _div(call: Call, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype is torch.uint64:
        raise call.refuse("divides uint64, which torch cannot")
    integers = a.dtype in INTEGERS
    return _binary(calls.divide_integers if integers else torch.div, call, a, b)


@operator("Mod")
def _mod(call: Call, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype is torch.uint64:
        raise call.refuse("divides uint64, which torch cannot")
    return _binary(torch.fmod if call.attribute("fmod", 0) else torch.remainder, call, a, b)


@operator("BitwiseNot")
def _bitwise_not(_: Call, x: Tensor) -> Tensor:
    if x.dtype in WIDER:
        return torch.bitwise_not(x.to(torch.int64)).to(x.dtype)
    return torch.bitwise_not(x)


@operator("Pow")
def _pow(call: Call, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype in WIDER or b.dtype in WIDER:
        return calls.power(a.to(torch.int64), b.to(torch.int64)).to(a.dtype)
    if a.dtype == b.dtype:
        return torch.pow(a, number_in(call, b, a))
    if not call.recorder.is_live(b) and b.numel() == 1 and not b.is_meta and b.dim() <= a.dim():
        return torch.pow(a, b.item()) if a.is_floating_point() else calls.power(a, b)
    return calls.power(a, b)


def _flipped(value: Tensor) -> Tensor:
    """uint64 as int64 of the same order."""
    return torch.bitwise_xor(value.to(torch.int64), calls.SIGN_BIT)


def _compare(function: Any, call: Call, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype is torch.uint64:
        compared: Tensor = function(_flipped(a), _flipped(b))
        return compared
    return _binary(function, call, a, b)


COMPARISONS: Mapping[str, Any] = {
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
}
for _name, _function in COMPARISONS.items():
    operator(_name)(partial(_compare, _function))


@operator("Max")
def _max(_: Call, *inputs: Tensor) -> Tensor:
    return _extreme(torch.maximum, inputs)


@operator("Min")
def _min(_: Call, *inputs: Tensor) -> Tensor:
    return _extreme(torch.minimum, inputs)


def _extreme(function: Any, inputs: tuple[Tensor, ...]) -> Tensor:
    dtype = inputs[0].dtype
    if dtype is torch.uint64:
        flipped: Tensor = reduce(function, [_flipped(x) for x in inputs])
        return torch.bitwise_xor(flipped, calls.SIGN_BIT).to(dtype)
    if dtype in WIDER:
        wide: Tensor = reduce(function, [x.to(torch.int64) for x in inputs])
        return wide.to(dtype)
    made: Tensor = reduce(function, inputs)
    return made


@operator("Sum")
def _sum(call: Call, *inputs: Tensor) -> Tensor:
    return reduce(partial(_binary, torch.add, call), inputs)


@operator("Mean")
def _mean(call: Call, *inputs: Tensor) -> Tensor:
    return torch.div(_sum(call, *inputs), len(inputs))


@operator("Where")
def _where(_: Call, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype in WIDER:
        return torch.where(condition, a.to(torch.int64), b.to(torch.int64)).to(a.dtype)
    return torch.where(condition, a, b)


@operator("BitShift")
def _bit_shift(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return calls.shifted(a, b, left=call.attribute("direction") == "LEFT")


# --- activations ----------------------------------------------------------------------------


@operator("Elu")
def _elu(call: Call, x: Tensor) -> Tensor:
    return F.elu(x, call.attribute("alpha", 1.0))


@operator("Celu")
def _celu(call: Call, x: Tensor) -> Tensor:
    return F.celu(x, call.attribute("alpha", 1.0))


@operator("Selu")
def _selu(call: Call, x: Tensor) -> Tensor:
    alpha, gamma = call.attribute("alpha"), call.attribute("gamma")
    if alpha is gamma is None:
        return F.selu(x)
    return calls.selu(x, alpha or 1.6732632, gamma or 1.0507010)


@operator("LeakyRelu")
def _leaky_relu(call: Call, x: Tensor) -> Tensor:
    return F.leaky_relu(x, call.attribute("alpha", 0.01))


@operator("ThresholdedRelu")
def _thresholded_relu(call: Call, x: Tensor) -> Tensor:
    return F.threshold(x, call.attribute("alpha", 1.0), 0.0)


@operator("HardSigmoid")
def _hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    alpha, beta = call.attribute("alpha", 0.2), call.attribute("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return F.hardsigmoid(x)
    return calls.hard_sigmoid(x, alpha, beta)


@operator("Softplus")
def _softplus(_: Call, x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros((), dtype=x.dtype))


@operator("Gelu")
def _gelu(call: Call, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=call.attribute("approximate", "none"))


@operator("Swish")
def _swish(call: Call, x: Tensor) -> Tensor:
    alpha = call.attribute("alpha", 1.0)
    return F.silu(x) if alpha == 1 else calls.swish(x, alpha)


@operator("Shrink")
def _shrink(call: Call, x: Tensor) -> Tensor:
    return calls.shrink(x, call.attribute("bias", 0.0), call.attribute("lambd", 0.5))


@operator("Clip")
def _clip(call: Call, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    if call.opset < 11:
        low, high = call.attribute("min"), call.attribute("max")
    else:
        low = number_in(call, low, x) if low is not None else None
        high = number_in(call, high, x) if high is not None else None
    if low is None and high is None:
        return x
    numbers = [None if isinstance(bound, Tensor) else bound for bound in (low, high)]
    if numbers == [0, 6]:
        return F.relu6(x)
    for bound, function in ((low, torch.maximum), (high, torch.minimum)):
        if isinstance(bound, Tensor):
            x = function(x, bound)
    return x if numbers == [None, None] else torch.clamp(x, *numbers)


@operator("IsInf")
def _is_inf(call: Call, x: Tensor) -> Tensor:
    negative, positive = call.attribute("detect_negative", 1), call.attribute("detect_positive", 1)
    if negative and positive:
        return torch.isinf(x)
    return calls.is_infinite(x, negative=bool(negative), positive=bool(positive))


# --- types ----------------------------------------------------------------------------------


def cast(call: Call, x: Tensor, code: int) -> Tensor:
    """`x` in the type of an ONNX element code."""
    if code not in TYPES:
        raise call.refuse("casts to a type that is not imported")
    dtype = TYPES[code]
    if x.dtype is dtype:
        return x
    if dtype is torch.bool:
        return torch.ne(x.to(torch.int64) if x.dtype in WIDER else x, 0)
    return x.to(dtype)


@operator("Cast")
def _cast(call: Call, x: Tensor) -> Tensor:
    return cast(call, x, call.attribute("to"))


@operator("CastLike")
def _cast_like(_: Call, x: Tensor, like: Tensor) -> Tensor:
    if x.dtype is like.dtype:
        return x
    return torch.ne(x, 0) if like.dtype is torch.bool else x.to(like.dtype)


@operator("BitCast")
def _bit_cast(call: Call, x: Tensor) -> Tensor:
    code = call.attribute("to")
    if code not in TYPES:
        raise call.refuse("reads bits as a type that is not imported")
    return x.view(TYPES[code])


@operator("Constant")
def _constant(call: Call) -> Any:
    attribute = call.node.attribute[0]
    value = call.attribute(attribute.name)
    if attribute.name == "value":
        return constant(value, str(call))
    kinds = {"f": torch.float32, "i": torch.int64}
    kind = kinds.get(attribute.name.removeprefix("value_")[:1])
    if kind is None or attribute.name == "sparse_value":
        raise call.refuse(f"holds a {attribute.name.removeprefix('value_')}, which is not imported")
    return torch.tensor(value, dtype=kind)


@operator("Dropout")
def _dropout(call: Call, x: Tensor, *_: Any) -> Any:
    if call.given(2) and bool(call.number(2)) and (not call.given(1) or call.number(1) != 0):
        raise call.refuse("drops values as in training")
    kept = torch.ones(x.shape, dtype=torch.bool) if call.outputs() > 1 else None
    return x, kept
