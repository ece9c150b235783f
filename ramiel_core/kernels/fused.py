"""The calls of the `fused` family, and what a worker prepares for them.

A convolution, a pooling or a linear layer, with what is fused into it, is a graph of oneDNN inside
torch: batch norm folded into its weights, channels_last outside, compiled by the worker for the
thread count that runs it, which packs the weights. No C++ compiler is needed.

torch's own calls of oneDNN (`torch.ops.mkldnn`) describe each convolution anew at every call, 15 µs
here however small it is, and its own poolings take two to six times as long. A 1x1 convolution over
channels_last memory is a matrix product, which is faster for few pixels: `gemm` exists beside
`conv2d`, each is measured, and the faster one is kept. So it is with a linear layer of one row,
where oneDNN shares the reading of a large weight between threads, which torch's own does not, and
gains nothing on a small one. Batch norms that follow no convolution, DenseNet's, are one product
and sum a channel: with its activation half the time of torch's two operators.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ramiel_core.ir import Recipe
from ramiel_core.kernels.onednn import compiled
from ramiel_core.kernels.statements import COMPILING

TOLERANCE = 1e-4
"""Largest difference from eager, as a share of the largest output: folding batch norm and other
orders of summation change the last bits, measured 1e-7 to 5e-6 on torchvision's models."""

Pair = tuple[int, int]
Primitive = Callable[..., torch.Tensor]  # what oneDNN has compiled, for one shape of its inputs
Matrix = tuple[torch.Tensor, torch.Tensor | None]
Pairs = tuple[torch.Tensor, torch.Tensor]

_addmm_relu: Any = torch._addmm_activation  # noqa: SLF001

THEN: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
}
"""What may follow a convolution, a matrix product or a batch norm."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Compiled(Recipe):
    """What one operator computes, to be compiled by oneDNN for the shapes of what it reads."""

    layout = torch.channels_last  # of what it reads

    reads: tuple[tuple[int, ...], ...]

    @property
    @abstractmethod
    def name(self) -> str:
        """What a reader of the program has to know of it."""

    @abstractmethod
    def plain(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """The same by torch's own operators: what is compiled."""

    def build(self, threads: int) -> Primitive:  # noqa: ARG002 - torch's own setting decides
        """Compiled for the threads that are set now."""
        with COMPILING:
            return compiled(self.plain, tuple(map(self._example, self.reads)))

    def stand_in(self) -> Primitive:
        """Not compiled: for one run, that takes longer than it saves."""
        return self.plain

    def _example(self, shape: tuple[int, ...]) -> torch.Tensor:
        """In another layout than the call hands over, TorchScript falls back to torch's own."""
        return torch.zeros(shape).contiguous(memory_format=self.layout)


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2d(Compiled):
    """A convolution, and what is added to it where it reads something else."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    then: str

    @property
    def name(self) -> str:
        """As in `7x7_stride2_pad3_relu`."""
        height, width = self.weight.shape[2:]
        words = _settings((height, width), self.stride, self.padding, self.dilation)
        groups = f"groups{self.groups}" if self.groups > 1 else ""
        return _joined(words, groups, _after(self.then))

    def plain(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """Convolution, sum and activation."""
        made = torch.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )
        return THEN[self.then](made + others[0] if others else made)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool2d(Compiled):
    """The maximum over windows."""

    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil_mode: bool

    @property
    def name(self) -> str:
        """As in `3x3_stride2_rounded_up`."""
        words = _settings(self.kernel_size, self.stride, self.padding, self.dilation)
        return _joined(words, "rounded_up" if self.ceil_mode else "")

    def plain(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        """The pooling."""
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class AvgPool2d(Compiled):
    """The mean over windows, of their padding too where that counts."""

    kernel_size: Pair
    stride: Pair
    padding: Pair
    count_include_pad: bool

    @property
    def name(self) -> str:
        """As in `3x3_pad1_inside`."""
        words = _settings(self.kernel_size, self.stride, self.padding, (1, 1))
        return _joined(words, "" if self.count_include_pad else "inside")

    def plain(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        """The pooling."""
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            count_include_pad=self.count_include_pad,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(Compiled):
    """A linear layer."""

    layout = torch.contiguous_format

    weight: torch.Tensor
    bias: torch.Tensor | None
    then: str

    @property
    def name(self) -> str:
        """As in `linear_gelu`."""
        return _joined("linear", _after(self.then))

    def plain(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        """Product and activation."""
        return THEN[self.then](F.linear(x, self.weight, self.bias))


class Unpacked(Linear):
    """The same by torch's own product, of the weight as it lies."""

    @property
    def name(self) -> str:
        """As in `linear_unpacked_gelu`."""
        return _joined("linear_unpacked", _after(self.then))

    def build(self, threads: int) -> Primitive:  # noqa: ARG002
        """Nothing to prepare."""
        return self.plain


@dataclass(frozen=True, eq=False)
class Columns(Recipe):
    """Weight [out, in] of a matrix product, to be stored [in, out]: nothing to transpose later."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    name = "columns"

    def build(self, threads: int) -> Matrix:  # noqa: ARG002
        """Weight [in, out], bias."""
        return self.weight.t().contiguous(), self.bias


@dataclass(frozen=True, eq=False)
class Affine(Recipe):
    """A batch norm that follows no convolution: each channel times one number, plus another."""

    scale: torch.Tensor  # [1, channels, 1, 1], and so is `shift`
    shift: torch.Tensor
    name = "scale_and_shift"

    def build(self, threads: int) -> Pairs:  # noqa: ARG002
        """Scale and shift."""
        return self.scale, self.shift


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """`x` [N, C, H, W] with its channels next to each other in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def conv2d(x: torch.Tensor, w: Primitive) -> torch.Tensor:
    """Convolution and activation."""
    return w(channels_last(x))


def conv2d_add(x: torch.Tensor, other: torch.Tensor, w: Primitive) -> torch.Tensor:
    """Convolution, plus `other`, and an activation: the end of a residual block."""
    return w(channels_last(x), channels_last(other))


def max_pool2d(x: torch.Tensor, w: Primitive) -> torch.Tensor:
    """Maximum over windows; unlike torch's it takes NaN for the least of all numbers."""
    return w(channels_last(x))


def avg_pool2d(x: torch.Tensor, w: Primitive) -> torch.Tensor:
    """Mean over windows."""
    return w(channels_last(x))


def linear(x: torch.Tensor, w: Primitive) -> torch.Tensor:
    """`F.linear` over the last dimension, and an activation."""
    return w(x.contiguous())


def batch_norm(x: torch.Tensor, w: Pairs, then: str = "none") -> torch.Tensor:
    """Batch norm of constant statistics, and an activation."""
    scale, shift = w
    made = torch.addcmul(shift, channels_last(x), scale)
    return made.relu_() if then == "relu" else THEN[then](made)


def gemm(x: torch.Tensor, w: Matrix, stride: Pair, then: str = "none") -> torch.Tensor:
    """A 1x1 convolution as one matrix product over pixels."""
    rows, image = _rows(x, stride)
    weight, bias = w
    if then == "relu" and bias is not None:
        return _as_image(_addmm_relu(bias, rows, weight), image)
    product = rows @ weight if bias is None else torch.addmm(bias, rows, weight)
    return _as_image(THEN[then](product), image)


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


def _settings(kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> str:
    """Of windows that slide over an image, without what is usual."""
    usual = {"stride": (stride, (1, 1)), "pad": (padding, (0, 0)), "dilation": (dilation, (1, 1))}
    others = (f"{word}{_size(found)}" for word, (found, none) in usual.items() if found != none)
    return _joined(f"{kernel[0]}x{kernel[1]}", *others)


def _size(both: Pair) -> str:
    return str(both[0]) if both[0] == both[1] else f"{both[0]}x{both[1]}"


def _after(then: str) -> str:
    return "" if then == "none" else then


def _joined(*words: str) -> str:
    return "_".join(filter(None, words))
