"""What a model file says of itself before it is loaded: nothing of it is executed for that."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from ramiel_core.errors import ModelError
from ramiel_core.model import from_onnx, portable

MOST_BYTES = 2**28  # of the description inside an archive; the weights lie apart from it
# How torch.export numbers the element types of what it writes.
_DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
           8: "float64", 12: "bool", 13: "bfloat16"}  # fmt: skip


@dataclass(frozen=True)
class Description:
    """What a model file says of itself."""

    format: str  # with its version: "ONNX, opset 18"
    size_bytes: int  # with the files beside it
    producer: str
    inputs: tuple[str, ...]  # as a person reads them; none where they are not told
    operators: Mapping[str, int]  # how often each occurs


def of_onnx(path: Path) -> Description:
    """Of an ONNX file; raises as `from_onnx.describe`."""
    found = from_onnx.describe(path)
    return Description(
        f"ONNX, opset {found.opset}",
        found.size_bytes,
        found.producer,
        tuple(map(str, found.inputs)),
        found.operators,
    )


def of_traced(path: Path) -> Description:
    """Of what was traced of an archive; raises `ModelError` where it is damaged."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            nodes = json.loads((file.metadata() or {})["nodes"])
        inputs = tuple(node["name"] for node in nodes if node["op"] == "placeholder")
        calls = [node["target"] for node in nodes if node["op"] == "call_function"]
    except (safetensors.SafetensorError, LookupError, ValueError, TypeError) as cause:
        raise ModelError(f"{path.stem} is damaged; open its file again.") from cause
    kind = f"traced of a {path.suffixes[-2] if len(path.suffixes) > 1 else ''} archive"
    operators = Counter(_short(call) for call in calls if call != portable.GETITEM)
    return Description(kind, path.stat().st_size, "", inputs, operators)


def of_archive(path: Path, kind: str) -> Description:
    """Of a torch.export or TorchScript archive, from the text in it.

    Raises
    ------
    ModelError
        For a damaged archive, or a torch.export archive without a graph.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if kind == "torch.export":
                return _of_export(path, archive)
            return _of_torchscript(path, archive)
    except (zipfile.BadZipFile, LookupError, ValueError, TypeError, AttributeError) as cause:
        raise ModelError(f"{path.name} is damaged; export or download it anew.") from cause


def _of_export(path: Path, archive: zipfile.ZipFile) -> Description:
    known = [name for name in archive.namelist() if re.search(r"/models/[^/]+\.json$", name)]
    if not known:
        raise ModelError(
            f"{path.name} holds no graph, only what was compiled of one or an older format; export "
            f"it again with torch.export.save."
        )
    model: Any = json.loads(_text(archive, known[0]))
    graph = model["graph_module"]["graph"]
    specs = model["graph_module"]["signature"]["input_specs"]
    given = [spec["user_input"]["arg"] for spec in specs if "user_input" in spec]
    names = [arg["as_tensor"]["name"] for arg in given if "as_tensor" in arg]
    version = model["schema_version"]
    return Description(
        f"torch.export archive, schema {version['major']}.{version['minor']}",
        path.stat().st_size,
        f"torch {model.get('torch_version', 'of an unknown version')}",
        tuple(f"{name}: {_tensor(graph['tensor_values'][name])}" for name in names),
        Counter(_short(node["target"].removeprefix("torch.ops.")) for node in graph["nodes"]),
    )


def _tensor(found: Mapping[str, Any]) -> str:
    sizes = [s.get("as_int") or s["as_expr"]["hint"]["as_int"] for s in found["sizes"]]
    return f"{_DTYPES.get(found['dtype'], 'other')}[{', '.join(map(str, sizes))}]"


def _of_torchscript(path: Path, archive: zipfile.ZipFile) -> Description:
    code = [name for name in archive.namelist() if name.endswith(".py") and "/code/" in name]
    calls = Counter[str]()
    for name in code:
        calls.update(re.findall(r"\btorch\.(\w+)\(", _text(archive, name)))
    return Description("TorchScript archive", path.stat().st_size, "not named", (), calls)


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise ModelError(f"{name[:80]} in the archive is larger than 256 MB; export it anew.")
    return archive.read(name).decode(errors="replace")


def _short(target: str) -> str:
    """The operator's name of `aten.conv2d.default`."""
    return target.split(".")[1] if target.count(".") > 1 else target
