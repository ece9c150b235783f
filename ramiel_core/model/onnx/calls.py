"""Functions that imported models call where torch has no single one for an ONNX operator.

Emitted programs import them by name. Each is a pure function of tensors and plain numbers; what it
makes anew lies where its arguments do: on `meta`, where graphs are read off, nothing else may.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
import torch.nn.functional as F
from torch.overrides import handle_torch_function, has_torch_function

SIGN_BIT = -(2**63)
P = ParamSpec("P")
R = TypeVar("R")


def one_call(function: Callable[P, R]) -> Callable[P, R]:
    """Show a function to torch function modes as torch's own are: as one call."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        tensors = tuple(a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor))
        if has_torch_function(tensors):
            made: R = handle_torch_function(call, tensors, *args, **kwargs)
            return made
        return function(*args, **kwargs)

    call.itself = function  # type: ignore[attr-defined]  # for a mode that looks into it
    return call


@one_call
def divide_integers(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Quotient towards zero, as C divides."""
    return torch.div(a, b, rounding_mode="trunc")


@one_call
def power(base: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    """`base ** exponent` in the type of `base`."""
    return torch.pow(base, exponent).to(base.dtype)


@one_call
def hard_sigmoid(x: torch.Tensor, alpha: float, beta: float) -> torch.Tensor:
    """`alpha * x + beta`, kept between 0 and 1."""
    return torch.clamp(alpha * x + beta, 0, 1)


@one_call
def shrink(x: torch.Tensor, bias: float, limit: float) -> torch.Tensor:
    """Draws values towards 0 by `bias`; those within `limit` of it become 0."""
    drawn = torch.where(x > limit, x - bias, torch.where(x < -limit, x + bias, 0))
    return drawn.to(x.dtype)


@one_call
def selu(x: torch.Tensor, alpha: float, gamma: float) -> torch.Tensor:
    """SELU with constants of its own."""
    return gamma * torch.where(x > 0, x, alpha * (torch.exp(x) - 1))


@one_call
def swish(x: torch.Tensor, alpha: float) -> torch.Tensor:
    """`x * sigmoid(alpha * x)`."""
    return x * torch.sigmoid(alpha * x)


@one_call
def is_infinite(x: torch.Tensor, *, negative: bool, positive: bool) -> torch.Tensor:
    """Whether a number is one of the infinities asked for."""
    found = torch.isneginf(x) if negative else torch.zeros_like(x, dtype=torch.bool)
    return found | torch.isposinf(x) if positive else found


@one_call
def shifted(a: torch.Tensor, by: torch.Tensor, *, left: bool) -> torch.Tensor:
    """`a` with its bits moved; by a negative number or all its bits, what a sign bit leaves."""
    bits = a.dtype.itemsize * 8
    wide, amount = a.to(torch.int64), by.to(torch.int64)
    far = (amount < 0) | (amount >= bits)
    amount = amount.clamp(0, bits - 1)
    if left:
        return torch.where(far, 0, wide << amount).to(a.dtype)
    if a.dtype is torch.uint64:  # whose highest bit int64 takes for a sign
        moved = torch.where(amount == 0, wide, (wide >> amount) & ~(SIGN_BIT >> (amount - 1)))
        return torch.where(far, 0, moved).to(a.dtype)
    return torch.where(far, wide >> 63, wide >> amount).to(a.dtype)


@one_call
def normalized(x: torch.Tensor, power_: float, dim: int) -> torch.Tensor:
    """`x` over its norm along `dim`; 0 where that is 0."""
    length = torch.linalg.vector_norm(x, power_, dim, keepdim=True)
    return torch.where(length == 0, torch.zeros_like(x), x / length)


@one_call
def hardmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """1 at the first largest value along `dim`, 0 elsewhere."""
    where = torch.argmax(x, dim, keepdim=True)
    return torch.zeros_like(x).scatter(dim, where, 1)


@one_call
def first_index(x: torch.Tensor, dim: int, *, keepdim: bool, last: bool) -> torch.Tensor:
    """Index of the largest value along `dim`: of several, the first or the last."""
    if not last:
        return torch.argmax(x, dim, keepdim=keepdim)
    return x.shape[dim] - 1 - torch.argmax(torch.flip(x, (dim,)), dim, keepdim=keepdim)


@one_call
def gather_elements(x: torch.Tensor, index: torch.Tensor, dim: int) -> torch.Tensor:
    """`torch.gather` where negative indices count from the end."""
    return torch.gather(x, dim, torch.where(index < 0, index + x.shape[dim], index))


@one_call
def take(x: torch.Tensor, index: torch.Tensor, dim: int) -> torch.Tensor:
    """Slices of `x` along `dim`, in the shape of `index`; negative ones count from the end."""
    flat = torch.where(index < 0, index + x.shape[dim], index).flatten()
    dim %= x.dim()
    shape = (*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])
    return torch.index_select(x, dim, flat).reshape(shape)


@one_call
def scatter_nd(
    x: torch.Tensor, index: torch.Tensor, updates: torch.Tensor, reduction: str
) -> torch.Tensor:
    """A copy of `x` with slices replaced by, or reduced with, those of `updates`."""
    count = index.shape[-1]
    rows = torch.zeros(index.shape[:-1], dtype=torch.int64, device=index.device)
    for i in range(count):
        part = index[..., i]
        rows = rows * x.shape[i] + torch.where(part < 0, part + x.shape[i], part)
    tail = x.shape[count:]
    flat = x.reshape(-1, *tail)
    source = updates.reshape(-1, *tail)
    where = rows.flatten()
    if reduction == "none":
        return flat.index_copy(0, where, source).reshape(x.shape)
    expanded = where.reshape(-1, *[1] * len(tail)).expand_as(source)
    return flat.scatter_reduce(0, expanded, source, reduction).reshape(x.shape)


@one_call
def gather_nd(x: torch.Tensor, index: torch.Tensor, batch: int) -> torch.Tensor:
    """Slices of `x` at the coordinates in the last dimension of `index`."""
    lead = x.shape[:batch]
    base = torch.arange(lead.numel(), device=x.device)
    base = base.reshape(*lead, *[1] * (index.dim() - 1 - batch))
    rows = base.expand(index.shape[:-1])
    count = index.shape[-1]
    for i in range(count):
        size = x.shape[batch + i]
        part = index[..., i]
        rows = rows * size + torch.where(part < 0, part + size, part)
    flat = x.reshape(-1, *x.shape[batch + count :])
    return flat[rows]


@one_call
def one_hot(
    index: torch.Tensor, depth: int, dim: int, off: float, on: float, dtype: torch.dtype
) -> torch.Tensor:
    """`on` at the index along a new dimension, `off` elsewhere and for indices out of range."""
    dim = dim % (index.dim() + 1)
    whole = index.to(torch.int64)
    whole = torch.where(whole < 0, whole + depth, whole).unsqueeze(dim)
    shape = [1] * (index.dim() + 1)
    shape[dim] = depth
    hit = whole == torch.arange(depth, device=index.device).reshape(shape)
    return torch.where(hit, on, off).to(dtype)


@one_call
def cumulative(
    x: torch.Tensor, dim: int, *, product: bool, exclusive: bool, reverse: bool
) -> torch.Tensor:
    """Running sum or product along `dim`."""
    if reverse:
        x = torch.flip(x, (dim,))
    if exclusive:
        first = torch.full_like(x.narrow(dim, 0, 1), int(product))
        x = torch.cat((first, x.narrow(dim, 0, x.shape[dim] - 1)), dim)
    run = torch.cumprod if product else torch.cumsum
    done = run(x, dim, dtype=x.dtype)
    return torch.flip(done, (dim,)) if reverse else done


@one_call
def reverse_sequences(
    x: torch.Tensor, lengths: torch.Tensor, batch: int, time: int
) -> torch.Tensor:
    """The first `lengths[b]` steps of each sequence in reverse order, the others as they are."""
    moved = x.movedim((batch, time), (0, 1))
    steps = torch.arange(moved.shape[1], device=x.device)
    order = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    order = order.reshape(*order.shape, *[1] * (moved.dim() - 2)).expand_as(moved)
    return torch.gather(moved, 1, order).movedim((0, 1), (batch, time))


@one_call
def quantized(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor | int,
    low: int,
    high: int,
    dtype: torch.dtype,
) -> torch.Tensor:
    """`x / scale + zero`, rounded half to even, as integers from `low` to `high`."""
    return torch.clamp(torch.round(x / scale) + zero, low, high).to(dtype)


@one_call
def dequantized(x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | int) -> torch.Tensor:
    """`(x - zero) * scale`."""
    return (x.to(torch.int32) - zero).to(scale.dtype) * scale


@one_call
def dynamically_quantized(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`x` as uint8 over its own range, which is made to hold 0; with scale and zero point."""
    low, high = torch.clamp(x.min(), max=0), torch.clamp(x.max(), min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.clamp(torch.round(-low / scale), 0, 255)
    y = torch.clamp(torch.round(x / scale) + zero, 0, 255).to(torch.uint8)
    return y, scale, zero.to(torch.uint8)


@one_call
def embedding(index: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Rows of `table`; negative indices count from its end."""
    return F.embedding(torch.where(index < 0, index + table.shape[0], index), table)


@one_call
def scatter_elements(
    x: torch.Tensor, index: torch.Tensor, updates: torch.Tensor, dim: int, reduction: str
) -> torch.Tensor:
    """A copy of `x` with numbers replaced by, or reduced with, those of `updates`."""
    where = torch.where(index < 0, index + x.shape[dim], index)
    if reduction == "none":
        return torch.scatter(x, dim, where, updates)
    return torch.scatter_reduce(x, dim, where, updates, reduction)


@one_call
def tensor_scatter(
    past: torch.Tensor, update: torch.Tensor, start: torch.Tensor, dim: int, *, circular: bool
) -> torch.Tensor:
    """A copy of `past` with `update` written from `start[batch]` on along `dim`."""
    steps = torch.arange(update.shape[dim], device=start.device)
    steps = start.to(torch.int64)[:, None] + steps
    steps = steps % past.shape[dim] if circular else steps
    shape = [1] * past.dim()
    shape[0], shape[dim] = steps.shape
    return torch.scatter(past, dim, steps.reshape(shape).expand_as(update), update)


@one_call
def top_k(
    x: torch.Tensor, count: int, dim: int, *, largest: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first `count` in order, and where they were; of equal ones, the first comes first."""
    values, index = torch.sort(x, dim=dim, descending=largest, stable=True)
    return values.narrow(dim, 0, count), index.narrow(dim, 0, count)


@one_call
def layer_norm_with_statistics(
    x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, dim: int, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Layer norm from dimension `dim` on, the mean, and one over the standard deviation."""
    dims = list(range(dim, x.dim()))
    mean = x.mean(dims, keepdim=True)
    centred = x - mean
    inverse = torch.rsqrt(centred.square().mean(dims, keepdim=True) + eps)
    made = centred * inverse * scale
    return (made if bias is None else made + bias), mean, inverse
