"""Weights from a file onto a model that is already built: compared, loaded, and told of."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import torch
from torch import nn

from ramiel_core.errors import ModelError
from ramiel_core.ir import WeightsFit
from ramiel_core.model.state_dict import Tensors, damaged, short, tensors_of

SHOWN = 3  # names in a sentence
PARTIAL_WAY = (
    "If that is meant, ask for partial weights (--partial-weights in a shell); all names: "
    "`python -m ramiel_core analyze MODEL --weights FILE --json`"
)


def put(module: nn.Module, path: Path, name: str, *, partial: bool = False) -> WeightsFit:
    """Load what a file has for a model, in place.

    Parameters
    ----------
    module : nn.Module
        On the CPU; or on `meta`, where names and shapes are compared and nothing is loaded.
    path : Path
        A .safetensors file, or a state dict of torch.save (.pth, .pt, .ckpt, .bin).
    name : str
        Of the model, as messages call it.
    partial : bool
        Whether tensors that are missing, unknown or of another shape are meant to be: what the
        file lacks keeps its random weights.

    Raises
    ------
    ModelError
        Where the file cannot be read, fits nothing of the model, or, without `partial`, does not
        fit all of it.
    """
    fit = load(module, path, name)
    if why := problem(fit, partial=partial):
        raise ModelError(why)
    return fit


def load(module: nn.Module, path: Path, name: str) -> WeightsFit:
    """Load what fits, in place; whatever does not fit is told in what it returns, not raised.

    Raises
    ------
    ModelError
        Where the file cannot be read.
    """
    own: Tensors = module.state_dict(keep_vars=True)
    tensors, unwrapped = tensors_of(path, own)
    misfits = {k: why for k, t in tensors.items() if k in own and (why := _misfit(t, own[k]))}
    fitting = {k: t for k, t in tensors.items() if k not in misfits}
    missing, unexpected = _load(module, fitting, path.name)
    taken = {k: t for k, t in fitting.items() if k not in unexpected}
    held = {id(weight) for k, weight in own.items() if k not in {*missing, *misfits}}
    alone = [k for k in missing if k not in misfits and id(own[k]) not in held]
    pairs = ((str(t.dtype), str(own[k].dtype)) for k, t in taken.items() if k in own)
    converted = Counter(f"{a} → {b}".replace("torch.", "") for a, b in pairs if a != b)
    return WeightsFit(
        file=path.name,
        model=name,
        loaded=len(taken),
        missing=tuple(alone),
        unexpected=tuple(unexpected),
        misfits=tuple((k, *why) for k, why in misfits.items()),
        unwrapped=unwrapped,
        converted=tuple(converted.items()),
        not_finite=tuple(k for k, t in taken.items() if not _is_finite(t)),
    )


def problem(fit: WeightsFit, *, partial: bool) -> str:
    """Why weights are refused, in a sentence; empty where they are not."""
    wrong = _wrong(fit)
    if not fit.loaded:
        return (
            f"none of the tensors of {fit.file} has the name and shape of one of {fit.model}'s "
            f"({'; '.join(wrong)}): it belongs to another model, so choose that one."
        )
    if partial or not wrong:
        return ""
    return f"{fit.file} does not fit {fit.model}: {'; '.join(wrong)}. {PARTIAL_WAY}."


def told(fit: WeightsFit) -> tuple[str, ...]:
    """What happened to the weights, a sentence each."""
    said = [f"Tensors taken from {fit.file}: {fit.loaded}."]
    if fit.unwrapped:
        said.append(f"Taken off around them: {', '.join(map(short, fit.unwrapped))}.")
    if fit.converted:
        kinds = ", ".join(f"{count} of {how}" for how, count in fit.converted)
        said.append(f"Converted: {kinds}.")
    if wrong := _wrong(fit):
        said.append(f"Not all of it fits: {'; '.join(wrong)}. The rest has random weights.")
    if fit.not_finite:
        said.append(
            f"NaN or infinity in {len(fit.not_finite)} of them ({_listed(fit.not_finite)}): "
            f"outputs may be NaN."
        )
    return tuple(said)


def _wrong(fit: WeightsFit) -> list[str]:
    misfits = [f"{short(name)} is {has}, not {needs}" for name, has, needs in fit.misfits]
    found = (
        ("missing", [short(name) for name in fit.missing]),
        ("unexpected", [short(name) for name in fit.unexpected]),
        ("of another shape or type", misfits),
    )
    return [f"{len(names)} {what} ({_first(names)})" for what, names in found if names]


def _listed(names: Collection[str]) -> str:
    return _first([short(name) for name in names])


def _first(texts: list[str]) -> str:
    more = ", …" if len(texts) > SHOWN else ""
    return f"{', '.join(texts[:SHOWN])}{more}"


def _misfit(tensor: torch.Tensor, needed: torch.Tensor) -> tuple[str, str] | None:
    """What a tensor is and what it should be, where it cannot become that."""
    castable = not tensor.is_quantized and torch.can_cast(tensor.dtype, needed.dtype)
    plain = tensor.layout == torch.strided and not tensor.is_meta
    if tensor.shape == needed.shape and castable and plain:
        return None
    return _kind(tensor), _kind(needed)


def _kind(tensor: torch.Tensor) -> str:
    layout = "" if tensor.layout == torch.strided else "sparse "
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{layout}{dtype}[{'×'.join(map(str, tensor.shape))}]"


def _load(module: nn.Module, tensors: Tensors, file: str) -> tuple[list[str], list[str]]:
    """Load in place; names that are missing and unexpected.

    By the module's own method, which also knows the names of its earlier versions.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that loading on meta does nothing
            result = module.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as cause:
        raise damaged(Path(file), cause) from cause
    return list(result.missing_keys), list(result.unexpected_keys)


def _is_finite(tensor: torch.Tensor) -> bool:
    """Only asked of tensors that fit: a file may name one of any size over a single number."""
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor.float()).all())
