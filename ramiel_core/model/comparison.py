"""Whether a trace computes what its model does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ramiel_core.agreement import largest_difference
from ramiel_core.ir import TracedModel
from ramiel_core.model.arguments import Arguments, plain
from ramiel_core.model.side_effects import LeakError, StateError, restored, stateless

TOLERANCE = 1e-4  # between what a model returns and what its trace does, of the largest number


class Comparison:
    """What a model returns for its example inputs, to compare its traces with.

    It is called twice, since a model that keeps something returns something else the second time.

    Raises
    ------
    StateError
        Where it does, or writes over a buffer of its own.
    """

    def __init__(self, module: nn.Module, arguments: Arguments) -> None:
        self._module, self._arguments = module, arguments
        self._drawn = torch.get_rng_state()
        self._expected: list[Any] | None = None
        held = (*arguments.leaves, *module.parameters(), *module.buffers())
        if any(isinstance(tensor, torch.Tensor) and tensor.is_meta for tensor in held):
            return
        again: list[Any] = []
        with restored(module), stateless(module), suppress(Exception):
            first, again = self._run(), self._run()
            self._expected = first
        if not all(map(_is_alike, self._expected or (), again)):
            raise StateError("attributes")

    def _run(self) -> list[Any]:
        """What the model returns; whatever its own code raises, extraction says it better."""
        args, kwargs = pytree.tree_map_only(
            torch.Tensor, torch.clone, (self._arguments.args, dict(self._arguments.kwargs))
        )
        torch.set_rng_state(self._drawn)
        try:
            with torch.no_grad():
                return pytree.tree_leaves(plain(self._module(*args, **kwargs)))
        finally:
            torch.set_rng_state(self._drawn)

    def refuse_another(self, traced: TracedModel) -> None:
        """Refuse a trace that returns something else.

        Raises
        ------
        LeakError
            Where it does.
        """
        if self._expected is None:
            return
        with torch.no_grad():
            made = traced.module(*(tensor.clone() for tensor in traced.inputs))
        torch.set_rng_state(self._drawn)
        found = pytree.tree_leaves(made)
        if len(found) != len(self._expected) or not all(map(_is_alike, found, self._expected)):
            raise LeakError("what it traced does not compute what the model does")


def is_close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two tensors are of one shape and equal within `TOLERANCE` of the largest number."""
    return largest_difference(found, expected) <= TOLERANCE


def _is_alike(found: Any, expected: Any) -> bool:
    if not isinstance(expected, torch.Tensor):
        return type(found) is type(expected) and bool(found == expected)
    same_kind = isinstance(found, torch.Tensor) and found.dtype == expected.dtype
    return same_kind and is_close(found, expected)
