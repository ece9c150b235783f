"""Nodes of ONNX as messages: their order, their attributes, what the standard says they mean."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping
from typing import Any

import onnx
import torch

from ramiel_core.errors import ModelError
from ramiel_core.model.onnx.file import CODES
from ramiel_core.model.onnx.registry import Call


def in_order(nodes: Any) -> list[onnx.NodeProto]:
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
            yield from _names_around(attribute.g)


def _names_around(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that a subgraph reads and does not define itself."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own.update(name for node in graph.node for name in node.output)
    read = [name for node in graph.node for name in _names_read(node)]
    yield from (name for name in (*read, *(v.name for v in graph.output)) if name not in own)


def bound(node: onnx.NodeProto, attributes: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """`node` with the attributes that it takes from the function around it."""
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    made = onnx.NodeProto()
    made.CopyFrom(node)
    del made.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            made.attribute.append(attribute)
        elif attribute.ref_attr_name in attributes:
            given = made.attribute.add()
            given.CopyFrom(attributes[attribute.ref_attr_name])
            given.name = attribute.name
    return made


def definition(call: Call) -> onnx.FunctionProto | None:
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
