"""ONNX file -> TracedModel: torch calls that the file's operators mean, recorded one by one.

1. The file's structure is read, without its weights (`onnx.file`).
2. Each dynamic dimension gets a size, so that every shape is known.
3. Each node is looked up in a table (`onnx.registry`) and its function called under a recorder
   (`onnx.reader`): what follows from constants alone, such as shape arithmetic, is computed at
   once, everything else becomes a torch call in an fx graph (`onnx.recorder`). An operator without
   a function of its own is expanded by the definition that the ONNX standard gives in simpler
   operators.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx

from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.ir import TracedModel
from ramiel_core.model.numbers import strange, strangest
from ramiel_core.model.onnx.dimensions import Input, inputs_of, sized
from ramiel_core.model.onnx.file import OnnxFile, opened
from ramiel_core.model.onnx.reader import Reader
from ramiel_core.model.onnx.registry import NEWEST_OPSET, OLDEST_OPSET

SEED = 0


@dataclass(frozen=True)
class Description:
    """What an ONNX file says of itself, without its weights being read."""

    size_bytes: int  # with the files beside it
    opset: int
    producer: str
    inputs: tuple[Input, ...]
    operators: Mapping[str, int]  # how often each occurs


def describe(path: Path) -> Description:
    """Look into a file before it is loaded.

    Raises
    ------
    ModelError
        Where it is no ONNX file, or one of another version.
    """
    file = opened(path)
    _check(file)
    model = file.model
    producer = f"{model.producer_name} {model.producer_version}".strip() or "not named"
    counts = Counter(node.op_type for node in model.graph.node)
    inputs = inputs_of(model.graph)
    return Description(file.size_bytes, file.opset, producer[:80], inputs, counts)


def strange_weights(path: Path) -> Iterator[tuple[str, str]]:
    """Weights that hold numbers which are none, read piece by piece; with what they hold.

    Yields
    ------
    tuple[str, str]
        A weight's name, and "NaN" or "infinite numbers".
    """
    file = opened(path)
    for number, proto in enumerate(file.model.graph.initializer):
        found = strangest(file.pieces(number))
        if found:
            yield proto.name, found


def load(
    path: Path,
    sizes: Mapping[str, int],
    device: str = "cpu",
    name: str = "",
    fixed: Mapping[str, np.ndarray[Any, Any]] | None = None,
) -> TracedModel:
    """Import a model.

    Parameters
    ----------
    path : Path
        Of the `.onnx` file. Weights that it keeps outside are read from the same folder only.
    sizes : mapping
        Of dynamic dimensions, by name; the others get their defaults (`dimensions.inputs_of`).
    device : str
        "meta": shapes without numbers, so that no larger weight is read.
    name : str
        What reports and programs call it; empty for the file's own name.
    fixed : mapping
        Inputs that are to be constants, by name.

    Raises
    ------
    ModelError
        For a damaged file, and for a size that does not fit.
    UnsupportedError
        For what is not imported; names operator, version and node.
    """
    file = opened(path)
    _check(file)
    reader = Reader(file, device)
    inputs = sized(inputs_of(file.model.graph), sizes)
    with torch.no_grad(), reader.recorder:
        reader.read(inputs, fixed or {})
    module = fx.GraphModule(reader.recorder.root, reader.recorder.graph)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    examples = [_example(i) for i in inputs if i.name not in (fixed or {})]
    if device == "meta":
        module.to("meta")
        examples = [example.to("meta") for example in examples]
    read = (reader.weights[number] for number in sorted(reader.weights))
    found = () if device == "meta" else tuple(strange(read))
    return TracedModel(
        name or path.name, module.eval(), tuple(examples), "onnx", strange_weights=found
    )


def _check(file: OnnxFile) -> None:
    """Refuse what is no model, or of a version that is not known."""
    graph = file.model.graph
    if not file.model.opset_import or not file.model.HasField("graph"):
        raise ModelError(f"{file.path.name} holds no ONNX model; download or export it anew.")
    if not file.opset:
        raise UnsupportedError(
            f"{file.path.name} uses no standard operators, which alone are imported; export it "
            f"without the extensions of one runtime."
        )
    if not OLDEST_OPSET <= file.opset <= NEWEST_OPSET:
        raise UnsupportedError(
            f"{file.path.name} uses operators of opset {file.opset}; opsets {OLDEST_OPSET} to "
            f"{NEWEST_OPSET} are imported, so export it with one of these."
        )
    if not graph.node or not graph.output:
        missing = "operator" if not graph.node else "output"
        raise ModelError(f"{file.path.name} has no {missing}; there is nothing to plan.")
    if graph.sparse_initializer:
        raise UnsupportedError(
            f"{file.path.name} has sparse weights, which are not imported; export them as dense."
        )


def _example(given: Input) -> torch.Tensor:
    """Random numbers; for integers 0 or 1, which are valid as indices nearly everywhere."""
    generator = torch.Generator().manual_seed(SEED)
    if given.dtype.is_floating_point:
        return torch.randn(given.shape, generator=generator).to(given.dtype)
    if given.dtype is torch.bool or "mask" in given.name.lower():
        return torch.ones(given.shape, dtype=given.dtype)
    return torch.randint(0, 2, given.shape, generator=generator).to(given.dtype)
