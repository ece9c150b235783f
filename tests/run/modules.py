"""Small modules, each with one property that a split into workers could break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

MODULES: dict[str, Callable[[], nn.Module]] = {}
BY_EXPORT = ("branch_on_shape", "in_place_by_export")  # torch.fx refuses them

Inputs = tuple[torch.Tensor, ...]


def named(make: type[nn.Module]) -> type[nn.Module]:
    """Enter a class into `MODULES`: OneChain -> one_chain."""
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in make.__name__)
    MODULES[words.lstrip("_")] = make
    return make


def make(name: str) -> tuple[nn.Module, Inputs]:
    """One of `MODULES` with seeded weights, in eval mode, and its inputs."""
    torch.manual_seed(0)
    module = MODULES[name]().eval().requires_grad_(requires_grad=False)
    return module, getattr(module, "example", image)()


def image() -> Inputs:
    """What most of them read."""
    return (torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(1)),)


@named
class Branches(nn.Module):
    """One fork, three branches of convolutions, one join; a second reader of each."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 8, 3, padding=1)
        self.left = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.right = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True))
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.head = nn.Linear(24 * 36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        joined = torch.cat([self.left(x), self.right(x), self.pool(x)], dim=1)
        return self.head(torch.flatten(joined, 1))


@named
class SharedSummands(nn.Module):
    """Sums of convolutions whose summands are read again, by name and through what does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = (nn.Conv2d(32, 32, 1) for _ in range(3))
        self.same = nn.Identity()

    @staticmethod
    def example() -> Inputs:
        """An image that oneDNN lays out in its own way."""
        return (torch.randn(1, 32, 16, 16, generator=torch.Generator().manual_seed(2)),)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, two = self.one(x), self.two(x)
        return torch.cat([one + self.same(two), two + self.three(x), two], 1)


@named
class PooledSummands(nn.Module):
    """Pools of larger images, as a summand and a factor."""

    def forward(self, x: torch.Tensor) -> Any:
        small = torch.sin(x[:, :, :3, :3])
        return small + F.max_pool2d(x.neg(), 2, 2), F.avg_pool2d(x, 2, 2) * small


@named
class Concatenations(nn.Module):
    """One in another, one overwritten, one of a value with a second reader, and none at all."""

    @staticmethod
    def example() -> Inputs:
        """One image: parts of channels lie one behind the other."""
        return (image()[0][:1],)

    def forward(self, x: torch.Tensor) -> Any:
        inner = torch.cat([F.relu(x - 0.1), F.max_pool2d(x, 3, 1, 1), torch.sigmoid(x)], 1)
        outer = torch.cat([inner, F.avg_pool2d(x, 3, 1, 1)], dim=-3)
        shared = x * 3.0
        both = torch.cat([shared, torch.tanh(x)], 1)
        rows = torch.cat([x * 2.0, x + 1.0], 2)  # of every channel: not one behind the other
        return outer.mul_(0.5) + 1.0, both + shared.sum(), rows


@named
class ManyInputs(nn.Module):
    """Two images and integer indices."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)

    def example(self) -> Inputs:
        return *image(), 2 * image()[0], torch.tensor([[1, 2, 9], [0, 3, 3]])

    def forward(self, x: torch.Tensor, y: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return (x - y).mean((2, 3)) + self.words(at).sum(1) * at.size(1)


@named
class DictOutput(nn.Module):
    """Tensors, a number and None, in nested containers; one tensor twice."""

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        a, b = x + 1, x * 2
        return {"sum": a + b, "parts": [a, (b, a)], "count": x.size(0), "none": None}


@named
class Chunks(nn.Module):
    """Operators that return tuples, whose parts are read by different operators."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, dim=1)
        c, d, e = torch.split(b * 3, [2, 2, 2], dim=2)
        return a.sum() + (c - d).relu().sum() + e.sum()


@named
class NamedTuple(nn.Module):
    """An operator whose parts are read by their names."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        most = x.max(dim=1)
        return most.values + 1, most.indices * 2


@named
class Types(nn.Module):
    """Booleans, integers, half and double precision between workers; a 0-dimensional one."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mask, whole = x > 0, (x * 10).to(torch.int32)
        half, double = x.to(torch.bfloat16), x.double()
        return mask & (whole > 3), whole // 2, half + 1, double * x.mean(), ~mask


@named
class Strides(nn.Module):
    """Values that are transposed, strided or empty when they change workers."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        turned, thin, none = x.transpose(1, 3), x[:, ::2, 1:5:3], x[:, :0]
        last = x.contiguous(memory_format=torch.channels_last) * 2
        return turned + 1, thin - 1, none + 1, last + 1, last


@named
class Expanded(nn.Module):
    """A value whose items share memory, so that it cannot be copied into place as it lies."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        wide = x.mean(1, keepdim=True).expand(2, 4, 6, 6)
        return wide * x, wide


@named
class InputUnchanged(nn.Module):
    """It returns an input as it is, beside a value of its own."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x * 2
        return y + 1, x


@named
class InputAndWeight(nn.Module):
    """It returns an input as it is, beside a weight as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(6))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x * self.scale, x, self.scale


@named
class SecondReader(nn.Module):
    """An in-place layer whose input is read by another, before it in the model's order.

    y -> y + 1
    y -> relu_      if it wrote first, y + 1 would be wrong
    """

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        before = y + 1
        return before * 3 + self.relu(y)


@named
class SecondReaderOfALayer(SecondReader):
    """The same with a layer that is called as an object."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.LeakyReLU(0.1, inplace=True)


@named
class SecondReaderOfAFunction(nn.Module):
    """The same with functions whose names end in an underscore."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, z = x * 2, x * 3
        before = y + z
        return before - F.relu_(y) + torch.sigmoid_(z)


@named
class LaterReader(nn.Module):
    """Whoever reads an overwritten value later means the new one."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x * 2
        before = y + 1
        y.relu_()
        y += before
        y.mul_(0.5)
        return y - 1, before


@named
class LaterReaderOfAFunction(nn.Module):
    """The same where a function wrote, and nobody took what it returned."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        torch.relu_(y)
        return y - 1


class ViewOfOverwritten(nn.Module):
    """A view sees what is written later into the tensor that it views."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x * 2
        flat = y.flatten(1)
        y = F.relu(y, inplace=True)
        return flat + 1, y


class OverwrittenView(nn.Module):
    """A tensor sees what is written into a view of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y[:, :1].relu_()
        return y + 1


@named
class OverwrittenInput(nn.Module):
    """The model writes over its own input; the next inference must find it as it was."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = x * 2
        x.add_(1)
        return x * before


@named
class Constants(nn.Module):
    """Sizes, and what is computed from them, are numbers in the calls and no operators."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.size()
        rest = c * h * w // 2
        return x.reshape(n, 2, rest).permute(0, 2, 1).mean(1) * rest / (h - 1)


@named
class BranchOnShape(nn.Module):
    """torch.fx refuses to branch; torch.export knows the shape."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > 1:
            x = self.one(x)
        return torch.relu(x) + x.sigmoid()


@named
class InPlaceByExport(BranchOnShape):
    """Like SecondReader, by the other tracer, in a dictionary."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        if x.shape[0] > 1:
            x = self.one(x)
        y = x * 2
        before = y + 1
        after = F.relu(y, inplace=True)
        return {"before": before * 3, "after": after + y}


def expected(name: str) -> Any:
    """What the module itself returns, on inputs of its own."""
    module, inputs = make(name)
    with torch.no_grad():
        return module(*(tensor.clone() for tensor in inputs))
