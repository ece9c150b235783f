"""Small ONNX files: a sound one, and one for each way in which a file can be bad."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def model(nodes, weights=(), inputs=None, opset: int = 18, name: str = "y") -> onnx.ModelProto:
    """A model of these nodes that reads x (batch, 8) and returns `name`."""
    given = inputs or [helper.make_tensor_value_info("x", FLOAT, ["batch", 8])]
    made = [helper.make_tensor_value_info(name, FLOAT, None)]
    graph = helper.make_graph(nodes, "small", given, made, list(weights))
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    found.producer_name, found.ir_version = "tests", 10  # ONNX Runtime reads no newer one than 13
    return found


def weight(name: str = "dense.weight", shape: tuple[int, ...] = (8, 8)) -> onnx.TensorProto:
    numbers = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return numpy_helper.from_array(numbers, name)


NODES = (
    helper.make_node("MatMul", ["x", "dense.weight"], ["product"], "dense"),
    helper.make_node("Relu", ["product"], ["left"], "left"),
    helper.make_node("Sigmoid", ["product"], ["right"], "right"),
    helper.make_node("Add", ["left", "right"], ["y"], "sum"),
)


def sound() -> bytes:
    """Four operators, two side by side; `batch` is dynamic."""
    return model(NODES, [weight()]).SerializeToString()


def filled(number: float, side: int = 8) -> bytes:
    """The sound model, the last of its weights another number; larger ones have more of them."""
    numbers = np.zeros((8, side), np.float32)
    numbers[-1, -1] = number
    return model(NODES, [numpy_helper.from_array(numbers, "dense.weight")]).SerializeToString()


def _truncated() -> bytes:
    whole = model(NODES, [weight(shape=(8, 8))]).SerializeToString()
    return whole[: len(whole) // 2]


def _cyclic() -> bytes:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "second"),
        helper.make_node("Relu", ["b"], ["y"], "third"),
    ]
    return model(nodes).SerializeToString()


def _outside() -> bytes:
    return _beside(location="../../../../etc/passwd")


def _beside(**told: str) -> bytes:
    tensor = TensorProto(name="dense.weight", data_type=FLOAT, dims=[8, 8])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in told.items():
        tensor.external_data.add(key=key, value=value)
    return model(NODES, [tensor]).SerializeToString()


def _claimed() -> bytes:
    return model(
        NODES, [TensorProto(name="dense.weight", data_type=FLOAT, dims=[2**29])]
    ).SerializeToString()


def _huge_constant() -> bytes:
    shape = numpy_helper.from_array(np.array([2**16, 2**15], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"], "zeros"),
        helper.make_node("Add", ["x", "zeros"], ["y"], "sum"),
    ]
    return model(nodes, [shape]).SerializeToString()


def _many_constants() -> bytes:
    """Each below the limit of one."""
    shape = numpy_helper.from_array(np.array([2**25], np.int64), "shape")
    parts = [f"part{i}" for i in range(5)]
    nodes = [helper.make_node("ConstantOfShape", ["shape"], [part], part) for part in parts]
    nodes.append(helper.make_node("Concat", parts, ["all"], axis=0))
    nodes.append(helper.make_node("Add", ["x", "all"], ["y"], "sum"))
    return model(nodes, [shape]).SerializeToString()


def _external_constant() -> bytes:
    """Found from where the program was started, not beside the model."""
    tensor = TensorProto(data_type=FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="pyproject.toml")
    nodes = [
        helper.make_node("Constant", [], ["c"], "c", value=tensor),
        helper.make_node("Mul", ["x", "c"], ["y"]),
    ]
    return model(nodes).SerializeToString()


def _huge_resize() -> bytes:
    axes = numpy_helper.from_array(np.array([0, 1], np.int64), "axes")
    scales = numpy_helper.from_array(np.array([1, 1, 1e9, 1e9], np.float32), "scales")
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axes"], ["image"]),
        helper.make_node("Resize", ["image", "", "scales"], ["y"], "resize"),
    ]
    return model(nodes, [axes, scales]).SerializeToString()


def _recursive() -> bytes:
    call = helper.make_node("f", ["x"], ["y"], "call", domain="own")
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    made = model([call])
    made.opset_import.append(opsets[1])
    made.functions.append(helper.make_function("own", "f", ["x"], ["y"], [call], opsets))
    return made.SerializeToString()


def _huge_input() -> bytes:
    given = [helper.make_tensor_value_info("x", FLOAT, [2**31, 8])]
    return model(NODES, [weight()], given).SerializeToString()


def _unknown_operator() -> bytes:
    return model([helper.make_node("Frobnicate", ["x"], ["y"], "odd")]).SerializeToString()


def _other_domain() -> bytes:
    node = helper.make_node("FusedConv", ["x"], ["y"], "fused", domain="com.microsoft")
    return model([node]).SerializeToString()


def _endless() -> bytes:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["c"], ["d"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("c", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("d", FLOAT, None),
        ],
    )
    return model(
        [helper.make_node("Loop", ["", "", "x"], ["y"], "loop", body=body)]
    ).SerializeToString()


def _zip(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return packed.getvalue()


def _checkpoint() -> bytes:
    packed = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, packed)
    return packed.getvalue()


def _safetensors() -> bytes:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return struct.pack("<Q", len(header)) + header + bytes(4)


BAD: Mapping[str, tuple[Callable[[], bytes], str]] = {  # how it is made, what its error says
    "truncated": (_truncated, "download or export it anew"),
    "not protobuf": (lambda: b"\xff" * 4096, "no ONNX file"),
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"<!DOCTYPE html>\n<html>\n", "is a text file"),
    "torch.export": (lambda: _zip("m/archive_format"), "can execute code"),
    "TorchScript": (lambda: _zip("m/code/m.py", "m/constants.pkl"), "can execute code"),
    "checkpoint": (_checkpoint, "export the model to ONNX"),
    "pickle": (lambda: pickle.dumps({"a": 1}), "can execute code"),
    "safetensors": (_safetensors, "holds weights without a model"),
    "cyclic graph": (_cyclic, "has a cycle"),
    "missing initializer": (
        lambda: model(NODES).SerializeToString(),
        "'dense.weight', which no operator makes",
    ),
    "external data outside the folder": (_outside, "only files beside the .onnx file are read"),
    "external data of no name": (lambda: _beside(location="a\0b"), "which is no name of a file"),
    "external data of a long name": (
        lambda: _beside(location="a" * 3000),
        "which is no name of a file",
    ),
    "external data at no number": (
        lambda: _beside(location="bad.onnx", offset="²"),
        "has the offset or length '²'",
    ),
    "external data of a constant": (_external_constant, "keeps its numbers in another file"),
    "huge resize": (_huge_resize, "makes a constant of"),
    "function in itself": (_recursive, "calls itself; the file is damaged"),
    "two million fields": (lambda: b"\x08\x01" * 2_000_000, "more than 1,000,000 fields"),
    "zeros": (lambda: bytes(2**20), "the field at byte 0 has no number"),
    "many large constants": (_many_constants, "makes one constant too many"),
    "2 GB of zeros as dims": (_claimed, "should have 2,147,483,648 bytes"),
    "2 GB constant": (_huge_constant, "constant of 8.0 GB"),
    "huge input": (_huge_input, "would take 64 GB"),
    "unknown operator": (_unknown_operator, "operator Frobnicate (node 'odd') does not exist"),
    "other domain": (_other_domain, "operator FusedConv of the domain 'com.microsoft'"),
    "endless loop": (_endless, "operator Loop version 16 (node 'loop') turns more than 1000 times"),
    "unknown opset": (lambda: model(NODES, [weight()], opset=99).SerializeToString(), "opset 99"),
    "old opset": (lambda: model(NODES, [weight()], opset=6).SerializeToString(), "opset 6"),
    "empty graph": (lambda: model([], name="x").SerializeToString(), "has no operator"),
    "duplicate names": (
        lambda: model([*NODES, NODES[3]], [weight()]).SerializeToString(),
        "defines 'y' twice",
    ),
}
