"""Models that are not torchvision classifiers, by name; never a download.

`timm:dla34` is timm's and `hf:bert` transformers', where these are installed; `fcn_resnet50` and
`r3d_18` are torchvision's for segmentation and video; `package.module:function` calls a function
of the user's own.
"""

from __future__ import annotations

import difflib
import importlib
import re
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError
from ramiel_core.ir import Inputs
from ramiel_core.model import transformers_models

TIMM, HUGGING_FACE = "timm:", "hf:"
PREFIXES = (TIMM, HUGGING_FACE)
PYTHON_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
FRAMES, VIDEO_SIDE, SCENE_SIDE = 16, 112, 224  # of an example; segmentation takes any size
VIDEO_SIZES = {"mvit_v1_b": 224, "mvit_v2_s": 224, "s3d": 224}
UNTRACEABLE = "swin3d"  # writes over a list of sizes, which torch.fx records as one for all calls


def torchvision_models() -> Any:
    """The registry of torchvision, imported when a name is looked up in it.

    That takes as long as importing torch, since torchvision imports torch's compiler. Whoever
    opens a file or a module of one's own does not pay for it, nor does a launcher that runs one.
    """
    from torchvision import models

    return models


@cache
def torchvisions() -> tuple[str, ...]:
    """Segmentation and video models of torchvision."""
    models = torchvision_models()
    return (*models.list_models(module=models.segmentation), *_video())


@cache
def _video() -> tuple[str, ...]:
    models = torchvision_models()
    known = models.list_models(module=models.video)
    return tuple(name for name in known if not name.startswith(UNTRACEABLE))


def runs_code(name: str) -> bool:
    """Whether building the model runs code of the user's own: never from an address."""
    return not name.startswith(PREFIXES) and bool(PYTHON_PATH.fullmatch(name))


def needs_shell(name: str) -> bool:
    """Whether a name runs code or reads a file of this host, which no address may ask for."""
    config = name.removeprefix(HUGGING_FACE)
    return runs_code(name) or (config != name and transformers_models.is_path(config))


def resolve(name: str) -> str | None:
    """`name`, if it is one of these; None where it belongs to the registry.

    Raises
    ------
    ModelError
        Where the library that it is of is not installed or does not have it.
    """
    if name.startswith(HUGGING_FACE):
        transformers_models.check(name.removeprefix(HUGGING_FACE))
        return name
    if name.startswith(TIMM):
        known = _timms()
        wanted = name.removeprefix(TIMM)
        if wanted in known:
            return name
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See timm.list_models()."
        raise ModelError(f"timm has no model called {wanted!r}. {hint}")
    return name if runs_code(name) or name in torchvisions() else None


@cache
def _timms() -> tuple[str, ...]:
    """Names that timm builds itself; its `hf-hub:` names, which download, are not among them."""
    try:
        import timm
    except ImportError as cause:
        raise ModelError("timm is not installed here: `pip install timm`.") from cause
    return tuple(timm.list_models())


def make(name: str, generator: torch.Generator) -> tuple[nn.Module, Inputs]:
    """A model of a library's with example inputs; weights as they come.

    Parameters
    ----------
    name : str
        As `resolve` returned it.
    generator : torch.Generator
        Of the numbers in the inputs.
    """
    if name.startswith(HUGGING_FACE):
        return transformers_models.make(name.removeprefix(HUGGING_FACE), generator)
    module, shape = _of_images(name)
    return module, (torch.randn(shape, generator=generator),)


def _of_images(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    if name.startswith(TIMM):
        import timm

        built: Any = timm.create_model(name.removeprefix(TIMM), pretrained=False)
        return built, (1, *built.pretrained_cfg["input_size"])
    models = torchvision_models()
    if name in _video():
        side = VIDEO_SIZES.get(name, VIDEO_SIDE)
        return models.get_model(name, weights=None), (1, 3, FRAMES, side, side)
    module = models.get_model(name, weights=None, weights_backbone=None)
    return module, (1, 3, SCENE_SIDE, SCENE_SIDE)


def call(path: str) -> tuple[nn.Module, Inputs]:
    """What `package.module:function` returns when called: a module and its example inputs.

    Raises
    ------
    ModelError
        Where it cannot be found or called, or returns something else.
    """
    where, _, name = path.partition(":")
    try:
        function: Any = getattr(importlib.import_module(where), name)
        made = function()
    except Exception as cause:
        raise ModelError(
            f"{path} cannot be called: {type(cause).__name__}: {cause}. Name a function without "
            f"arguments in a module that Python finds from here."
        ) from cause
    inputs: Any
    module, inputs = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module) or not _has_tensors(inputs):
        raise ModelError(
            f"{path} returned {type(made).__name__}; it has to return an nn.Module and its example "
            f"inputs: `return module, (tensor, ...)`, or by keyword `return module, {{'x': ...}}`."
        )
    return module.eval(), (inputs,) if isinstance(inputs, torch.Tensor) else inputs


def _has_tensors(inputs: Any) -> bool:
    return any(isinstance(leaf, torch.Tensor) for leaf in pytree.tree_leaves(inputs))
