"""Models by name: one of the registry's, or a file, with the sizes of its dynamic dimensions.

A file is named by its path, `models/bert.onnx`, or, where it was uploaded, by its content:
`uploaded/3f0c…/bert.onnx`. Sizes stand behind it: `models/bert.onnx@batch=1,seq=128`. So one text
names a model everywhere: in a shell, in an address, in a job that a launcher is to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from ramiel_core.errors import ModelError
from ramiel_core.ir import TracedModel
from ramiel_core.model import about, from_onnx, numbers, portable, uploads, zoo
from ramiel_core.model.kinds import TRUSTABLE, is_readable, kind_of, refuse_others
from ramiel_core.model.onnx import dimensions

FILE_ENDINGS = re.compile(
    r".+\.(onnx|pt|pth|pt2|pkl|ckpt|bin|safetensors|h5|keras|tflite|pb|torchscript|traced)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"(?P<path>.+\.onnx)(?:@(?P<sizes>.*))?", re.IGNORECASE | re.DOTALL)


def is_file(text: str) -> bool:
    """Whether a text names a file rather than a model of the registry."""
    return bool(_REFERENCE.fullmatch(text)) or bool(FILE_ENDINGS.fullmatch(text))


def is_onnx(text: str) -> bool:
    """Whether a text names an ONNX file."""
    return bool(_REFERENCE.fullmatch(text))


def label(text: str) -> str:
    """A model's name as it is shown: of a file without the folders it lies in."""
    return text.rpartition("/")[2].removesuffix(portable.ENDING) if is_file(text) else text


def resolve(text: str, *, uploaded_only: bool = False) -> str:
    """The name under which a model is known, checked.

    Parameters
    ----------
    text : str
        What a user typed: a name of the registry, or a file.
    uploaded_only : bool
        For addresses, which must not read whatever lies on the host.

    Raises
    ------
    ModelError
        For an unknown name, or a file that is gone or no ONNX model.
    """
    text = text.strip()
    if not is_file(text):
        return zoo.resolve(text)
    path, _ = located(text, uploaded_only=uploaded_only)
    refuse_others(path)
    return text


def located(text: str, *, uploaded_only: bool = False) -> tuple[Path, dict[str, int]]:
    """Path and sizes of a file's name.

    Raises
    ------
    ModelError
        Where there is no such file, or the sizes cannot be read.
    """
    match = _REFERENCE.fullmatch(text)
    name, sizes = (match["path"], match["sizes"]) if match else (text, None)
    if not text.isprintable() or set(text) & set("\"'\\`<>"):
        raise ModelError("the file's name has quotes, brackets or worse; rename it.")
    path = uploads.path_of(name)
    if path is None and uploaded_only:
        raise ModelError(
            f"the address names the file {name[:80]!r}; pages open uploaded files only, so upload "
            f"it on the start page."
        )
    if path is None:
        path = Path(name)
        if not is_readable(path):
            raise ModelError(f"there is no file {name[-80:]!r} that can be read; check its path.")
    return path, _sizes(sizes or "")


def _sizes(text: str) -> dict[str, int]:
    parts = (size(part) for part in text.split(",") if part)
    return {unquote(name): number for name, number in parts}


def size(text: str) -> tuple[str, int]:
    """One `NAME=SIZE`.

    Raises
    ------
    ModelError
        For anything else.
    """
    name, _, number = text.rpartition("=")
    if not name or not re.fullmatch(r"[0-9]{1,10}", number):
        raise ModelError(f"{text[:80]!r} is no size of a dimension; write NAME=SIZE, as batch=1.")
    return name, int(number)


def with_sizes(text: str, sizes: Mapping[str, int]) -> str:
    """A file's name with these sizes, beside those that it has.

    Raises
    ------
    ModelError
        For a model of the registry, whose sizes are fixed.
    """
    match = _REFERENCE.fullmatch(text)
    if not sizes:
        return text
    if match is None:
        raise ModelError(f"{text} is no ONNX file, so all of its sizes are fixed; leave --dim out.")
    all_sizes = {**_sizes(match["sizes"] or ""), **sizes}
    return f"{match['path']}@{','.join(f'{quote(name)}={n}' for name, n in all_sizes.items())}"


def stamp(text: str) -> tuple[int, int] | None:
    """What changes when a file does; None for a name of the registry."""
    if not is_file(text):
        return None
    found = located(text)[0].stat()
    return found.st_mtime_ns, found.st_size


def load(text: str, device: str = "cpu") -> TracedModel:
    """Import the model that a file's name says.

    Raises
    ------
    ModelError
        As `from_onnx.load`.
    """
    path, sizes = located(text)
    refuse_others(path)
    if path.suffix == portable.ENDING:
        return portable.load(path, device, label(text))
    return from_onnx.load(path, sizes, device, name=label(text))


def dimensions_of(text: str) -> dict[str, int]:
    """The dynamic dimensions of a file's model with their sizes; of a registry's model none."""
    if not is_onnx(text):
        return {}
    path, sizes = located(text)
    return {**dimensions.defaults(from_onnx.describe(path).inputs), **sizes}


def describe(text: str) -> about.Description:
    """What a file says of itself before it is loaded.

    Raises
    ------
    ModelError
        For what is no model, or a damaged one.
    """
    path, _ = located(text)
    kind = kind_of(path)
    if kind in TRUSTABLE:
        return about.of_archive(path, kind)
    refuse_others(path)
    return about.of_traced(path) if kind == "traced" else about.of_onnx(path)


def weight_warnings(text: str) -> list[str]:
    """Sentences on weights that are no numbers; of a model of the registry none."""
    if not is_file(text):
        return []
    path, _ = located(text)
    of = portable if path.suffix == portable.ENDING else from_onnx
    return numbers.sentences(of.strange_weights(path))
