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

TOKENS, SIDE = 128, 224  # of an example; the side of an image for models that take any
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
    try:
        chosen = _configuration(library, config)
        chosen.use_cache = False  # keys and values for a next token, which one inference is not
        # A configuration names the type that its weights were saved in; inputs here are float32.
        module: Any = library.AutoModel.from_config(chosen, trust_remote_code=False).float()
    except Exception as cause:
        raise ModelError(
            f"transformers cannot build hf:{config}: {type(cause).__name__}: {cause}. Check the "
            f"configuration, or {OWN_WAY}."
        ) from cause
    return module, _examples(config, module, generator)


def _configuration(library: Any, config: str) -> Any:
    """As the library makes it: of a type with its defaults, or of a file, whose code is not run."""
    if not is_path(config):
        return library.AutoConfig.for_model(config)
    # Without `trust_remote_code` it asks at the terminal whether to run code that the file names.
    return library.AutoConfig.from_pretrained(
        str(_file(config)), local_files_only=True, trust_remote_code=False
    )


def _examples(label: str, module: Any, generator: torch.Generator) -> dict[str, torch.Tensor]:
    config, read = module.config, module.main_input_name
    if read == "input_ids" and hasattr(config, "vocab_size"):
        # RoBERTa's begin behind that of the padding; XLNet's have no limit, which it calls -1.
        positions = getattr(config, "max_position_embeddings", None) or -1
        most = min(TOKENS, positions // 2) if positions > 1 else TOKENS
        ids = torch.randint(config.vocab_size, (1, most), generator=generator)
        both = getattr(config, "is_encoder_decoder", False)
        names = (read, "decoder_input_ids") if both else (read,)
        return {name: ids.clone() for name in names}
    if read == "pixel_values" and hasattr(config, "num_channels"):
        side = getattr(config, "image_size", SIDE)
        sides = (side, side) if isinstance(side, int) else tuple(side)
        return {read: torch.randn(1, config.num_channels, *sides, generator=generator)}
    raise ModelError(f"hf:{label} reads {read}, of which no example is known here; {OWN_WAY}.")


def _library() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as cause:
        raise ModelError(
            "transformers is not installed here: `pip install transformers`."
        ) from cause


def _file(path: str) -> Path:
    return Path(path) / "config.json" if Path(path).is_dir() else Path(path)


def _read(path: str) -> dict[str, Any]:
    """The settings of a config.json, or of the one in a folder."""
    file = _file(path)
    try:
        found: Any = json.loads(file.read_text())
    except (OSError, ValueError) as cause:
        raise ModelError(f"{path} cannot be read as a config.json ({cause}).") from cause
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise ModelError(f"{path} names no model_type; give the config.json of a model.")
    return found
