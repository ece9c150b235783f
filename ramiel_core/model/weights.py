"""Weights from a file onto a model that is already built: read, unwrapped, compared, loaded.

Nothing here executes code of a file: safetensors holds none, and checkpoints of torch.save are
unpickled as tensors only (`weights_only=True`).
"""

from __future__ import annotations

import hashlib
import pickle
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ramiel_core.cache import cache_dir, write_whole
from ramiel_core.errors import ModelError, UnsupportedError, first_line
from ramiel_core.ir import WeightsFit
from ramiel_core.model.kinds import is_readable, kind_of
from ramiel_core.model.uploads import HASH_DIGITS

SHOWN, SHOWN_LETTERS = 3, 60  # names in a sentence, and letters of each
WRAPPERS = (  # under which training scripts keep a state dict, the one to take first
    "state_dict",
    "model_state_dict",
    "model",
    "model_ema",
    "ema",
    "ema_state_dict",
    "state_dict_ema",
    "params_ema",
    "params",
    "net",
    "module",
)
PREFIXES = ("module.", "_orig_mod.", "model.")  # DataParallel, torch.compile, Lightning
SAVE_WAY = (
    "`safetensors.torch.save_file(model.state_dict(), 'model.safetensors')` where the model can "
    "be loaded"
)
PARTIAL_WAY = (
    "If that is meant, ask for partial weights (--partial-weights in a shell); all names: "
    "`python -m ramiel_core analyze MODEL --weights FILE --json`"
)
READABLE = frozenset({"safetensors", "checkpoint", "pickle"})  # as `kinds.kind_of` names them
UPLOADED, KEPT, LETTERS = "weights", 5, 60  # folder of uploads; the newest stay; of a name
UPLOAD = re.compile(rf"{UPLOADED}/[0-9a-f]{{{HASH_DIGITS}}}/[\w.-]+", re.ASCII)
Tensors = Mapping[str, torch.Tensor]


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
    tensors, unwrapped = _unwrapped(_read(path), own, path.name)
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
        said.append(f"Taken off around them: {', '.join(map(_short, fit.unwrapped))}.")
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
    misfits = [f"{_short(name)} is {has}, not {needs}" for name, has, needs in fit.misfits]
    found = (
        ("missing", [_short(name) for name in fit.missing]),
        ("unexpected", [_short(name) for name in fit.unexpected]),
        ("of another shape or type", misfits),
    )
    return [f"{len(names)} {what} ({_first(names)})" for what, names in found if names]


def _listed(names: Collection[str]) -> str:
    return _first([_short(name) for name in names])


def _first(texts: list[str]) -> str:
    more = ", …" if len(texts) > SHOWN else ""
    return f"{', '.join(texts[:SHOWN])}{more}"


def _short(name: str) -> str:
    """A name from a file, which may be anything, as a sentence can hold it."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= SHOWN_LETTERS else f"{plain[: SHOWN_LETTERS - 1]}…"


# --- reading --------------------------------------------------------------------------------


def _read(path: Path) -> Any:
    """Whatever a file holds: of torch.save perhaps no tensors at all."""
    if path.stat().st_size == 0:
        raise ModelError(f"{path.name} is empty; copy or download it again.")
    kind = kind_of(path)
    if kind == "safetensors" or path.suffix.lower() == ".safetensors":
        return _open(path, load_file)
    if kind == "TorchScript":
        raise UnsupportedError(
            f"{path.name} is a TorchScript archive, which holds code; save its weights alone: "
            f"{SAVE_WAY}."
        )
    if kind not in READABLE and path.suffix.lower() not in (".pt", ".pth"):
        raise UnsupportedError(
            f"{path.name} holds no weights that can be read; give a .safetensors file or a state "
            f"dict of torch.save (.pth, .pt)."
        )
    mapped = kind == "checkpoint"  # else it lies in memory twice: as read, and in the model
    return _open(
        path, lambda file: torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    )


def _open(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own notes on old formats
            return read(path)
    except SafetensorError as cause:
        raise _damaged(path, cause) from cause
    except pickle.UnpicklingError as cause:
        needed = re.search(r"GLOBAL ([\w.]+)", str(cause))
        if needed is None:
            raise _damaged(path, cause) from cause
        raise UnsupportedError(
            f"{path.name} holds more than tensors ({needed[1]}), and loading that could execute "
            f"code; save its weights alone: {SAVE_WAY}."
        ) from cause
    except Exception as cause:  # whatever a damaged file makes of the unpickler
        raise _damaged(path, cause) from cause


def _damaged(path: Path, cause: Exception) -> ModelError:
    said = _short(first_line(cause))
    return ModelError(
        f"{path.name} is damaged or no file of weights ({said}); copy or download it again."
    )


# --- uploads --------------------------------------------------------------------------------


def located(text: str, *, uploaded_only: bool = False) -> Path:
    """Where the file lies that a job or an address names.

    Parameters
    ----------
    text : str
        A path, or what `keep` returned.
    uploaded_only : bool
        For addresses, which must not read whatever lies on the host.

    Raises
    ------
    ModelError
        Where it is not there, or no longer.
    """
    if UPLOAD.fullmatch(text):
        path = _uploads() / text.removeprefix(f"{UPLOADED}/")
        if not is_readable(path):
            raise ModelError(
                f"the uploaded weights {_short(path.name)} are no longer here; upload them again "
                f"on the page Model."
            )
        return path
    if uploaded_only:
        raise ModelError(
            f"the address names the weights {_short(text)!r}; pages load uploaded ones only, so "
            f"upload them on the page Model."
        )
    path = Path(text)
    if not is_readable(path):
        raise ModelError(
            f"there is no file of weights {text[-80:]!r} that can be read; check its path."
        )
    return path.absolute()


def keep(name: str, content: bytes | memoryview) -> str:
    """Store uploaded weights by their content; returns the name under which they are found."""
    digest = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
    plain = re.sub(r"[^\w.-]+", "_", Path(name).name, flags=re.ASCII)[-LETTERS:].lstrip("._")
    folder = _uploads() / digest
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / (plain or "weights.pth")
    write_whole(path, content)
    folder.touch()
    by_age = sorted(_uploads().iterdir(), key=lambda f: f.stat().st_mtime, reverse=True)
    for old in by_age[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return f"{UPLOADED}/{digest}/{path.name}"


def _uploads() -> Path:
    folder = cache_dir() / UPLOADED
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


# --- fitting --------------------------------------------------------------------------------


def _unwrapped(found: Any, own: Tensors, file: str) -> tuple[Tensors, tuple[str, ...]]:
    """The tensors of a state dict by name, and what was taken off around them."""
    off: list[str] = []
    while isinstance(found, Mapping) and (key := _wrapper(found, own)):
        off.append(f"{{{key!r}: …}}")
        found = found[key]
    entries = found.items() if isinstance(found, Mapping) else ()
    tensors = {k: t for k, t in entries if isinstance(k, str) and isinstance(t, torch.Tensor)}
    if not tensors:
        held = type(found).__name__
        raise ModelError(f"{file} holds no state dict but {held}; save one: {SAVE_WAY}.")
    while prefix := next((p for p in PREFIXES if _is_around(p, tensors, own)), None):
        off.append(f"{prefix} before every name")
        tensors = {k.removeprefix(prefix): t for k, t in tensors.items()}
    return tensors, tuple(off)


def _wrapper(found: Mapping[Any, Any], own: Tensors) -> str | None:
    if own.keys() & found.keys():
        return None
    return next((k for k in WRAPPERS if isinstance(found.get(k), Mapping) and found[k]), None)


def _is_around(prefix: str, tensors: Tensors, own: Tensors) -> bool:
    """Whether a prefix stands before every name, and the model's names begin without it."""
    bare = {k.removeprefix(prefix) for k in tensors}
    whole = all(k.startswith(prefix) for k in tensors)
    return whole and len(bare & own.keys()) > len(tensors.keys() & own.keys())


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
        raise _damaged(Path(file), cause) from cause
    return list(result.missing_keys), list(result.unexpected_keys)


def _is_finite(tensor: torch.Tensor) -> bool:
    """Only asked of tensors that fit: a file may name one of any size over a single number."""
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor.float()).all())
