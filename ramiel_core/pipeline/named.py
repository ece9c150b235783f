"""Models by name, file or upload, traced; and files of weights for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from torch import nn

from ramiel_core.errors import ModelError, RamielError
from ramiel_core.ir import Inputs, TracedModel, WeightsFit
from ramiel_core.model import about, elsewhere, files, uploads, weight_uploads, zoo
from ramiel_core.model import weights as weight_files
from ramiel_core.model.trace import trace

FIVE = ("squeezenet1_0", "googlenet", "resnet50", "densenet121", "inception_v3")
"""The models of the published comparison; what `bench` runs when none is named."""

tracing = threading.RLock()
"""Held while a model is traced: torch.fx changes nn.Module itself for as long as that takes."""


def traced(
    model: str | nn.Module,
    inputs: Inputs | None = None,
    device: str = "meta",
    *,
    weights: str = "",
    partial_weights: bool = False,
) -> TracedModel:
    """A model by name, or any module with example inputs, as operator calls.

    Parameters
    ----------
    model : str or nn.Module
        A name of the registry, an ONNX file as `model.files` names it, or a module in eval mode.
    inputs : Inputs
        Example inputs, for a module.
    device : str
        "meta" gives shapes without numbers, at no cost.
    weights : str
        A file of weights to load, of a model by name; "" for random ones.
    partial_weights : bool
        Whether they may fit in part.

    Raises
    ------
    ModelError
        For an unknown name, a model that cannot be traced or imported, or weights that do not fit.
    """
    if weights:
        refuse_weights(model)
    if isinstance(model, str):
        name = resolve(model)
        if files.is_file(name):
            return files.load(name, device)
        module, inputs = zoo.build(name, device)
        fit = None
        if weights:
            path = weight_uploads.located(weights)
            fit = weight_files.put(module, path, name, partial=partial_weights)
        own = elsewhere.runs_code(name)
        return replace(trace(module, inputs, name, compared=own), weights=fit)
    if inputs is None:
        raise RamielError("a module of your own needs example inputs: analyze(module, (tensor,)).")
    return trace(model, inputs, type(model).__name__.lower(), compared=True)


def refuse_weights(model: str | nn.Module) -> None:
    """Say why no other weights can be put onto this model, which holds its own."""
    if not isinstance(model, str):
        raise ModelError(
            "a module of your own holds its weights: put others into it by load_state_dict before."
        )
    if files.is_file(model):
        raise ModelError(
            f"{files.label(model)} holds its own weights; leave --weights out, or name the model "
            f"that the weights are of."
        )


def weights_fit(model: str, weights: str) -> WeightsFit:
    """How a file's weights would fit a model by name; what does not fit is told, not raised.

    Raises
    ------
    ModelError
        For an unknown model, or a file that cannot be read.
    """
    refuse_weights(model)
    name = resolve(model)
    module, _ = zoo.build(name, "meta")
    return weight_files.load(module, weight_uploads.located(weights), name)


def weights_problem(fit: WeightsFit, *, partial: bool) -> str:
    """Why such weights are refused, in a sentence; empty where they are not."""
    return weight_files.problem(fit, partial=partial)


def weights_record(fit: WeightsFit) -> dict[str, Any]:
    """A fit as JSON takes it, with what it means in sentences as `said`."""
    return {**asdict(fit), "said": list(weight_files.told(fit))}


def keep_weights(name: str, content: memoryview) -> str:
    """Store an uploaded file of weights; returns its name, as `model.weight_uploads.keep`."""
    return weight_uploads.keep(name, content)


def uploaded_weights(text: str) -> str:
    """The name of uploaded weights, checked; as `model.weight_uploads.located`."""
    weight_uploads.located(text, uploaded_only=True)
    return text


def resolve(model: str, *, uploaded_only: bool = False) -> str:
    """The name under which a model is known: as `model.files.resolve`."""
    return files.resolve(model, uploaded_only=uploaded_only)


def is_file(model: str) -> bool:
    """Whether a name is that of a file, rather than of a model of the registry."""
    return files.is_file(model)


def is_here(upload: str) -> bool:
    """Whether an uploaded model is still kept."""
    try:
        files.resolve(upload, uploaded_only=True)
    except RamielError:
        return False
    return True


def label(model: str) -> str:
    """A model's name as pages and reports show it."""
    return files.label(model)


def keep(
    name: str,
    content: memoryview,
    beside: Mapping[str, memoryview] | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> str:
    """Store an uploaded file; returns the name of its model, as `model.uploads.keep`."""
    return uploads.keep(name, content, beside, tick)


def with_sizes(model: str, sizes: Mapping[str, int]) -> str:
    """The name of a file's model with sizes for its dynamic dimensions."""
    return files.with_sizes(model, sizes)


def size(text: str) -> tuple[str, int]:
    """One size of a dynamic dimension, as a shell takes it: `NAME=SIZE`."""
    return files.size(text)


def dimensions_of(model: str) -> dict[str, int]:
    """Dynamic dimensions of a file's model, with the sizes that they have."""
    return files.dimensions_of(model)


def describe(model: str) -> about.Description:
    """What a file says of itself, before it is loaded; as `model.files.describe`."""
    return files.describe(model)


def weight_warnings(model: str) -> tuple[str, ...]:
    """What to tell of a model's weights before its figures are believed: NaN, infinities.

    All weights of a file are read for it, once, and in pieces.
    """
    name = resolve(model)
    return _stamped_warnings(name, files.stamp(name))


@lru_cache(maxsize=32)
def _stamped_warnings(name: str, stamp: tuple[int, int] | None) -> tuple[str, ...]:
    del stamp  # a file that was written anew is another model
    return tuple(files.weight_warnings(name))
