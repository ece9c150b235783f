"""What a model is called with and what it returns, nested and flat."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError
from ramiel_core.ir import Inputs, Signature, TracedModel


@dataclass(frozen=True)
class Arguments:
    """What a model is called with, and the same flat."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    names: tuple[str, ...]  # of the leaves, by the parameters that they belong to
    leaves: tuple[Any, ...]
    structure: pytree.TreeSpec

    @classmethod
    def of(cls, module: nn.Module, inputs: Inputs | torch.Tensor, name: str) -> Arguments:
        """Sort example inputs by the parameters of a model.

        Raises
        ------
        ModelError
            Where the model cannot be called with them.
        """
        kwargs = inputs if isinstance(inputs, dict) else {}
        args = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
        args = () if isinstance(inputs, dict) else args
        try:
            signature = inspect.signature(module.forward)
            signature.bind(*args, **kwargs)
        except TypeError as cause:
            raise ModelError(
                f"{name} cannot be called with its example inputs: {cause}. Give a tuple of "
                f"positional arguments, or a dictionary of keyword arguments."
            ) from cause
        by_parameter = {**signature.bind_partial(*args).arguments, **kwargs}
        named = [_name(path) for path, _ in pytree.tree_leaves_with_path(by_parameter)]
        leaves, structure = pytree.tree_flatten((args, kwargs))
        return cls(args, kwargs, tuple(named), tuple(leaves), structure)

    def traced(self, name: str, module: fx.GraphModule, tracer: str) -> TracedModel:
        """The record of a model that a tracer flattened with these arguments."""
        fixed = [(i, v) for i, v in enumerate(self.leaves) if not isinstance(v, torch.Tensor)]
        tensors = tuple(_plain_input(v) for v in self.leaves if isinstance(v, torch.Tensor))
        signature = Signature(self.structure, tuple(fixed))
        return TracedModel(name, module, tensors, tracer=tracer, signature=signature)


def plain(value: Any) -> Any:
    """The same of tuples, lists and dictionaries only."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Mapping)):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def _plain_input(tensor: torch.Tensor) -> torch.Tensor:
    """Without gradient, each item once in memory: into an expanded one nothing can be written."""
    alone = tensor.detach()
    expanded = alone.layout == torch.strided and 0 in alone.stride()
    return alone.contiguous() if expanded else alone


def _name(path: tuple[Any, ...]) -> str:
    """Of a leaf: `x` of an argument, `x_0` of the first part of one."""
    return re.sub(r"\W+", "_", pytree.keystr(path)).strip("_")
