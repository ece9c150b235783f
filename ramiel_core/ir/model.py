"""A model as it comes in: by name or traced, with its example inputs and its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class WeightsFit:
    """How the tensors of a file fit a model, by their names."""

    file: str  # its name, without folders
    model: str
    loaded: int  # tensors of the file that the model has taken
    missing: tuple[str, ...] = ()  # of the model, which the file lacks
    unexpected: tuple[str, ...] = ()  # of the file, which the model lacks
    misfits: tuple[tuple[str, str, str], ...] = ()  # name, what the file has, what is needed
    unwrapped: tuple[str, ...] = ()  # what was taken off: a dictionary around, a prefix
    converted: tuple[tuple[str, int], ...] = ()  # "float16 → float32", and how many
    not_finite: tuple[str, ...] = ()  # loaded, though they hold NaN or infinity


Inputs = tuple[Any, ...] | list[Any] | dict[str, Any]
"""Example inputs: positional arguments, or by keyword; tensors, or tuples, lists and dictionaries
of them, or values that are fixed. One tensor alone is as good as a tuple of it."""


@dataclass(frozen=True)
class Signature:
    """How a model is called: the structure of its arguments, and which of them are fixed."""

    structure: Any  # of (positional, keyword), as torch's pytree tells it
    fixed: tuple[tuple[int, Any], ...] = ()  # leaves that are no tensors: their place and value


@dataclass(frozen=True)
class TracedModel:
    """A model as a flat list of operator calls, on the device of its weights.

    On the `meta` device there are shapes but no numbers: enough for everything but running.
    """

    name: str
    module: torch.fx.GraphModule  # takes the tensors of its arguments one by one
    inputs: tuple[torch.Tensor, ...]
    tracer: str = "torch.fx"  # which of the two tracers managed: "torch.fx" or "torch.export"
    removed_constants: tuple[str, ...] = ()  # operators that became weights
    removed_repeats: tuple[str, ...] = ()  # operators that an earlier one had computed already
    removed_dead: tuple[str, ...] = ()  # operators whose values nobody read
    weights: WeightsFit | None = None  # None: they were drawn, or came with the model
    signature: Signature | None = None  # None: it takes its tensors one by one
    strange_weights: tuple[tuple[str, str], ...] = ()  # read, and no numbers: name, "NaN" or so


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What a traced model goes through before its operators are counted and planned.

    On by default, as none changes what the golden models are: all that torch.fx traces of them
    is read, depends on the input, and is computed once.
    """

    fold_constants: bool = True
    share_repeats: bool = True
    drop_dead: bool = True
