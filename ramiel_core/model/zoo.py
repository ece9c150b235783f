"""torchvision's classification models by name, with random weights.

Weights are never downloaded: timings do not depend on them, and equality of outputs is tested
just as well by random ones, as long as signals neither vanish nor blow up on their way through.
"""

from __future__ import annotations

import difflib
import warnings
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError
from ramiel_core.ir import Inputs
from ramiel_core.model import elsewhere

SEED = 0
FAMILIES = {  # how torchvision's documentation groups them, by the start of the name
    "alexnet": "AlexNet",
    "convnext": "ConvNeXt",
    "densenet": "DenseNet",
    "efficientnet_v2": "EfficientNet V2",
    "efficientnet": "EfficientNet",
    "googlenet": "GoogLeNet",
    "inception": "Inception",
    "maxvit": "MaxViT",
    "mnasnet": "MNASNet",
    "mobilenet": "MobileNet",
    "regnet": "RegNet",
    "resnet": "ResNet",
    "resnext": "ResNeXt",
    "shufflenet": "ShuffleNet",
    "squeezenet": "SqueezeNet",
    "swin": "Swin Transformer",
    "vgg": "VGG",
    "vit": "Vision Transformer",
    "wide_resnet": "Wide ResNet",
}
ALIASES = {  # what people type
    "squeezenet": "squeezenet1_0",
    "inception": "inception_v3",
    "densenet": "densenet121",
    "resnet": "resnet50",
}


@cache
def names() -> tuple[str, ...]:
    """Every classification model in torchvision's registry."""
    models = elsewhere.torchvision_models()
    return tuple(models.list_models(module=models))


def family(name: str) -> str:
    """The family that a model is listed under; "Other" for one that torchvision adds later."""
    return next((title for start, title in FAMILIES.items() if name.startswith(start)), "Other")


def families() -> dict[str, tuple[str, ...]]:
    """Model names grouped by family, both in alphabetical order."""
    groups: dict[str, list[str]] = {}
    for name in names():
        groups.setdefault(family(name), []).append(name)
    return {title: tuple(groups[title]) for title in sorted(groups)}


def resolve(name: str) -> str:
    """The registry's name for what a user typed.

    Raises
    ------
    ModelError
        For an unknown name; suggests the nearest ones.
    """
    if found := elsewhere.resolve(name.strip()):
        return found
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    by_letters = {known.replace("_", ""): known for known in names()}
    if plain in names():
        return plain
    found = by_letters.get(plain.replace("_", "")) or ALIASES.get(plain)
    if found:
        return found
    near = difflib.get_close_matches(plain, names(), n=3, cutoff=0.5)
    hint = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else "List them with `python -m ramiel_core models`."
    )
    raise ModelError(f"there is no torchvision classification model called {name!r}. {hint}")


DRAWS = frozenset(
    {
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
        # Called under a mode, these hand over to it as a whole, and it sees nothing inside them.
        nn.init.normal_,
        nn.init.uniform_,
        nn.init.kaiming_uniform_,
    }
)
"""What layers draw their first weights by; other functions of `nn.init` call the first two."""


class SkipRandom(TorchFunctionMode):
    """Writes zeros where fresh weights would be drawn: 600 million random numbers take seconds.

    Zeros, not nothing: truncated distributions are drawn again until every number fits.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in DRAWS:
            weight: torch.Tensor = args[0] if args else given["tensor"]
            with torch.no_grad():
                return weight.zero_()
        return func(*args, **given)


class WeightsOnMeta(SkipRandom):
    """Makes weights that have shapes only; other tensors stay: RegNet computes its widths by them.

    Layers get their weights from `torch.empty`.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        where = {"device": "meta"} if func is torch.empty else {}
        return super().__torch_function__(func, types, args, {**(kwargs or {}), **where})


def build(name: str, device: str = "cpu") -> tuple[nn.Module, Inputs]:
    """A model in eval mode and example inputs of its own size.

    Parameters
    ----------
    name : str
        As `resolve` takes it.
    device : str
        "meta" gives shapes without numbers, at no cost; "cpu" draws the weights. What a function
        of the user's own returns is taken as it is.

    Returns
    -------
    tuple of nn.Module and inputs
        Of torchvision's and timm's one, float32; (1, 3, side, side) for images.

    Raises
    ------
    ModelError
        For an unknown name.
    """
    name = resolve(name)
    if elsewhere.runs_code(name):
        return elsewhere.call(name)
    if name not in names():
        return _from_elsewhere(name, device)
    module = _of_registry(name, device)
    side = getattr(module, "image_size", None) or _crop_size(name)
    generator = torch.Generator().manual_seed(SEED)
    example = torch.randn(1, 3, side, side, generator=generator)
    return module.eval(), (example.to(device),)


def _from_elsewhere(name: str, device: str) -> tuple[nn.Module, Inputs]:
    with warnings.catch_warnings(), SkipRandom():
        warnings.simplefilter("ignore")  # notes on names that changed
        module, inputs = elsewhere.make(name, torch.Generator().manual_seed(SEED))
    if device == "meta":
        module = module.to("meta")
    else:
        draw_weights(module)
    moved: Inputs = pytree.tree_map_only(torch.Tensor, lambda t: t.to(device), inputs)
    return module.eval(), moved


def _of_registry(name: str, device: str) -> nn.Module:
    """A classification model of torchvision's; on meta, or with weights drawn as `draw_weights`."""
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module: nn.Module
    with warnings.catch_warnings(), WeightsOnMeta() if device == "meta" else SkipRandom():
        warnings.simplefilter("ignore")  # torchvision's own notes on initialisation
        module = elsewhere.torchvision_models().get_model(name, weights=None, **options)
    if device == "meta":
        return module.to("meta")  # buffers, and the small weights that begin as zeros or ones
    draw_weights(module)
    return module


def _crop_size(name: str) -> int:
    """Side of the image that the model was published with (the smallest, where there are two)."""
    published = elsewhere.torchvision_models().get_model_weights(name)
    return min(int(weights.transforms().crop_size[0]) for weights in published)


def draw_weights(module: nn.Module) -> None:
    """Random weights under which every layer's output keeps about the size of its input.

    In eval mode batch norm does not rescale, so under torchvision's own initialisation deep
    signals die out to denormal numbers, which are slow, or leave the last bias alone to decide
    the output, which would hide a wrongly wired graph.
    """
    generator = torch.Generator().manual_seed(SEED)
    for layer in module.modules():
        for label, weight in layer.named_parameters(recurse=False):
            if weight.dim() > 1:
                fan_in = weight[0].numel()
                nn.init.normal_(weight, std=(2.0 / fan_in) ** 0.5, generator=generator)
            elif label == "weight":  # of a normalisation
                nn.init.uniform_(weight, 0.8, 1.2, generator=generator)
            else:
                nn.init.normal_(weight, std=0.02, generator=generator)
