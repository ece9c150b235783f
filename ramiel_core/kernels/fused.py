"""The calls of the `fused` family, and the packed weights that they take.

Convolutions run through oneDNN's `_convolution_pointwise` (private in torch, so behind this one
file): batch norm folded into the weights, activation and residual add fused, channels_last, and
weights packed by the worker for the thread count that runs them. No compiler is needed.

oneDNN describes each convolution anew at every call, which costs about 60 µs here however small
it is. A 1x1 convolution over channels_last memory is a matrix product, whose libraries do not do
that, so `gemm`, `banded_gemm` and `packed_gemm` exist beside `conv2d`: each is measured, the
fastest is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from ramiel_core.ir import Recipe

TOLERANCE = 1e-4
"""Largest difference from eager, as a share of the largest output: folding batch norm and other
orders of summation change the last bits, measured 1e-7 to 5e-6 on torchvision's models."""

Pair = tuple[int, int]
Packed = tuple[torch.Tensor, torch.Tensor | None]
PackedRows = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, int]
Range = tuple[int, int]  # first element, and how many there are from it to the last

_pointwise: Any = torch.ops.mkldnn._convolution_pointwise.default  # noqa: SLF001
_pointwise_add: Any = torch.ops.mkldnn._convolution_pointwise.binary  # noqa: SLF001
_reorder: Any = vars(torch._C._nn)["mkldnn_reorder_conv2d_weight"]  # noqa: SLF001
_mkl: Any = torch.ops.mkl
_addmm_relu: Any = torch._addmm_activation  # noqa: SLF001

# What may follow a convolution or a matrix product: oneDNN's name and arguments, and torch's own
# function, which works in place on the fresh result.
THEN: Mapping[str, tuple[tuple[str, list[float]], Callable[[torch.Tensor], Any]]] = {
    "none": (("none", []), lambda x: x),
    "relu": (("relu", []), F.relu_),
    "relu6": (("hardtanh", [0.0, 6.0]), lambda x: F.hardtanh_(x, 0.0, 6.0)),
    "silu": (("swish", []), lambda x: F.silu(x, inplace=True)),
    "hardswish": (("hardswish", []), lambda x: F.hardswish(x, inplace=True)),
    "hardsigmoid": (("hardsigmoid", []), lambda x: F.hardsigmoid(x, inplace=True)),
    "sigmoid": (("sigmoid", []), torch.sigmoid_),
    "gelu": (("gelu", []), F.gelu),
}


@dataclass(frozen=True, eq=False)
class ConvWeights(Recipe):
    """Weight and bias of a convolution, to be packed for one input shape."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    input_shape: tuple[int, ...]

    def build(self, threads: int) -> Packed:  # noqa: ARG002 - torch's own setting decides
        """Weight in the layout that oneDNN prefers at the threads that are set now; bias."""
        how = (self.padding, self.stride, self.dilation, self.groups, list(self.input_shape))
        return _reorder(self.weight.detach().to_mkldnn(), *how), _plain(self.bias)


@dataclass(frozen=True, eq=False)
class Columns(Recipe):
    """Weight [out, in] of a matrix product, to be stored [in, out]: nothing to transpose later."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def build(self, threads: int) -> Packed:  # noqa: ARG002
        """Weight [in, out], bias."""
        return self.weight.detach().t().contiguous(), _plain(self.bias)


@dataclass(frozen=True, eq=False)
class PackedColumns(Recipe):
    """Weight [out, in] of a matrix product, to be packed by MKL for a number of rows."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    rows: int

    def build(self, threads: int) -> PackedRows:  # noqa: ARG002
        """Packed weight, the plain one, bias, rows."""
        weight = self.weight.detach().contiguous()
        packed = _mkl._mkl_reorder_linear_weight(weight, self.rows)  # noqa: SLF001
        return packed, weight, _plain(self.bias), self.rows


def _plain(bias: torch.Tensor | None) -> torch.Tensor | None:
    return None if bias is None else bias.detach().contiguous()


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """`x` [N, C, H, W] with its channels next to each other in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def conv2d(
    x: torch.Tensor,
    w: Packed,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    then: str = "none",
) -> torch.Tensor:
    """Convolution and activation in one oneDNN primitive."""
    name, scalars = THEN[then][0]
    x = channels_last(x)
    result: torch.Tensor = _pointwise(
        x, *w, padding, stride, dilation, groups, name, scalars, "none" if name == "gelu" else ""
    )
    return result


def conv2d_add(
    x: torch.Tensor,
    other: torch.Tensor,
    w: Packed,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    then: str = "none",
) -> torch.Tensor:
    """Convolution, plus `other`, and a ReLU or nothing: the end of a residual block."""
    x, other = channels_last(x), channels_last(other)
    unary = None if then == "none" else then
    result: torch.Tensor = _pointwise_add(
        x, other, *w, padding, stride, dilation, groups, "add", 1.0, unary, [], ""
    )
    return result


def gemm(x: torch.Tensor, w: Packed, stride: Pair, then: str = "none") -> torch.Tensor:
    """A 1x1 convolution as one matrix product over pixels."""
    rows, image = _rows(x, stride)
    weight, bias = w
    if then == "relu" and bias is not None:
        return _as_image(_addmm_relu(bias, rows, weight), image)
    product = rows @ weight if bias is None else torch.addmm(bias, rows, weight)
    return _as_image(THEN[then][1](product), image)


def banded_gemm(x: torch.Tensor, w: Packed, stride: Pair, then: str = "none") -> torch.Tensor:
    """The same as one product for each thread, of the pixels next to each other that it takes.

    Threads that share one product may share it by columns, and then each reads and packs all of
    the pixels, part of which another core has computed and holds in its caches.
    """
    rows, image = _rows(x, stride)
    weight, bias = w
    bands = math.gcd(len(rows), torch.get_num_threads())
    images = rows.view(bands, len(rows) // bands, -1)
    weights = weight.expand(bands, -1, -1)
    if bias is None:
        product = torch.bmm(images, weights)
    else:
        product = torch.baddbmm(bias.expand(*images.shape[:2], -1), images, weights)
    return _as_image(THEN[then][1](product), image)


def packed_gemm(x: torch.Tensor, w: PackedRows, stride: Pair, then: str = "none") -> torch.Tensor:
    """The same with a weight that MKL has packed."""
    rows, image = _rows(x, stride)
    packed, weight, bias, count = w
    product = _mkl._mkl_linear(rows, packed, weight, bias, count)  # noqa: SLF001
    return _as_image(THEN[then][1](product), image)


def packed_linear(x: torch.Tensor, w: PackedRows, then: str = "none") -> torch.Tensor:
    """`F.linear` over the last dimension with a weight that MKL has packed."""
    packed, weight, bias, count = w
    rows = x.reshape(count, -1)
    product = _mkl._mkl_linear(rows, packed, weight, bias, count)  # noqa: SLF001
    result: torch.Tensor = THEN[then][1](product).view(*x.shape[:-1], -1)
    return result


def _rows(x: torch.Tensor, stride: Pair) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """Pixels of `x` [N, C, H, W] as rows [N*H*W, C], after striding; N, H, W.

    One view in place of a permuted and reshaped one, as each call of torch takes 2 to 7 µs where
    its code has left the caches since the last one.
    """
    if stride != (1, 1):
        x = x[:, :, :: stride[0], :: stride[1]]
    n, c, h, w = x.shape
    return channels_last(x).as_strided((n * h * w, c), (c, 1)), (n, h, w)


def _as_image(product: torch.Tensor, image: tuple[int, int, int]) -> torch.Tensor:
    """Rows of pixels, dense in memory, as [N, C, H, W]."""
    n, h, w = image
    c = product.shape[-1]
    return product.as_strided((n, c, h, w), (h * w * c, 1, w * c, c))


def max_pool(x: torch.Tensor, kernel: Pair, stride: Pair, padding: Pair, out: Pair) -> torch.Tensor:
    """Max pooling first along columns, then along rows, each as elementwise maxima of slices.

    The same values as `F.max_pool2d`, which also notes where each maximum was: half its time
    here. `out` is the size [H, W] of the result.
    """
    down = _slide(x, 2, kernel[0], stride[0], padding[0], out[0])
    return _slide(down, 3, kernel[1], stride[1], padding[1], out[1])


def _slide(
    x: torch.Tensor, dim: int, kernel: int, stride: int, padding: int, size: int
) -> torch.Tensor:
    """Maximum over windows along `dim`; element `i * stride` has to exist for each window i."""
    whole, edges = _places(x.shape[dim], kernel, stride, padding, size)
    first, *others = (_every(x, dim, *elements, stride) for elements in whole)
    best = torch.maximum(first, others.pop(0)) if others else first.clone()
    for part in others:
        torch.maximum(best, part, out=best)
    for windows, elements in edges:
        window = best.narrow(dim, *windows)
        torch.maximum(window, _every(x, dim, *elements, stride), out=window)
    return best


@cache
def _places(
    length: int, kernel: int, stride: int, padding: int, size: int
) -> tuple[list[Range], list[tuple[Range, Range]]]:
    """For each place in a window, what lies there: in every window; in some, and in which."""
    whole, edges = [], []
    for offset in range(-padding, kernel - padding):
        low = max(0, -(offset // stride))  # first and last window for which it lies inside
        high = min(size, (length - 1 - offset) // stride + 1)
        if high <= low:
            continue
        elements = (low * stride + offset, (high - low - 1) * stride + 1)
        if high - low == size:
            whole.append(elements)
        else:
            edges.append(((low, high - low), elements))
    return whole, edges


def _every(x: torch.Tensor, dim: int, first: int, length: int, step: int) -> torch.Tensor:
    """Every `step`-th of some elements along `dim`."""
    part = x.narrow(dim, first, length)
    return part if step == 1 else part[(slice(None),) * dim + (slice(None, None, step),)]
