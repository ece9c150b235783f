"""Convolutions, matrix products and pooling."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ramiel_core.model.onnx import image_calls
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
CONVOLUTIONS = {1: (F.conv1d, nn.Conv1d), 2: (F.conv2d, nn.Conv2d), 3: (F.conv3d, nn.Conv3d)}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGES = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def window(call: Call, rank: int) -> tuple[list[int], list[int]]:
    """Strides and dilations of a convolution or a pooling."""
    strides = call.attribute("strides", [1] * rank)
    return strides, call.attribute("dilations", [1] * rank)


def pads_of(call: Call, sizes: list[int], kernel: list[int]) -> list[tuple[int, int]]:
    """What is added before and after each dimension."""
    rank = len(kernel)
    strides, dilations = window(call, rank)
    mode = call.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        pads = call.attribute("pads", [0] * 2 * rank) if mode == "NOTSET" else [0] * 2 * rank
        return list(zip(pads[:rank], pads[rank:], strict=True))
    found = []
    for size, side, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (side - 1) * dilation + 1
        total = max(0, (math.ceil(size / stride) - 1) * stride + reach - size)
        less, more = total // 2, total - total // 2
        found.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return found


def padded(x: Tensor, pads: list[tuple[int, int]], value: float = 0.0) -> tuple[Tensor, list[int]]:
    """`x` with what torch cannot pad itself, and what is left for it to pad."""
    if all(before == after >= 0 for before, after in pads):
        return x, [before for before, _ in pads]
    flat = [n for pair in reversed(pads) for n in pair]
    return F.pad(x, flat, value=value), [0] * len(pads)


@operator("Conv")
def _conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rank = x.dim() - 2
    if rank not in CONVOLUTIONS:
        raise call.refuse(f"has {rank} dimensions, where torch convolves up to three")
    kernel = list(weight.shape[2:])
    strides, dilations = window(call, rank)
    x, padding = padded(x, pads_of(call, list(x.shape[2:]), kernel))
    groups = call.attribute("group", 1)
    function, layer = CONVOLUTIONS[rank]
    if call.recorder.is_live(weight) or call.recorder.is_live(bias):
        return function(x, weight, bias, strides, padding, dilations, groups)
    how = (tuple(kernel), tuple(strides), tuple(padding), tuple(dilations), groups)
    sizes = (weight.shape[1] * groups, weight.shape[0], *how)
    made: Tensor = call.recorder.layer(
        layer, x, *sizes, {"bias": bias is not None}, weight=weight, bias=bias
    )
    return made


@operator("ConvTranspose")
def _conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rank = x.dim() - 2
    if rank not in TRANSPOSED:
        raise call.refuse(f"has {rank} dimensions, where torch convolves up to three")
    kernel = call.attribute("kernel_shape", list(weight.shape[2:]))
    strides, dilations = window(call, rank)
    extra = call.attribute("output_padding", [0] * rank)
    shape = call.attribute("output_shape")
    full = [
        (size - 1) * stride + (side - 1) * dilation + 1 + more
        for size, stride, side, dilation, more in zip(
            x.shape[2:], strides, kernel, dilations, extra, strict=True
        )
    ]
    mode = call.attribute("auto_pad", "NOTSET")
    if shape is None and mode.startswith("SAME"):
        shape = [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
    if shape is None:
        pads = call.attribute("pads", [0] * 2 * rank)
        cut = list(zip(pads[:rank], pads[rank:], strict=True))
    else:
        shape = list(shape)[-rank:]
        totals = [size - wanted for size, wanted in zip(full, shape, strict=True)]
        cut = [(t // 2, t - t // 2) for t in totals]
        if mode != "SAME_UPPER":
            cut = [(more, less) for less, more in cut]
    function, groups = TRANSPOSED[rank], call.attribute("group", 1)
    if all(a == b >= 0 for a, b in cut):
        fits = all(e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True))
        if fits:
            padding = [a for a, _ in cut]
            return function(x, weight, bias, strides, padding, extra, groups, dilations)
    made = function(x, weight, bias, strides, 0, 0, groups, dilations)
    bare = made.shape[2:]
    flat = [
        n
        for (before, after), size, wanted in reversed(list(zip(cut, bare, full, strict=True)))
        for n in (-before, wanted - size - after)
    ]
    return F.pad(made, flat)


@operator("DeformConv")
def _deform_conv(
    call: Call,
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    pads = pads_of(call, list(x.shape[2:]), list(weight.shape[2:]))
    x, padding = padded(x, pads)
    strides, dilations = window(call, 2)
    return image_calls.deform_conv(x, offset, weight, bias, strides, padding, dilations, mask)


@operator("MatMul")
def _matmul(call: Call, a: Tensor, b: Tensor) -> Tensor:
    live = call.recorder.is_live
    if live(a) and not live(b) and b.dim() == 2 and a.dim() > 1 and b.is_floating_point():
        made: Tensor = _linear(call, a, b.T, None, b)
        return made
    return torch.matmul(a, b)


def _linear(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None, named: Tensor) -> Any:
    call.recorder.name(weight, call.recorder.path_of(named))
    sizes = (weight.shape[1], weight.shape[0], {"bias": bias is not None})
    return call.recorder.layer(nn.Linear, x, *sizes, weight=weight, bias=bias)


@operator("Gemm")
def _gemm(call: Call, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    alpha, beta = call.attribute("alpha", 1.0), call.attribute("beta", 1.0)
    left = torch.transpose(a, 0, 1) if call.attribute("transA", 0) else a
    turned = call.attribute("transB", 0)
    live = call.recorder.is_live
    simple = alpha == beta == 1 and not live(b) and (c is None or (not live(c) and c.dim() == 1))
    if (
        simple
        and live(a)
        and b.is_floating_point()
        and (c is None or c.shape[0] == b.shape[not turned])
    ):
        made: Tensor = _linear(call, left, b if turned else b.T, c, b)
        return made
    product = torch.matmul(left, torch.transpose(b, 0, 1) if turned else b)
    if not b.is_floating_point():
        alpha, beta = int(alpha), int(beta)
    product = product if alpha == 1 else torch.mul(product, alpha)
    if c is None:
        return product
    return torch.add(product, c if beta == 1 else torch.mul(c, beta))


# --- pooling --------------------------------------------------------------------------------


def _ceil_pads(
    call: Call, sizes: list[int], kernel: list[int], pads: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Paddings under which rounding down gives the number of windows that ceil_mode asks for."""
    strides, dilations = window(call, len(kernel))
    found = []
    for size, side, stride, dilation, (before, after) in zip(
        sizes, kernel, strides, dilations, pads, strict=True
    ):
        reach = (side - 1) * dilation + 1
        windows = math.ceil((size + before + after - reach) / stride) + 1
        if (windows - 1) * stride >= size + before:  # it would start behind everything
            windows -= 1
        found.append((before, (windows - 1) * stride + reach - size - before))
    return found


@operator("MaxPool")
def _max_pool(call: Call, x: Tensor) -> Any:
    kernel, rank = call.attribute("kernel_shape"), x.dim() - 2
    strides, dilations = window(call, rank)
    sizes = list(x.shape[2:])
    pads = pads_of(call, sizes, kernel)
    ceil = bool(call.attribute("ceil_mode", 0))
    even = all(a == b and 2 * a <= k for (a, b), k in zip(pads, kernel, strict=True))
    if call.outputs() > 1:
        return _max_pool_with_index(call, x, kernel, pads)
    function = MAX_POOLS[rank]
    dtype = x.dtype
    if not dtype.is_floating_point:
        x = x.to(torch.float64 if dtype.itemsize > 2 else torch.float32)  # exact, and has kernels
    if even:
        padding = tuple(a for a, _ in pads)
        how = (tuple(kernel), tuple(strides), padding, tuple(dilations))
        if rank == 2 and dtype is torch.float32:
            made: Tensor = call.recorder.layer(nn.MaxPool2d, x, *how, {"ceil_mode": ceil})
            return made
        made = function(x, *how, ceil_mode=ceil)
    else:
        pads = _ceil_pads(call, sizes, kernel, pads) if ceil else pads
        flat = [n for pair in reversed(pads) for n in pair]
        made = function(F.pad(x, flat, value=float("-inf")), kernel, strides, 0, dilations)
    return made if made.dtype is dtype else made.to(dtype)


def _max_pool_with_index(
    call: Call, x: Tensor, kernel: list[int], pads: list[tuple[int, int]]
) -> Any:
    if any(a != b for a, b in pads):
        raise call.refuse("pads its two sides differently and returns indices")
    strides, dilations = window(call, len(kernel))
    padding, ceil = [a for a, _ in pads], bool(call.attribute("ceil_mode", 0))
    rows = bool(call.attribute("storage_order", 0))
    return image_calls.max_pool_with_index(
        x, kernel, strides, padding, dilations, ceil, column_major=rows
    )


@operator("AveragePool")
def _average_pool(call: Call, x: Tensor) -> Tensor:
    kernel, rank = call.attribute("kernel_shape"), x.dim() - 2
    strides, dilations = window(call, rank)
    sizes = list(x.shape[2:])
    pads = pads_of(call, sizes, kernel)
    ceil, counted = (
        bool(call.attribute("ceil_mode", 0)),
        bool(call.attribute("count_include_pad", 0)),
    )
    even = all(a == b and 2 * a <= k for (a, b), k in zip(pads, kernel, strict=True))
    if even and set(dilations) == {1}:
        padding = [a for a, _ in pads]
        return AVERAGES[rank](x, kernel, strides, padding, ceil, counted)
    wider = _ceil_pads(call, sizes, kernel, pads) if ceil else pads
    # Each window's sum over the numbers that count, by convolutions with a kernel of ones.
    call.recorder.allow((*x.shape[2:],), x.dtype)
    flat = [n for pair in reversed(wider) for n in pair]
    ones = torch.ones(1, 1, *kernel, dtype=x.dtype)
    space = torch.ones(1, 1, *sizes, dtype=x.dtype)
    if counted:
        inner = [n for pair in reversed(pads) for n in pair]
        rest = [a - b for a, b in zip(flat, inner, strict=True)]
        space = F.pad(F.pad(space, inner, value=1.0), rest)
    else:
        space = F.pad(space, flat)
    convolve = CONVOLUTIONS[rank][0]
    count = convolve(space, ones, None, strides, 0, dilations)
    flattened = torch.reshape(
        F.pad(x, flat), (-1, 1, *(s + a + b for s, (a, b) in zip(sizes, wider, strict=True)))
    )
    sums = convolve(flattened, ones, None, strides, 0, dilations)
    return torch.reshape(torch.div(sums, count), (*x.shape[:2], *sums.shape[2:]))


@operator("LpPool")
def _lp_pool(call: Call, x: Tensor) -> Tensor:
    kernel, rank = call.attribute("kernel_shape"), x.dim() - 2
    strides, dilations = window(call, rank)
    pads = pads_of(call, list(x.shape[2:]), kernel)
    if call.attribute("ceil_mode", 0):
        pads = _ceil_pads(call, list(x.shape[2:]), kernel, pads)
    flat = [n for pair in reversed(pads) for n in pair]
    x = F.pad(x, flat) if any(flat) else x
    return image_calls.lp_pool(x, call.attribute("p", 2), kernel, strides, dilations)


@operator("GlobalAveragePool")
def _global_average_pool(_: Call, x: Tensor) -> Tensor:
    if x.dim() == 4:
        return F.adaptive_avg_pool2d(x, (1, 1))
    return torch.mean(x, list(range(2, x.dim())), keepdim=True)


@operator("GlobalMaxPool")
def _global_max_pool(_: Call, x: Tensor) -> Tensor:
    return torch.amax(x, list(range(2, x.dim())), keepdim=True)


@operator("GlobalLpPool")
def _global_lp_pool(call: Call, x: Tensor) -> Tensor:
    dims = list(range(2, x.dim()))
    return torch.linalg.vector_norm(x, call.attribute("p", 2), dims, keepdim=True)


@operator("MaxUnpool")
def _max_unpool(call: Call, x: Tensor, index: Tensor, *_: Any) -> Tensor:
    kernel, rank = call.attribute("kernel_shape"), x.dim() - 2
    strides, _dilations = window(call, rank)
    pads = call.attribute("pads", [0] * 2 * rank)
    natural = [
        (n - 1) * s - a - b + k
        for n, s, a, b, k in zip(
            x.shape[2:], strides, pads[:rank], pads[rank:], kernel, strict=True
        )
    ]
    wanted = call.numbers(2, default=[*x.shape[:2], *natural])
    if list(wanted[2:]) != natural:  # indices are those of the natural size
        made = image_calls.unpooled(x, index, (*x.shape[:2], *natural))
        flat = [
            n
            for size, want in reversed(list(zip(natural, wanted[2:], strict=True)))
            for n in (0, want - size)
        ]
        return F.pad(made, flat)
    return image_calls.unpooled(x, index, tuple(wanted))
