"""An ONNX file -> its structure and, apart from it, its weights: read when asked for, once.

A model of a gigabyte is a few hundred kilobytes of structure and the rest weights. The structure
is cut out of the file by walking over its fields (protobuf's wire format: a tag, a length, so many
bytes), so that nothing large is read before it is known to be wanted, and nothing twice.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError

from ramiel_core.errors import ModelError, UnsupportedError

TYPES: Mapping[int, torch.dtype] = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.BFLOAT16: torch.bfloat16,
    onnx.TensorProto.INT8: torch.int8,
    onnx.TensorProto.INT16: torch.int16,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.UINT16: torch.uint16,
    onnx.TensorProto.UINT32: torch.uint32,
    onnx.TensorProto.UINT64: torch.uint64,
    onnx.TensorProto.BOOL: torch.bool,
}
CODES: Mapping[torch.dtype, int] = {dtype: code for code, dtype in TYPES.items()}
PIECE_BYTES = 2**24  # of a weight that is looked through
SMALL_BYTES = 2**16  # what shape arithmetic may read; more is a weight
# Field numbers of onnx.proto that lead to the weights.
GRAPH, INITIALIZER = 7, 5
RAW_DATA, FLOAT_DATA, DOUBLE_DATA = 9, 4, 10
AS_THEY_LIE = (RAW_DATA, FLOAT_DATA, DOUBLE_DATA)  # bytes that a tensor may take as they are
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
MOST_FIELDS = 1_000_000  # of one message: of two bytes each they would take minutes
MOST_DIGITS = 18  # of an offset or a length
LONGEST_PATH = 255  # bytes of a name beside the model, as file systems take one


def type_of(code: int, where: str) -> torch.dtype:
    """The torch type of an ONNX element type.

    Raises
    ------
    UnsupportedError
        For strings, complex numbers and types of less than a byte.
    """
    if code not in TYPES:
        known = code in onnx.TensorProto.DataType.values()
        name = onnx.TensorProto.DataType.Name(code) if known else f"number {code}"
        raise UnsupportedError(
            f"{where} is of type {name}, which is not imported; float, double, float16, bfloat16, "
            f"bool and integers of 8 to 64 bits are."
        )
    return TYPES[code]


@dataclass(frozen=True)
class Place:
    """Where the bytes of a weight lie."""

    path: Path
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class OnnxFile:
    """The structure of a model, and where its weights lie."""

    path: Path
    model: onnx.ModelProto  # without the numbers of its larger weights
    places: Mapping[int, Place]  # of those, by their number in the graph's initializers

    @cached_property
    def opset(self) -> int:
        """Version of the standard operators; 0 where the file names none."""
        return next((o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 0)

    @cached_property
    def beside(self) -> tuple[str, ...]:
        """Files that hold weights, relative to the model's folder; each once."""
        weights = self.model.graph.initializer
        held = [w for w in weights if w.data_location == onnx.TensorProto.EXTERNAL]
        told = (entry.value for w in held for entry in w.external_data if entry.key == "location")
        return tuple(dict.fromkeys(told))

    @property
    def size_bytes(self) -> int:
        """Of the file, and of those beside it that hold weights of it."""
        folder = self.path.parent
        held = (p.stat().st_size for p in folder.iterdir() if p.name in self.beside)
        return self.path.stat().st_size + sum(held)

    def pieces(self, number: int) -> Iterator[torch.Tensor]:
        """The numbers of one initializer, no more than `PIECE_BYTES` in memory at a time.

        Raises
        ------
        ModelError
            As `weight`.
        """
        proto = self.model.graph.initializer[number]
        where = f"the weight {proto.name[:80]!r}"
        place = self._place(number, proto)
        if place is None:
            yield constant(proto, where)
            return
        _check_end(place, where)
        dtype = type_of(proto.data_type, where)
        with place.path.open("rb") as file:
            for start in range(0, place.size_bytes, PIECE_BYTES):
                file.seek(place.offset + start)
                wanted = min(PIECE_BYTES, place.size_bytes - start)
                yield torch.frombuffer(bytearray(file.read(wanted)), dtype=dtype)

    def weight(self, number: int, device: str) -> torch.Tensor:
        """The initializer of this number; on "meta", larger ones have no numbers.

        Raises
        ------
        ModelError
            Where its bytes are missing, too few, or outside the file's folder.
        """
        proto = self.model.graph.initializer[number]
        where = f"the weight {proto.name[:80]!r}"
        dtype, shape = type_of(proto.data_type, where), tuple(proto.dims)
        if min(shape, default=0) < 0:
            raise ModelError(f"{where} has a negative dimension; the file is damaged, export anew.")
        needed = math.prod(shape) * dtype.itemsize
        place = self._place(number, proto)
        if place is None:
            return constant(proto, where)
        if place.size_bytes != needed:
            raise ModelError(
                f"{where} should have {needed:,} bytes by its shape, but the file holds "
                f"{place.size_bytes:,}; the file is damaged, download or export it anew."
            )
        if device == "meta" and needed > SMALL_BYTES:
            return torch.empty(shape, dtype=dtype, device="meta")
        return _read(place, dtype, shape, where)

    def _place(self, number: int, proto: onnx.TensorProto) -> Place | None:
        where = f"the weight {proto.name[:80]!r}"
        needed = math.prod(proto.dims) * type_of(proto.data_type, where).itemsize
        return self.places.get(number) or self._beside(proto, where, needed)

    def _beside(self, proto: onnx.TensorProto, where: str, needed: int) -> Place | None:
        """Where a weight lies in a file of its own; only files in the model's folder are read."""
        if proto.data_location != onnx.TensorProto.EXTERNAL:
            return None
        told = {entry.key: entry.value for entry in proto.external_data}
        folder = self.path.resolve().parent
        name = told.get("location", "")
        path = inside(folder, name, where)
        if not path.is_file():
            raise ModelError(
                f"{where} lies in {name[:80]!r}, which is not beside the model; put it into the "
                f"same folder, or export with the weights inside."
            )
        offset, size = (_whole(told.get(key), where) for key in ("offset", "length"))
        return Place(path, offset or 0, needed if size is None else size)


def inside(folder: Path, name: str, where: str) -> Path:
    """The path of a file in a folder, or below it.

    Raises
    ------
    ModelError
        For a name that leads out of it, or is none.
    """
    if not name.isprintable() or len(name.encode()) > LONGEST_PATH:
        raise ModelError(
            f"{where} lies in {name[:80]!r}, which is no name of a file; export the model anew."
        )
    path = (folder / name).resolve()
    if not name or path == folder or not path.is_relative_to(folder):
        raise ModelError(
            f"{where} lies in {name[:80]!r}, outside the model's folder; only files beside the "
            f".onnx file are read, so move it there or export with the weights inside."
        )
    return path


def _whole(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ModelError(f"{where} has the offset or length {text[:40]!r}; export the model anew.")
    return int(text)


def _check_end(place: Place, where: str) -> None:
    present = place.path.stat().st_size
    if place.offset + place.size_bytes > present:
        raise ModelError(
            f"{where} should end at byte {place.offset + place.size_bytes:,} of "
            f"{place.path.name}, which has {present:,}; download or export it anew."
        )


def _read(place: Place, dtype: torch.dtype, shape: tuple[int, ...], where: str) -> torch.Tensor:
    """Read straight into the tensor's own memory, so that weights exist once."""
    _check_end(place, where)
    flat = np.fromfile(place.path, np.uint8, place.size_bytes, offset=place.offset)
    return torch.from_numpy(flat).view(dtype).reshape(shape)


def constant(proto: onnx.TensorProto, where: str) -> torch.Tensor:
    """A tensor that is written out in the structure itself.

    Raises
    ------
    ModelError
        Where numbers and shape do not fit, or the type is not imported.
    """
    dtype = type_of(proto.data_type, where)
    if proto.data_location == onnx.TensorProto.EXTERNAL:  # which onnx would look for anywhere
        raise UnsupportedError(
            f"{where} keeps its numbers in another file, read only for weights of the model "
            f"itself; export it with them inside."
        )
    needed = math.prod(proto.dims) * dtype.itemsize
    if needed > proto.ByteSize() * 8:  # numbers as varints take a byte each
        raise ModelError(
            f"{where} should have {needed:,} bytes by its shape, but the file holds none of them; "
            f"the file is damaged, download or export it anew."
        )
    try:
        array = onnx.numpy_helper.to_array(proto)
    except (ValueError, TypeError) as cause:
        raise ModelError(
            f"{where} cannot be read ({str(cause).splitlines()[0]}); the file is damaged, download "
            f"or export it anew."
        ) from cause
    return from_array(array, dtype)


def from_array(array: np.ndarray[Any, Any], dtype: torch.dtype) -> torch.Tensor:
    """A tensor of these numbers, in memory of its own; numpy itself has no bfloat16."""
    if dtype is torch.bfloat16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(np.array(array, order="C"))


# --- the structure without the weights ------------------------------------------------------


def opened(path: Path) -> OnnxFile:
    """Read the structure of a file.

    Raises
    ------
    ModelError
        Where it is no ONNX file, or ends too early.
    """
    size = path.stat().st_size
    if not size:
        raise ModelError(f"{path.name} is empty; download or export it anew.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            structure, places = _without_weights(data, path)
        except _NotProtobufError as cause:
            raise ModelError(
                f"{path.name} is no ONNX file, or only a part of one ({cause}); download or export "
                f"it anew."
            ) from cause
    model = onnx.ModelProto()
    try:
        model.ParseFromString(structure)
    except DecodeError as cause:
        raise ModelError(
            f"{path.name} is no ONNX file, or a damaged one; download or export it anew."
        ) from cause
    return OnnxFile(path, model, places)


class _NotProtobufError(Exception):
    """Bytes that cannot be fields of a message."""


_Part = bytes | tuple[int, int]  # of a message: new bytes, or those from one of a file's to another


def _without_weights(data: mmap.mmap, path: Path) -> tuple[bytes, dict[int, Place]]:
    """The model's message without large numbers of weights, and where those are.

    Pieces are copied once, at the end: some exporters keep all weights in operators, where they
    are not cut out.
    """
    places: dict[int, Place] = {}
    parts: list[_Part] = []
    for number, _, start, content, end in _fields(data, 0, len(data)):
        if number != GRAPH:
            parts.append((start, end))
            continue
        graph = _graph(data, content, end, places, path)
        parts += [_tag(GRAPH, sum(map(_length, graph))), *graph]
    whole = bytearray()
    for part in parts:
        whole += part if isinstance(part, bytes) else data[part[0] : part[1]]
    return bytes(whole), places


def _length(part: _Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]


def _graph(
    data: mmap.mmap, start: int, end: int, places: dict[int, Place], path: Path
) -> list[_Part]:
    parts: list[_Part] = []
    count = 0
    for number, _, field_start, content, field_end in _fields(data, start, end):
        if number != INITIALIZER:
            parts.append((field_start, field_end))
            continue
        kept: list[_Part] = []
        for inner, kind, inner_start, inner_content, inner_end in _fields(data, content, field_end):
            size = inner_end - inner_content
            if inner in AS_THEY_LIE and kind == BYTES and size > SMALL_BYTES:
                places[count] = Place(path, inner_content, size)
            else:
                kept.append((inner_start, inner_end))
        parts += [_tag(INITIALIZER, sum(map(_length, kept))), *kept]
        count += 1
    return parts


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(number, wire type, start, start of its content, end) of each field of a message."""
    for _ in range(MOST_FIELDS):
        if at >= end:
            return
        start = at
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == VARINT:
            content, (_, at) = at, _varint(data, at, end)
        elif kind in (FIXED64, FIXED32):
            content, at = at, at + (8 if kind == FIXED64 else 4)
        elif kind == BYTES:
            length, content = _varint(data, at, end)
            at = content + length
        else:
            raise _NotProtobufError(f"byte {start:,} starts no field")
        if at > end:
            raise _NotProtobufError(f"it ends inside the field at byte {start:,}")
        if tag < 8:
            raise _NotProtobufError(f"the field at byte {start:,} has no number")
        yield tag >> 3, kind, start, content, at
    raise _NotProtobufError(f"byte {at:,} comes after more than {MOST_FIELDS:,} fields")


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _NotProtobufError(f"it ends inside a number at byte {at:,}")


def _tag(number: int, length: int) -> bytes:
    """The head of a field of bytes."""
    head = bytearray([number << 3 | BYTES])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)
