"""ONNX file -> TracedModel: torch calls that the file's operators mean, recorded one by one.

1. The file's structure is read, without its weights (`onnx.file`).
2. Each dynamic dimension gets a size, so that every shape is known.
3. Each node is looked up in a table (`onnx.registry`) and its function called under a recorder:
   what follows from constants alone, such as shape arithmetic, is computed at once, everything
   else becomes a torch call in an fx graph (`onnx.recorder`). An operator without a function of its
   own is expanded by the definition that the ONNX standard gives in simpler operators.
"""

from __future__ import annotations

import graphlib
from collections import ChainMap, Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import fx

from ramiel_core.errors import ModelError, RamielError, UnsupportedError
from ramiel_core.ir import TracedModel
from ramiel_core.model.numbers import strangest
from ramiel_core.model.onnx import (  # noqa: F401 - each enters its operators into the table
    control,
    convolution,
    elementwise,
    image,
    indexing,
    layout,
    normalization,
    quantization,
    recurrent,
    reduce,
)
from ramiel_core.model.onnx.dimensions import Input, inputs_of, sized
from ramiel_core.model.onnx.file import CODES, OnnxFile, constant, from_array, opened
from ramiel_core.model.onnx.recorder import Recorder, identifier, printable
from ramiel_core.model.onnx.registry import (
    NEWEST_OPSET,
    OLDEST_OPSET,
    Call,
    find,
    version_of,
)

STANDARD = ("", "ai.onnx")
MOST_NODES = 50_000  # once loops are written out and functions expanded
SEED = 0


@dataclass(frozen=True)
class Description:
    """What an ONNX file says of itself, without its weights being read."""

    size_bytes: int
    opset: int
    producer: str
    inputs: tuple[Input, ...]
    operators: Mapping[str, int]  # how often each occurs
    beside: tuple[str, ...] = ()  # files that hold weights of it, relative to its folder


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
    size = path.stat().st_size
    counts = Counter(node.op_type for node in model.graph.node)
    inputs = inputs_of(model.graph)
    return Description(size, file.opset, producer[:80], inputs, counts, file.beside)


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
    reader = _Reader(file, device)
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
    return TracedModel(name or path.name, module.eval(), tuple(examples), tracer="onnx")


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


@dataclass
class _Frame:
    """What the names of one graph, subgraph or function mean."""

    values: ChainMap[str, Any]
    opset: int
    prefix: str = ""
    attributes: Mapping[str, onnx.AttributeProto] = field(default_factory=dict)


class _Reader:
    """Walks through the nodes of one file under a recorder."""

    def __init__(self, file: OnnxFile, device: str) -> None:
        self.file, self.device = file, device
        self.recorder = Recorder()
        self.functions = {(f.domain, f.name): f for f in file.model.functions}
        self.nodes = 0

    def read(self, inputs: tuple[Input, ...], fixed: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Record the whole graph."""
        graph = self.file.model.graph
        values: ChainMap[str, Any] = ChainMap({})
        for number, proto in enumerate(graph.initializer):
            self._define(values, proto.name, _Weight(number))
        for given in inputs:
            if given.name in fixed:
                made = from_array(np.asarray(fixed[given.name]), given.dtype)
            else:
                made = self.recorder.input(given.name, given.shape, given.dtype)
            self._define(values, given.name, made)
        self._walk(graph.node, _Frame(values, self.file.opset))
        found = [self._value(values, value.name, "the model's output") for value in graph.output]
        if not all(isinstance(value, torch.Tensor) for value in found):
            raise UnsupportedError(
                f"{self.file.path.name} returns a list of tensors, which is not imported; return "
                f"the tensors themselves."
            )
        self.recorder.output(found)

    def _define(self, values: ChainMap[str, Any], name: str, value: Any) -> None:
        if name in values.maps[0]:
            raise ModelError(
                f"{self.file.path.name} defines {name[:80]!r} twice; the file is damaged, export "
                f"it anew."
            )
        values[name] = value

    def _value(self, values: ChainMap[str, Any], name: str, reader: object) -> Any:
        if not name:
            return None
        if name not in values:
            raise ModelError(
                f"{reader} reads {name[:80]!r}, which no operator makes and which is neither an "
                f"input nor a weight; the file is damaged, export it anew."
            )
        value = values[name]
        if isinstance(value, _Weight):
            value = self.file.weight(value.number, self.device)
            self.recorder.name(value, name)
            owner = next(scope for scope in values.maps if name in scope)
            owner[name] = value
        return value

    # --- nodes --------------------------------------------------------------------------------

    def _walk(self, nodes: Any, frame: _Frame) -> None:
        for node in _in_order(nodes):
            self.nodes += 1
            if self.nodes > MOST_NODES:
                raise UnsupportedError(
                    f"{self.file.path.name} has more than {MOST_NODES:,} operators once its loops "
                    f"are written out; export it with fewer turns."
                )
            self._node(_bound(node, frame), frame)

    def _node(self, node: onnx.NodeProto, frame: _Frame) -> None:
        call = Call(node, frame.opset, self.recorder, [], self._subgraph(frame))
        call.inputs = [self._value(frame.values, name, call) for name in node.input]
        first = next((name for name in node.output if name), node.op_type)
        self.recorder.where = str(call)
        self.recorder.label = printable(node.name or f"{frame.prefix}{first}")
        self.recorder.result = identifier(f"{frame.prefix}{first}")
        try:
            result = self._result(call, frame)
        except RamielError:
            raise
        except Exception as cause:
            said = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
            raise ModelError(
                f"{call} does not fit its inputs ({said.rstrip('.')}); the sizes of dynamic "
                f"dimensions (--dim NAME=SIZE) are the usual cause, else the file is damaged."
            ) from cause
        results = result if isinstance(result, (tuple, list)) else (result,)
        if len(results) < call.outputs():
            raise call.refuse(f"returns {call.outputs()} values, of which not all are imported")
        for name, value in zip(node.output, results, strict=False):
            if name:
                self._define(frame.values, name, value)

    def _result(self, call: Call, frame: _Frame) -> Any:
        """What the node returns: by its function, or by its definition in simpler operators."""
        node = call.node
        if node.domain not in STANDARD:
            function = self.functions.get((node.domain, node.op_type))
            if function is None:
                raise UnsupportedError(
                    f"operator {node.op_type} of the domain {node.domain[:40]!r} (node "
                    f"{node.name[:80]!r}) is not imported, only standard ONNX is; export without "
                    f"the extensions of one runtime."
                )
            return self._expanded(call, function, frame)
        if not version_of(node.op_type, frame.opset):
            raise UnsupportedError(
                f"operator {node.op_type[:80]} (node {node.name[:80]!r}) does not exist in opset "
                f"{frame.opset} of ONNX; export the model without it."
            )
        handler = find(node.op_type, frame.opset)
        if handler is not None:
            return handler(call, *call.inputs)
        definition = _definition(call)
        if definition is None:
            raise UnsupportedError(f"{call} is not imported; leave it out before exporting.")
        return self._expanded(call, definition, frame)

    def _expanded(self, call: Call, function: onnx.FunctionProto, frame: _Frame) -> Any:
        attributes = {a.name: a for a in function.attribute_proto}
        if call.node.domain in STANDARD:
            known = onnx.defs.get_schema(call.node.op_type, frame.opset, "").attributes
            given = {name: a.default_value for name, a in known.items() if a.default_value.type}
            attributes.update(given)
        attributes.update({a.name: a for a in call.node.attribute})
        inputs = [*call.inputs, *[None] * (len(function.input) - len(call.inputs))]
        values: ChainMap[str, Any] = ChainMap(dict(zip(function.input, inputs, strict=False)))
        opset = next(
            (o.version for o in function.opset_import if o.domain in STANDARD), frame.opset
        )
        result = call.recorder.result
        self._walk(function.node, _Frame(values, opset, f"{result}_", attributes))
        return tuple(self._value(values, n, call) if n in values else None for n in function.output)

    def _subgraph(self, frame: _Frame) -> Callable[..., list[Any]]:
        """Runs a subgraph, which sees the names around it."""

        def run(graph: onnx.GraphProto, inputs: list[Any]) -> list[Any]:
            values = frame.values.new_child()
            values.update(zip((value.name for value in graph.input), inputs, strict=True))
            for proto in graph.initializer:
                values[proto.name] = constant(proto, f"the weight {proto.name!r}")
            self._walk(graph.node, _Frame(values, frame.opset, frame.prefix, frame.attributes))
            return [self._value(values, value.name, "a subgraph") for value in graph.output]

        return run


@dataclass(frozen=True)
class _Weight:
    """A weight that nobody has read yet, by its number in the file."""

    number: int


def _definition(call: Call) -> onnx.FunctionProto | None:
    """What the ONNX standard says that an operator is, in simpler ones."""
    # The stubs of onnx lack what its schemas say of functions.
    schema: Any = onnx.defs.get_schema(call.node.op_type, call.opset, "")
    if schema.has_function:
        body: onnx.FunctionProto = schema.function_body
        return body
    if not schema.has_context_dependent_function:
        return None
    types = [
        onnx.helper.make_tensor_type_proto(CODES[value.dtype], value.shape)
        if isinstance(value, torch.Tensor)
        else onnx.TypeProto()
        for value in call.inputs
    ]
    packed = [kind.SerializeToString() for kind in types]
    versions = schema.context_dependent_function_opset_versions
    version = max((v for v in versions if v <= call.opset), default=versions[0])
    made = onnx.FunctionProto()
    made.ParseFromString(
        schema.get_context_dependent_function_with_opset_version(
            version, call.node.SerializeToString(), packed
        )
    )
    return made if made.node else None


def _bound(node: onnx.NodeProto, frame: _Frame) -> onnx.NodeProto:
    """`node` with the attributes that it takes from the function around it."""
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    made = onnx.NodeProto()
    made.CopyFrom(node)
    del made.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            made.attribute.append(attribute)
        elif attribute.ref_attr_name in frame.attributes:
            given = made.attribute.add()
            given.CopyFrom(frame.attributes[attribute.ref_attr_name])
            given.name = attribute.name
    return made


def _in_order(nodes: Any) -> list[onnx.NodeProto]:
    """Nodes after what they read; the file's own order where that is one.

    Raises
    ------
    ModelError
        Where operators wait for each other; names one.
    """
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    reads = [[makers[name] for name in _names_read(node) if name in makers] for node in nodes]
    if all(maker < i for i, made in enumerate(reads) for maker in made):
        return list(nodes)
    sorter = graphlib.TopologicalSorter(dict(enumerate(reads)))
    try:
        return [nodes[i] for i in sorter.static_order()]
    except graphlib.CycleError as cause:
        node = nodes[cause.args[1][0]]
        raise ModelError(
            f"operator {node.op_type} (node {node.name[:80]!r}) waits for its own result: the "
            f"graph has a cycle; the file is damaged, export it anew."
        ) from cause


def _names_read(node: onnx.NodeProto) -> Iterator[str]:
    """Names that a node or its subgraphs read."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            for inner in attribute.g.node:
                yield from _names_read(inner)
            yield from (value.name for value in attribute.g.output)
