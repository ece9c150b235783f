"""What a file is, by its first bytes; and why all but ONNX is refused, with the way round."""

from __future__ import annotations

import os
import re
import zipfile
from contextlib import suppress
from pathlib import Path

from ramiel_core.errors import UnsupportedError
from ramiel_core.model import portable

TRUSTABLE = frozenset({"torch.export", "TorchScript"})  # loaded after consent, in limits
CHECKPOINT_WAY = "export the model to ONNX with torch.onnx.export(model, inputs, 'model.onnx')"
REFUSED = {  # what else is uploaded as a model, and what to do instead
    "torch.export": (
        f"is a torch.export archive, and loading one can execute code that it holds; "
        f"{CHECKPOINT_WAY}, or trust it: --trust in a shell, a checkbox on the start page"
    ),
    "TorchScript": (
        f"is a TorchScript archive, and loading one can execute code that it holds; "
        f"{CHECKPOINT_WAY}, or trust it: --trust in a shell, a checkbox on the start page"
    ),
    "checkpoint": (
        f"is a pickle of torch.save, and loading one can execute code that it holds; "
        f"{CHECKPOINT_WAY}, or keep bare weights as safetensors"
    ),
    "pickle": (
        f"is a pickle, and loading one can execute code that it holds; {CHECKPOINT_WAY}, or keep "
        f"bare weights as safetensors"
    ),
    "safetensors": f"holds weights without a model; {CHECKPOINT_WAY}",
    "zip": "is a zip archive; unpack it and give the .onnx file in it",
    "HDF5": "is an HDF5 (Keras) model; convert it to ONNX with tf2onnx",
    "TFLite": "is a TFLite model; convert it to ONNX with tf2onnx",
    "text": "is a text file; give the .onnx file itself",
}


def is_readable(path: Path) -> bool:
    """Whether a file lies there that may be read; a name that no file system takes is no file's."""
    with suppress(OSError):
        return path.is_file() and os.access(path, os.R_OK)
    return False


def refuse_others(path: Path, name: str = "") -> None:
    """Refuse what is known to be no ONNX file, by its first bytes, with the way round.

    Parameters
    ----------
    path : Path
        Of the file.
    name : str
        What its user calls it, where that is something else.

    Raises
    ------
    UnsupportedError
        Says what it is, why it is refused, and what to do.
    """
    kind = kind_of(path)
    if kind == "traced":
        return
    if kind != "ONNX":
        raise UnsupportedError(f"{name or path.name} {REFUSED[kind]}.")
    if Path(name or path.name).suffix.lower() != ".onnx":
        raise UnsupportedError(f"{name or path.name} is no known format; ONNX files end in .onnx.")


def kind_of(path: Path) -> str:
    """What a file is by its first bytes: a key of `REFUSED`, "traced", or "ONNX" for others."""
    if path.suffix == portable.ENDING:
        return "traced"
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_archive(path)
    printable = head.isascii() and all(byte >= 0x20 or byte in b"\r\n\t" for byte in head)
    kinds = {
        "pickle": bool(re.match(rb"\x80[\x02-\x05]", head)),
        "HDF5": head.startswith(b"\x89HDF"),
        "TFLite": head[4:8] == b"TFL3",
        "safetensors": head[8:9] == b"{"
        and int.from_bytes(head[:8], "little") < path.stat().st_size,
        "text": bool(head) and printable,
    }
    return next((kind for kind, is_it in kinds.items() if is_it), "ONNX")


def _kind_of_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "zip"
    last = {name.rpartition("/")[2] for name in names}
    if "archive_format" in last or "serialized_exported_program.json" in last:
        return "torch.export"
    if "constants.pkl" in last or any("/code/" in name for name in names):
        return "TorchScript"
    return "checkpoint" if "data.pkl" in last else "zip"
