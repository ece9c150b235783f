"""torchvision's inception modules with torch.jit.fork written in by hand, branch by branch.

Which branches there are is copied from the modules' own `forward`; the layers are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torchvision.models.googlenet import Inception
from torchvision.models.inception import (
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
)

AVERAGE, MAXIMUM = nn.AvgPool2d(3, 1, 1), nn.MaxPool2d(3, 2)
Branch = tuple[Any, ...]  # layers one after the other: by name, themselves, or branches to join

BRANCHES: Mapping[type[nn.Module], tuple[Branch, ...]] = {
    Inception: (("branch1",), ("branch2",), ("branch3",), ("branch4",)),
    InceptionA: (
        ("branch1x1",),
        ("branch5x5_1", "branch5x5_2"),
        ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        (AVERAGE, "branch_pool"),
    ),
    InceptionB: (
        ("branch3x3",),
        ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        (MAXIMUM,),
    ),
    InceptionC: (
        ("branch1x1",),
        ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
        tuple(f"branch7x7dbl_{i}" for i in range(1, 6)),
        (AVERAGE, "branch_pool"),
    ),
    InceptionD: (
        ("branch3x3_1", "branch3x3_2"),
        ("branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"),
        (MAXIMUM,),
    ),
    InceptionE: (
        ("branch1x1",),
        ("branch3x3_1", [("branch3x3_2a",), ("branch3x3_2b",)]),
        ("branch3x3dbl_1", "branch3x3dbl_2", [("branch3x3dbl_3a",), ("branch3x3dbl_3b",)]),
        (AVERAGE, "branch_pool"),
    ),
}


class Join(nn.Module):
    """Branches one after the other, joined along channels."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All of them on the same input."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class Fork(nn.Module):
    """Branches side by side: the last one here, each other one in the pool of torch.jit.fork."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.others, self.last = nn.ModuleList(branches[:-1]), branches[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All of them on the same input."""
        futures: list[torch.jit.Future[torch.Tensor]] = []
        for branch in self.others:
            futures.append(torch.jit.fork(branch, x))  # noqa: PERF401 - TorchScript unrolls this
        last = self.last(x)
        done = [torch.jit.wait(future) for future in futures]
        done.append(last)
        return torch.cat(done, 1)


def fork_branches(model: nn.Module) -> nn.Module:
    """`model` with its inception modules replaced; it is changed.

    Raises
    ------
    RuntimeError
        Where it has none.
    """
    found = [(path, m) for path, m in model.named_modules() if type(m) in BRANCHES]
    if not found:
        raise RuntimeError("no branches by hand for this model")
    for path, module in found:
        branches = [_branch(module, layers) for layers in BRANCHES[type(module)]]
        owner, _, name = path.rpartition(".")
        setattr(model.get_submodule(owner), name, torch.jit.script(Fork(branches).eval()))
    return model


def _branch(module: nn.Module, layers: Branch) -> nn.Module:
    return nn.Sequential(*(_layer(module, layer) for layer in layers))


def _layer(module: nn.Module, layer: Any) -> nn.Module:
    if isinstance(layer, list):
        return Join([_branch(module, branch) for branch in layer])
    return layer if isinstance(layer, nn.Module) else module.get_submodule(layer)
