"""Small models, each with something that the fused family has to see, or to leave alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

IMAGE = (1, 8, 12, 12)


def batch_norm(channels: int, *, affine: bool = True) -> nn.BatchNorm2d:
    """With statistics that are not the identity."""
    norm = nn.BatchNorm2d(channels, affine=affine)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    if affine:
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    return norm


def conv(i: int, o: int, kernel: int, **how) -> list[nn.Module]:
    """Convolution and batch norm."""
    return [nn.Conv2d(i, o, kernel, bias=False, **how), batch_norm(o)]


class Residual(nn.Module):
    """A block with a skip, and one whose skip is a convolution of its own."""

    def __init__(self, *, projected: bool):
        super().__init__()
        self.body = nn.Sequential(*conv(8, 8, 3, padding=1), nn.ReLU(), *conv(8, 8, 3, padding=1))
        self.skip = nn.Sequential(*conv(8, 8, 1)) if projected else nn.Identity()

    def forward(self, x):
        y = self.body(x)
        y += self.skip(x)
        return F.relu(y)


class Shuffle(nn.Module):
    """Channels that are shuffled lose channels_last on the way."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 16, 1), nn.Conv2d(16, 8, 1)

    def forward(self, x):
        y = self.one(x).view(1, 2, 8, 12, 12).transpose(1, 2).contiguous().view(1, 16, 12, 12)
        return self.two(y)


class Indexed(nn.Module):
    """A pool that tells where its values come from."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        values, where = self.pool(x)
        return values + where


class Twice(nn.Module):
    """A convolution whose value has two readers keeps its activation apart."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        y = self.conv(x)
        return F.relu(y) + y


class Overwritten(nn.Module):
    """What a layer has read is written over before its activation."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.first, self.layer = nn.Conv2d(8, 8, 1), layer

    def forward(self, x):
        x = self.first(x)
        y = self.layer(x)
        x.relu_()
        return F.relu(y) + x


class Functional(nn.Module):
    """What imported models look like: functions on weights, no layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*conv(8, 16, 3), nn.Linear(5, 3))

    def forward(self, x):
        one, norm, last = self.layers
        y = F.conv2d(x, one.weight, None, stride=[1, 1])
        y = F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        y = F.max_pool2d(torch.relu(y), 2)
        return F.linear(y, last.weight, last.bias)


class Clamped(nn.Module):
    """What exporters make of ReLU6, and a clamp that is none."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return torch.clamp(self.two(torch.clamp(self.one(x), 0.0, 6.0)), 0.0, 5.0)


class Computed(nn.Module):
    """A weight that is computed cannot be packed."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 8, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight * 2)


class Checked(nn.Module):
    """Asserts what it is given, as timm's batch norms do."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = conv(8, 4, 3)
        self.drop = nn.Sequential(nn.Dropout(), nn.Identity())

    def forward(self, x):
        y = self.conv(x)
        torch._assert(y.ndim == 4, f"not {y.ndim}")
        torch._assert(y.size(1) >= 1, "empty")
        return F.relu(self.drop(self.norm(y)))


class Padded(nn.Module):
    """Pads by an operator of its own, as models do that were made for another library."""

    def __init__(
        self, layer: nn.Module, pad: list[int], fill: float = 0.0, *, kwargs: bool = False
    ):
        super().__init__()
        self.layer, self.pad, self.fill, self.kwargs = layer, pad, fill, kwargs

    def forward(self, x):
        if self.kwargs:
            return self.layer(F.pad(x, pad=self.pad, value=self.fill))
        return self.layer(F.pad(x, self.pad, "constant", self.fill))


class Averaged(nn.Module):
    """Global average pooling as a function, beside layers."""

    def __init__(self, size: int):
        super().__init__()
        self.conv, self.size = nn.Conv2d(8, 4, (3, 2)), size

    def forward(self, x):
        return F.adaptive_avg_pool2d(self.conv(x), self.size)


class AveragedTo(nn.Module):
    """An average of as many pixels as another value happens to have."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, stride=2)

    def forward(self, x):
        y = self.conv(x)
        return F.adaptive_avg_pool2d(x, y.shape[-2:]) + y


class PooledBy(nn.Module):
    """A max pooling whose windows are as large as another value happens to be."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 11)

    def forward(self, x):
        return F.max_pool2d(x, self.conv(x).shape[-2:])


MODELS: dict[str, Callable[[], nn.Module]] = {
    "batch norm and relu": lambda: nn.Sequential(*conv(8, 16, 3, padding=1), nn.ReLU(inplace=True)),
    "pointwise": lambda: nn.Sequential(*conv(8, 16, 1), nn.ReLU()),
    "pointwise without bias": lambda: nn.Conv2d(8, 16, 1, bias=False),
    "pointwise with stride": lambda: nn.Sequential(*conv(8, 16, 1, stride=2), nn.ReLU()),
    "depthwise": lambda: nn.Sequential(*conv(8, 8, 3, padding=1, groups=8), nn.Hardswish()),
    "dilated": lambda: nn.Conv2d(8, 4, 3, dilation=2),
    "even padding": lambda: nn.Conv2d(8, 4, (1, 7), padding=(0, 3)),
    "padding of another kind": lambda: nn.Conv2d(8, 4, 3, padding=1, padding_mode="reflect"),
    "padding by name": lambda: nn.Conv2d(8, 4, 3, padding="same"),
    "padded": lambda: Padded(nn.Conv2d(8, 4, 3, stride=2, padding=1), [2, 2, 1, 1]),
    "padded, by keyword": lambda: Padded(nn.Conv2d(8, 8, 5, groups=8), [2, 2, 2, 2], kwargs=True),
    "padded and exported": lambda: Exported(Padded(nn.Conv2d(8, 4, 3), [1, 1, 1, 1])),
    "padded unevenly": lambda: Padded(nn.Conv2d(8, 4, 3), [0, 1, 0, 1]),
    "padded with ones": lambda: Padded(nn.Conv2d(8, 4, 3), [1, 1, 1, 1], 1.0),
    "padded less than nothing": lambda: Padded(nn.Conv2d(8, 4, 3), [-1, -1, -1, -1]),
    "padded by reflection": lambda: nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(8, 4, 3)),
    "padded columns": lambda: Padded(nn.Conv2d(8, 4, 3), [1, 1]),
    "padded channels": lambda: Padded(nn.Conv2d(10, 4, 3), [0, 0, 0, 0, 1, 1]),
    "padded pixels": lambda: Padded(nn.Conv2d(8, 4, 1), [1, 1, 1, 1]),
    "padded pool": lambda: Padded(nn.MaxPool2d(3, 2), [1, 1, 1, 1], -math.inf),
    "pool of zeros": lambda: Padded(nn.MaxPool2d(3, 2), [1, 1, 1, 1]),
    "pool padded widely": lambda: Padded(nn.MaxPool2d(3, 2), [2, 2, 2, 2], -math.inf),
    "padded pool, rounded up": lambda: Padded(
        nn.MaxPool2d(3, 2, ceil_mode=True), [1, 1, 1, 1], -math.inf
    ),
    "residual": lambda: Residual(projected=False),
    "projected residual": lambda: Residual(projected=True),
    "shuffle": Shuffle,
    "functional": Functional,
    "clamped": Clamped,
    "computed weight": Computed,
    "checked": Checked,
    "exported": lambda: Exported(Residual(projected=True)),
    "two readers": Twice,
    "pool": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
    "average": lambda: nn.Sequential(nn.Conv2d(8, 8, (3, 2)), nn.AdaptiveAvgPool2d(1)),
    "average of one image": lambda: nn.Sequential(nn.Flatten(0, 1), nn.AdaptiveAvgPool2d((1, 1))),
    "average by a function": lambda: Averaged(1),
    "average and exported": lambda: Exported(Averaged(1)),
    "average of a computed size": AveragedTo,
    "pool of a computed size": PooledBy,
    "averages": lambda: nn.Sequential(nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d((2, 1))),
    "linear": lambda: nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 5)),
    "one row": lambda: nn.Sequential(nn.Flatten(), nn.Linear(1152, 20), nn.Hardswish()),
    "row without batch": lambda: nn.Sequential(nn.Flatten(0), nn.Linear(1152, 20)),
    "norm first": lambda: nn.Sequential(batch_norm(8), nn.ReLU(), nn.Conv2d(8, 8, 1)),
    "norm alone": lambda: nn.Sequential(batch_norm(8, affine=False), nn.Tanh()),
    "norm and export": lambda: Exported(nn.Sequential(batch_norm(8), nn.SiLU())),
    "norm of its input": lambda: nn.Sequential(nn.BatchNorm2d(8, track_running_stats=False)),
    "norm of what is written over": lambda: Overwritten(batch_norm(8)),
    "convolution of what is written over": lambda: Overwritten(nn.Conv2d(8, 8, 1)),
    "linear of what is written over": lambda: Overwritten(nn.Linear(12, 12)),
    "pool with indices": Indexed,
    "tanh gelu": lambda: nn.Sequential(nn.Linear(12, 5), nn.GELU(approximate="tanh")),
    **{
        f"conv and {name}": lambda name=name: nn.Sequential(nn.Conv2d(8, 8, 1), ACTIVATIONS[name]())
        for name in ("relu", "relu6", "silu", "hardswish", "hardsigmoid", "sigmoid", "gelu")
    },
}


class Exported(nn.Module):
    """A model that only torch.export can trace: it asks for the values of a tensor's shape."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) if x.shape[1] == 8 and min(x.shape) > 0 else x


ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}
