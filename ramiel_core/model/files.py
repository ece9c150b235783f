"""Models by name: one of the registry's, or a file, with the sizes of its dynamic dimensions.

A file is named by its path, `models/bert.onnx`, or, where it was uploaded, by its content:
`uploaded/3f0c…/bert.onnx`. Sizes stand behind it: `models/bert.onnx@batch=1,seq=128`. So one text
names a model everywhere: in a shell, in an address, in a job that a launcher is to do.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ramiel_core.cache import cache_dir
from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.ir import TracedModel
from ramiel_core.model import about, from_onnx, numbers, portable, zoo
from ramiel_core.model.onnx import dimensions
from ramiel_core.model.onnx.file import inside, opened

UPLOADED = "uploaded"
KEPT = 20  # uploads, the newest
HASH_DIGITS = 32
PART = "part-"  # an upload that is being stored
PIECE_BYTES = 2**24
NAMED = 3  # files, in an error
ENDINGS = {"ONNX": ".onnx", "torch.export": ".pt2", "TorchScript": ".pt"}  # of kept uploads
TRUSTABLE = frozenset({"torch.export", "TorchScript"})  # loaded after consent, in limits
FILE_ENDINGS = re.compile(
    r".+\.(onnx|pt|pth|pt2|pkl|ckpt|bin|safetensors|h5|keras|tflite|pb|torchscript|traced)",
    re.IGNORECASE,
)
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
    folder, _, rest = name.partition("/")
    if folder == UPLOADED and re.fullmatch(rf"[0-9a-f]{{{HASH_DIGITS}}}/[\w.-]+", rest):
        path = _uploads() / rest
        if not path.is_file():
            raise ModelError(
                f"the uploaded model {path.name} is no longer here; upload it again on the start "
                f"page."
            )
    elif uploaded_only:
        raise ModelError(
            f"the address names the file {name[:80]!r}; pages open uploaded files only, so upload "
            f"it on the start page."
        )
    else:
        path = Path(name)
        if not path.is_file():
            raise ModelError(f"there is no file {name!r}; check its path.")
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


# --- uploads --------------------------------------------------------------------------------


def keep(
    name: str,
    content: bytes | memoryview,
    beside: Mapping[str, bytes | memoryview] | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> str:
    """Store an uploaded file by its content; returns the name under which it is found again.

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
    part = Path(tempfile.mkdtemp(prefix=PART, dir=_uploads()))
    try:
        path = part / f"{_plain(Path(name).stem)}.part"
        total = len(content) + sum(map(len, beside.values())) or 1
        digest, done = hashlib.sha256(), 0
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
        folder = _uploads() / digest.hexdigest()[:HASH_DIGITS]
        if not (folder / path.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        folder.touch()
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _forget_old()
    return f"{UPLOADED}/{folder.name}/{path.name}"


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


def traced_name(name: str, shapes: Sequence[str]) -> str:
    """The name that an archive has once it is traced with inputs of these shapes.

    Parameters
    ----------
    name : str
        Of the archive.
    shapes : sequence of str
        As they were asked for.
    """
    path, _ = located(name)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    content.update(repr(tuple(shapes)).encode())
    return f"{UPLOADED}/{content.hexdigest()[:HASH_DIGITS]}/{_plain(path.name)}{portable.ENDING}"


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
    portable.load(opened, "meta", label(name))
    path = _uploads() / name.removeprefix(f"{UPLOADED}/")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.move(opened, path)
    path.parent.touch()
    _forget_old()


def _plain(name: str) -> str:
    """What a file may be called in an address."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:60].strip("._") or "model"


def _uploads() -> Path:
    folder = cache_dir() / UPLOADED
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _forget_old() -> None:
    whole = [folder for folder in _uploads().iterdir() if not folder.name.startswith(PART)]
    by_age = sorted(whole, key=lambda f: f.stat().st_mtime, reverse=True)
    for folder in by_age[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


# --- what a file is -------------------------------------------------------------------------


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
