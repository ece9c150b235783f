"""A file of weights -> its tensors by name: read, and taken out of what stands around them.

Nothing here executes code of a file: safetensors holds none, and checkpoints of torch.save are
unpickled as tensors only (`weights_only=True`).
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ramiel_core.errors import ModelError, UnsupportedError, first_line
from ramiel_core.model.kinds import kind_of

LETTERS = 60  # of a name, in a sentence
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
READABLE = frozenset({"safetensors", "checkpoint", "pickle"})  # as `kinds.kind_of` names them
Tensors = Mapping[str, torch.Tensor]


def tensors_of(path: Path, own: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """The tensors of a file, and what was taken off around them.

    Parameters
    ----------
    path : Path
        A .safetensors file, or a state dict of torch.save.
    own : mapping
        The model's, whose names tell what stands around those of the file.

    Raises
    ------
    ModelError
        Where it cannot be read, or holds no tensors.
    """
    return _unwrapped(_read(path), own, path.name)


def short(name: str) -> str:
    """A name from a file, which may be anything, as a sentence can hold it."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= LETTERS else f"{plain[: LETTERS - 1]}…"


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
        raise damaged(path, cause) from cause
    except pickle.UnpicklingError as cause:
        needed = re.search(r"GLOBAL ([\w.]+)", str(cause))
        if needed is None:
            raise damaged(path, cause) from cause
        raise UnsupportedError(
            f"{path.name} holds more than tensors ({needed[1]}), and loading that could execute "
            f"code; save its weights alone: {SAVE_WAY}."
        ) from cause
    except Exception as cause:  # whatever a damaged file makes of the unpickler
        raise damaged(path, cause) from cause


def damaged(path: Path, cause: Exception) -> ModelError:
    """That a file cannot be what it should be, by what was said of it."""
    said = short(first_line(cause))
    return ModelError(
        f"{path.name} is damaged or no file of weights ({said}); copy or download it again."
    )


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
