"""Uploaded models, kept by their content; and what was traced of archives that execute code."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ramiel_core.errors import ModelError
from ramiel_core.model import portable
from ramiel_core.model.kept import DIGITS, Uploads, plain
from ramiel_core.model.kinds import TRUSTABLE, is_readable, kind_of, refuse_others
from ramiel_core.model.onnx.file import inside, opened

UPLOADS = Uploads("uploaded", 20)
PART = "part-"  # an upload that is being stored
PIECE_BYTES = 2**24
NAMED = 3  # files, in an error
ENDINGS = {"ONNX": ".onnx", "torch.export": ".pt2", "TorchScript": ".pt"}  # of kept uploads


def path_of(name: str) -> Path | None:
    """Where an upload of this name lies; None for a text that names none.

    Raises
    ------
    ModelError
        Where it is no longer kept.
    """
    path = UPLOADS.path_of(name)
    if path is not None and not is_readable(path):
        raise ModelError(
            f"the uploaded model {path.name[:80]} is no longer here; upload it again on the start "
            f"page."
        )
    return path


def keep(
    name: str,
    content: bytes | memoryview,
    beside: Mapping[str, bytes | memoryview] | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> str:
    """Store an uploaded file by name and content; returns the name under which it is found again.

    Parameters
    ----------
    name : str
        What its user calls it.
    content : bytes-like
        Of the file.
    beside : mapping, optional
        Files that were uploaded with it, by name: those in which an ONNX model keeps weights.
    tick : callable
        Called with the share that is stored, several times where that takes long.

    Raises
    ------
    UnsupportedError
        For what is neither ONNX nor can be trusted, by its first bytes; nothing is stored then.
    ModelError
        For files beside it that the model does not ask for, or lacks; names them.
    """
    beside = beside or {}
    part = Path(tempfile.mkdtemp(prefix=PART, dir=UPLOADS.folder))
    try:
        stem = plain(Path(name).stem, "model")
        path = part / f"{stem}.part"
        total = len(content) + sum(map(len, beside.values())) or 1
        digest, done = hashlib.sha256(stem.encode()), 0  # its address holds both
        for done in _written(path, content, digest):
            tick(done / total)
        kind = kind_of(path)
        if kind not in TRUSTABLE:
            refuse_others(path, name)
        path = path.rename(path.with_suffix(ENDINGS[kind]))
        places = _places(path, beside) if kind == "ONNX" else {}
        if extra := [given for given in beside if given not in places]:
            raise ModelError(_not_asked_for(name, extra, list(places)))
        for given, place in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            for more in _written(place, beside[given], digest):
                tick((done + more) / total)
            done += len(beside[given])
        folder = UPLOADS.folder / digest.hexdigest()[:DIGITS]
        if not (folder / path.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        folder.touch()
    finally:
        shutil.rmtree(part, ignore_errors=True)
    UPLOADS.forget_old()
    return UPLOADS.name_of(folder / path.name)


def _written(path: Path, content: bytes | memoryview, digest: Any) -> Iterator[int]:
    """Write a file piece by piece; yields the bytes that are written."""
    with path.open("wb") as file:
        for start in range(0, len(content), PIECE_BYTES):
            piece = content[start : start + PIECE_BYTES]
            file.write(piece)
            digest.update(piece)
            yield start + len(piece)


def _places(path: Path, beside: Collection[str]) -> dict[str, Path]:
    """Where the files belong that an ONNX model keeps weights in, by the names of the uploads."""
    asked = opened(path).beside
    folder = path.parent.resolve()
    places = {Path(name).name: inside(folder, name, "a weight") for name in asked}
    missing = [name for name in places if name not in beside]
    if missing:
        raise ModelError(
            f"{path.name} keeps weights in {_listed(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} missing; upload all of them together."
        )
    return places


def _not_asked_for(name: str, extra: Sequence[str], asked: Sequence[str]) -> str:
    says = f"only for {_listed(asked)}" if asked else "for no other file"
    return f"{name} does not ask for {_listed(extra)}, {says}; leave out what it does not ask for."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(name[:80] for name in names[:NAMED]) + more


def traced_name(path: Path, shapes: Sequence[str]) -> str:
    """The name that an archive has once it is traced with inputs of these shapes.

    Parameters
    ----------
    path : Path
        Of the archive.
    shapes : sequence of str
        As they were asked for.
    """
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    content.update(repr(tuple(shapes)).encode())
    folder = UPLOADS.folder / content.hexdigest()[:DIGITS]
    return UPLOADS.name_of(folder / f"{plain(path.name, 'model')}{portable.ENDING}")


def keep_traced(opened: Path, name: str) -> None:
    """Take over what a confined process has traced, once it is known to be data that can be read.

    Parameters
    ----------
    opened : Path
        As `portable.save` wrote it; it is moved.
    name : str
        As `traced_name` returns it.

    Raises
    ------
    ModelError
        Where it is anything else.
    """
    portable.load(opened, "meta", Path(name).stem)
    path = UPLOADS.folder / name.removeprefix(f"{UPLOADS.kind}/")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.move(opened, path)
    path.parent.touch()
    UPLOADS.forget_old()
