"""Walks through the nodes of a file and records the torch calls that they mean, one by one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch

from ramiel_core.errors import ModelError, RamielError, UnsupportedError, first_line
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
from ramiel_core.model.onnx.dimensions import Input
from ramiel_core.model.onnx.file import OnnxFile, constant, from_array
from ramiel_core.model.onnx.nodes import bound, definition, in_order
from ramiel_core.model.onnx.recorder import MOST_CONSTANTS_BYTES, Recorder, identifier, printable
from ramiel_core.model.onnx.registry import Call, find, version_of

STANDARD = ("", "ai.onnx")
MOST_NODES = 50_000  # once loops are written out and functions expanded
GROWTH = 8  # of constants over the file: weights in a byte become four, and are turned round


@dataclass
class _Frame:
    """What the names of one graph, subgraph or function mean."""

    values: ChainMap[str, Any]
    opset: int
    prefix: str = ""
    attributes: Mapping[str, onnx.AttributeProto] = field(default_factory=dict)


@dataclass(frozen=True)
class _Weight:
    """A weight that nobody has read yet, by its number in the file."""

    number: int


class Reader:
    """Walks through the nodes of one file under a recorder."""

    def __init__(self, file: OnnxFile, device: str) -> None:
        self.file, self.device = file, device
        room = max(MOST_CONSTANTS_BYTES, GROWTH * file.size_bytes)
        self.recorder = Recorder(room)
        self.functions = {(f.domain, f.name): f for f in file.model.functions}
        self.nodes = 0
        self._open: list[tuple[str, str]] = []  # functions whose nodes are being walked through
        self.weights: dict[int, tuple[str, torch.Tensor]] = {}  # read so far, by their numbers

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
            number = value.number
            value = self.file.weight(number, self.device)
            self.weights[number] = name, value
            self.recorder.name(value, name)
            owner = next(scope for scope in values.maps if name in scope)
            owner[name] = value
        return value

    # --- nodes --------------------------------------------------------------------------------

    def _walk(self, nodes: Any, frame: _Frame) -> None:
        for node in in_order(nodes):
            self.nodes += 1
            if self.nodes > MOST_NODES:
                raise UnsupportedError(
                    f"{self.file.path.name} has more than {MOST_NODES:,} operators once its loops "
                    f"are written out; export it with fewer turns."
                )
            self._node(bound(node, frame.attributes), frame)

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
            said = first_line(cause)[:200]
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
            return self._inside(call, function, frame)
        if not version_of(node.op_type, frame.opset):
            raise UnsupportedError(
                f"operator {node.op_type[:80]} (node {node.name[:80]!r}) does not exist in opset "
                f"{frame.opset} of ONNX; export the model without it."
            )
        handler = find(node.op_type, frame.opset)
        if handler is not None:
            return handler(call, *call.inputs)
        meaning = definition(call)
        if meaning is None:
            raise UnsupportedError(f"{call} is not imported; leave it out before exporting.")
        return self._expanded(call, meaning, frame)

    def _inside(self, call: Call, function: onnx.FunctionProto, frame: _Frame) -> Any:
        """A function of the file's own, which must not be inside itself."""
        name = function.domain, function.name
        if name in self._open:
            raise call.wrong("calls itself")
        self._open.append(name)
        result = self._expanded(call, function, frame)
        self._open.pop()
        return result

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
