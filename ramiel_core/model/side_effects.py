"""What a model does besides returning something, which a list of operators would not repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class StateError(Exception):
    """A model writes over its own buffer of this name."""


class LeakError(Exception):
    """What a tracer cannot record happened while it traced."""


@contextmanager
def stateless(module: nn.Module) -> Iterator[None]:
    """Raise where a parameter or a buffer is written over meanwhile.

    torch.fx follows parameters only: what is done to a buffer is done while it traces.

    Raises
    ------
    StateError
        Names the first of them.
    """
    own = [*module.named_parameters(), *module.named_buffers()]
    before = [_version(tensor) for _, tensor in own]
    yield
    for (path, tensor), version in zip(own, before, strict=True):
        if _version(tensor) != version:
            raise StateError(path)


def _version(tensor: torch.Tensor) -> int:
    """How often it was written over; 0 for one made in inference mode, which does not count."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 - it has no public name


@contextmanager
def restored(module: nn.Module) -> Iterator[None]:
    """Take back what tracing leaves in attributes: proxies, constants, counters of calls."""
    before = [(part, dict(vars(part))) for part in module.modules()]
    try:
        yield
    finally:
        for part, attributes in before:
            vars(part).clear()
            vars(part).update(attributes)
