"""What imported operators on images and signals call: see `calls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ramiel_core.model.onnx.calls import one_call


@one_call
def local_response(
    x: torch.Tensor, size: int, alpha: float, beta: float, bias: float
) -> torch.Tensor:
    """Local response normalisation over channels."""
    square = F.pad(x.square().unsqueeze(1).flatten(3), (0, 0, (size - 1) // 2, size // 2))
    sums = square.unfold(2, size, 1).sum(-1).reshape(x.shape)
    return x / (bias + alpha / size * sums) ** beta


@one_call
def unpooled(x: torch.Tensor, index: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Values of `x` at their flat index in a tensor of zeros."""
    size = 1
    for side in shape:
        size *= side
    return (
        torch.zeros(size, dtype=x.dtype, device=x.device)
        .index_copy(0, index.flatten(), x.flatten())
        .reshape(shape)
    )


@one_call
def interpolated(x: torch.Tensor, *weights: tuple[int, torch.Tensor]) -> torch.Tensor:
    """Each dimension named is mapped by a matrix (new size, old size)."""
    for dim, matrix in weights:
        x = torch.tensordot(x, matrix.to(x.dtype), ([dim], [1])).movedim(-1, dim)
    return x


@one_call
def max_pool_with_index(
    x: torch.Tensor,
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[int],
    dilations: Sequence[int],
    ceil: bool,  # noqa: FBT001 - as torch's own
    *,
    column_major: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Largest values, and where they lie in the whole flattened input."""
    pool: Any = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(kernel)]
    values, index = pool(
        x if x.is_floating_point() else x.double(),
        kernel,
        strides,
        padding,
        dilations,
        ceil_mode=ceil,
        return_indices=True,
    )
    space = x.shape[2:].numel()
    if column_major:
        index = index % x.shape[-1] * x.shape[-2] + index // x.shape[-1]
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device)
    planes = planes.reshape(*x.shape[:2], *[1] * len(kernel))
    return values.to(x.dtype), index + planes * space


@one_call
def lp_pool(
    x: torch.Tensor,
    power_: int,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> torch.Tensor:
    """The p-norm of each window."""
    ones = torch.ones(1, 1, *kernel, dtype=x.dtype, device=x.device)
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel)]
    flat = (x.abs() ** power_).reshape(-1, 1, *x.shape[2:])
    sums = convolve(flat, ones, None, strides, 0, dilations)
    return (sums ** (1 / power_)).reshape(*x.shape[:2], *sums.shape[2:])


@one_call
def deform_conv(
    x: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    strides: Sequence[int],
    padding: Sequence[int],
    dilations: Sequence[int],
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Deformable convolution, by torchvision."""
    from torchvision.ops import deform_conv2d

    made: torch.Tensor = deform_conv2d(
        x, offset, weight, bias, tuple(strides), tuple(padding), tuple(dilations), mask
    )
    return made


@one_call
def roi_align(
    x: torch.Tensor,
    boxes: torch.Tensor,
    batch: torch.Tensor,
    size: tuple[int, int],
    scale: float,
    ratio: int,
    *,
    aligned: bool,
) -> torch.Tensor:
    """The average of each cell of each region, by torchvision."""
    from torchvision.ops import roi_align as by_torchvision

    regions = torch.cat((batch.to(boxes.dtype)[:, None], boxes), 1)
    made: torch.Tensor = by_torchvision(x, regions, size, scale, ratio or -1, aligned)
    return made


@one_call
def fourier(
    x: torch.Tensor, length: int | None, dim: int, *, inverse: bool, half: bool
) -> torch.Tensor:
    """Discrete Fourier transform of numbers whose parts stand in the last dimension."""
    x = x.contiguous()
    signal = x.squeeze(-1) if x.shape[-1] == 1 else torch.view_as_complex(x)
    if inverse and half:
        return torch.fft.irfft(signal, length, dim).unsqueeze(-1)
    done = (torch.fft.ifft if inverse else torch.fft.fft)(signal, length, dim)
    if half:
        done = done.narrow(dim, 0, done.shape[dim] // 2 + 1)
    return torch.view_as_real(done)


@one_call
def short_fourier(
    x: torch.Tensor, step: int, window: torch.Tensor | None, length: int, *, half: bool
) -> torch.Tensor:
    """Fourier transforms of frames `step` apart: (batch, frames, frequencies, 2)."""
    if x.dim() == 3 and x.shape[-1] == 2:
        signal = torch.view_as_complex(x.contiguous())
    else:
        signal = x.squeeze(-1) if x.dim() == 3 else x
    frames = signal.unfold(1, length, step)
    if window is not None:
        frames = frames * window
    done = torch.fft.rfft(frames) if half else torch.fft.fft(frames)
    return torch.view_as_real(done)
