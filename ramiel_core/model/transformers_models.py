"""transformers' models from their configuration, with random weights; never a download."""

from __future__ import annotations

import difflib
import importlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ramiel_core.errors import ModelError

TOKENS = 128  # of an example
OWN_WAY = "name a function that returns the model and its inputs: package.module:function"


def is_path(config: str) -> bool:
    """Whether a configuration is a file rather than a type of model."""
    return config.endswith(".json") or "/" in config


def check(config: str) -> None:
    """Refuse what cannot be a configuration, before anything is built.

    Raises
    ------
    ModelError
        Where transformers is not installed, has no such type of model, or the file is no
        configuration.
    """
    known = tuple(_library().CONFIG_MAPPING.keys())
    kind = _read(config)["model_type"] if is_path(config) else config
    if kind in known:
        return
    near = difflib.get_close_matches(kind, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "Give a type, as bert, or config.json."
    raise ModelError(f"transformers has no type of model called {kind!r}. {hint}")


def make(config: str, generator: torch.Generator) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """The bare model of a configuration, and example inputs by keyword.

    Parameters
    ----------
    config : str
        A type of model, as `bert`, with its default sizes; or the path of a config.json.
    generator : torch.Generator
        Of the numbers in the inputs.

    Raises
    ------
    ModelError
        Where the model cannot be built from it, or its input is neither text nor an image.
    """
    library = _library()
    settings = _read(config) if is_path(config) else {"model_type": config}
    try:
        chosen = library.AutoConfig.for_model(**settings)
        chosen.use_cache = False  # keys and values for a next token, which one inference is not
        module: Any = library.AutoModel.from_config(chosen)
    except Exception as cause:
        raise ModelError(
            f"transformers cannot build hf:{config}: {type(cause).__name__}: {cause}. Check the "
            f"configuration, or {OWN_WAY}."
        ) from cause
    return module, {module.main_input_name: _example(config, module, generator)}


def _example(name: str, module: Any, generator: torch.Generator) -> torch.Tensor:
    config = module.config
    if module.main_input_name == "input_ids":
        most = min(TOKENS, getattr(config, "max_position_embeddings", TOKENS))
        return torch.randint(config.vocab_size, (1, most), generator=generator)
    if module.main_input_name == "pixel_values" and hasattr(config, "image_size"):
        side = config.image_size
        sides = (side, side) if isinstance(side, int) else tuple(side)
        return torch.randn(1, config.num_channels, *sides, generator=generator)
    raise ModelError(
        f"hf:{name} reads {module.main_input_name}, of which no example is known here; {OWN_WAY}."
    )


def _library() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as cause:
        raise ModelError(
            "transformers is not installed here: `pip install transformers`."
        ) from cause


def _read(path: str) -> dict[str, Any]:
    """The settings of a config.json, or of the one in a folder."""
    file = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    try:
        found: Any = json.loads(file.read_text())
    except (OSError, ValueError) as cause:
        raise ModelError(f"{path} cannot be read as a config.json ({cause}).") from cause
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise ModelError(f"{path} names no model_type; give the config.json of a model.")
    return found
