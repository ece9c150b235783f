"""ONNX files become readable torch calls that compute what ONNX Runtime computes."""

from __future__ import annotations

import io
import re
import time
from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ramiel_core import pipeline
from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.graph.extract import extract
from ramiel_core.kernels.onnx_runtime import run_file
from ramiel_core.model import from_onnx
from tests.onnx_files import FLOAT, NODES, model, sound, weight


class Branches(nn.Module):
    """A convolution with batch norm, two branches, and shapes that are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.left, self.right = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.cat((self.left(x), nn.functional.hardswish(self.right(x))), 1)
        x = nn.functional.max_pool2d(x, 2, ceil_mode=True).mean((2, 3))
        return self.head(x.view(x.shape[0], -1)), x


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The file that torch's tracing exporter writes, with a dynamic batch."""
    path = tmp_path_factory.mktemp("onnx") / "branches.onnx"
    packed = io.BytesIO()
    torch.manual_seed(0)
    torch.onnx.export(
        Branches().eval(),
        (torch.zeros(2, 3, 15, 15),),
        packed,
        dynamo=False,
        input_names=["image"],
        dynamic_axes={"image": {0: "batch"}},
    )
    path.write_bytes(packed.getvalue())
    return path


def saved(tmp_path, content: bytes):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return path


def outputs(path, sizes=None):
    """What the imported model and ONNX Runtime return for the same inputs."""
    traced = from_onnx.load(path, sizes or {})
    with torch.no_grad():
        made = traced.module(*traced.inputs)
    ours = [t.numpy() for t in (made if isinstance(made, tuple) else (made,))]
    return ours, run_file(path, [t.numpy() for t in traced.inputs])


@pytest.mark.parametrize("batch", [1, 3])
def test_an_export_of_torch_computes_what_onnx_runtime_does(exported, batch):
    for ours, theirs in zip(*outputs(exported, {"batch": batch}), strict=True):
        assert ours.shape[0] == batch
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_emitted_code_calls_torch_with_the_file_s_own_names(exported):
    graph = extract(from_onnx.load(exported, {}))
    source = pipeline.program_of(graph, pipeline.plan_of(graph, 1)).source

    assert re.search(r"F\.conv2d\(\s*image, w\[", source)
    assert 'w["head.weight"], w["head.bias"]' in source
    assert "F.hardswish(" in source
    assert "torch.reshape(" in source
    assert "shape" not in [node.op for node in graph.nodes]  # folded


def test_without_numbers_the_graph_is_the_same(exported):
    on_meta, on_cpu = (from_onnx.load(exported, {}, device) for device in ("meta", "cpu"))

    assert extract(on_meta).fingerprint == extract(on_cpu).fingerprint
    assert all(p.is_meta for p in on_meta.module.parameters())


def test_a_file_says_what_it_is_before_it_is_loaded(tmp_path):
    about = from_onnx.describe(saved(tmp_path, sound()))

    assert (about.opset, about.producer) == (18, "tests")
    assert about.operators == {"MatMul": 1, "Relu": 1, "Sigmoid": 1, "Add": 1}
    assert list(map(str, about.inputs)) == ["x: float32[batch=1, 8]"]


def test_a_size_of_no_dimension_names_those_that_there_are(tmp_path):
    with pytest.raises(ModelError, match="no dynamic dimension 'seq': it has batch"):
        from_onnx.load(saved(tmp_path, sound()), {"seq": 4})


@pytest.mark.parametrize(
    ("name", "axis", "kind", "size"),
    [("batch", 0, FLOAT, 1), ("seq_len", 1, FLOAT, 64), ("height", 2, FLOAT, 224), ("n", 1, 7, 64)],
)
def test_sizes_follow_from_what_dimensions_are_called(name, axis, kind, size):
    shape = [3] * axis + [name]
    graph = model(NODES, inputs=[helper.make_tensor_value_info("x", kind, shape)]).graph

    assert from_onnx.inputs_of(graph)[0].shape[axis] == size


def test_weights_beside_the_file_are_read(tmp_path):
    whole = model(NODES, [weight(shape=(8, 8))])
    onnx.save_model(
        whole, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )

    ours, theirs = outputs(tmp_path / "m.onnx")
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelError, match="put it into the same folder"):
        from_onnx.load(tmp_path / "m.onnx", {})


def test_operators_out_of_order_are_put_in_order(tmp_path):
    ours, _ = outputs(saved(tmp_path, sound()))
    turned = model(NODES[::-1], [weight()]).SerializeToString()
    from_turned = from_onnx.load(saved(tmp_path, turned), {})

    np.testing.assert_array_equal(from_turned.module(*from_turned.inputs).numpy(), ours[0])


def test_what_follows_from_constants_is_no_operator(tmp_path):
    """Shape -> Gather -> Concat -> Reshape, as exporters write a flattening."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["batches"]),
        helper.make_node("Concat", ["batches", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    numbers = {"zero": 0, "axes": [0], "rest": [2, 4]}
    weights = [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in numbers.items()]
    traced = from_onnx.load(saved(tmp_path, model(nodes, weights).SerializeToString()), {})

    assert [node.call for node in extract(traced).nodes] == ["torch.reshape(x, (1, 2, 4))"]


def test_a_branch_on_a_constant_is_taken_and_one_on_an_input_refused(tmp_path):
    def branch(op: str):
        out = [helper.make_tensor_value_info("z", FLOAT, None)]
        return helper.make_graph([helper.make_node(op, ["x"], ["z"])], op, [], out)

    node = helper.make_node(
        "If", ["yes"], ["y"], "choice", then_branch=branch("Relu"), else_branch=branch("Neg")
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    traced = from_onnx.load(saved(tmp_path, model([node], [yes]).SerializeToString()), {})
    assert [n.op for n in extract(traced).nodes] == ["relu"]

    inputs = [
        helper.make_tensor_value_info("x", FLOAT, [1, 8]),
        helper.make_tensor_value_info("yes", TensorProto.BOOL, []),
    ]
    path = saved(tmp_path, model([node], inputs=inputs).SerializeToString())
    with pytest.raises(UnsupportedError, match=r"operator If version 16 \(node 'choice'\).*yes"):
        from_onnx.load(path, {})


def test_hostile_names_reach_no_code(tmp_path):
    evil = '"""\nimport os\n'
    nodes = [
        helper.make_node("MatMul", ["x", evil], [evil + "2"], evil),
        helper.make_node("Relu", [evil + "2"], ["y"], evil),
    ]
    content = model(nodes, [weight(evil)]).SerializeToString()
    graph = extract(from_onnx.load(saved(tmp_path, content), {}))
    source = pipeline.program_of(graph, pipeline.plan_of(graph, 1)).source

    assert "import os" not in source
    compile(source, "program", "exec")


def test_inputs_may_be_called_anything(tmp_path):
    """Words of Python's, names of torch's, and several that are one as an identifier."""
    names = ["class", "torch", "F", "a-b", "a+b", "a_b", "1", "名", "<b>"]
    inputs = [helper.make_tensor_value_info(name, FLOAT, [3]) for name in names]
    nodes = [helper.make_node("Sum", names[::2], ["even"]), helper.make_node("Sum", names, ["all"])]
    nodes.append(helper.make_node("Sub", ["all", "even"], ["y"]))
    path = saved(tmp_path, model(nodes, inputs=inputs).SerializeToString())

    (ours,), (theirs,) = outputs(path)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    graph = extract(from_onnx.load(path, {}))
    compile(pipeline.program_of(graph, pipeline.plan_of(graph, 1)).source, "program", "exec")


def test_a_list_is_mapped_element_by_element(tmp_path):
    """By ONNX's own definition of the operator the process would crash."""
    given = [helper.make_tensor_value_info(name, FLOAT, None) for name in ("one", "same")]
    made = [helper.make_tensor_value_info("sum", FLOAT, None)]
    body = helper.make_graph([helper.make_node("Add", ["one", "same"], ["sum"])], "b", given, made)
    nodes = [
        helper.make_node("Neg", ["x"], ["negative"]),
        helper.make_node("SequenceConstruct", ["x", "negative"], ["list"]),
        helper.make_node("SequenceMap", ["list", "x"], ["sums"], body=body),
        helper.make_node("ConcatFromSequence", ["sums"], ["y"], axis=0),
    ]
    (ours,), (theirs,) = outputs(saved(tmp_path, model(nodes).SerializeToString()))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)

    nodes = [helper.make_node("SequenceMap", ["x"], ["y"], body=body)]
    with pytest.raises(ModelError, match="reads a tensor where it needs a list"):
        from_onnx.load(saved(tmp_path, model(nodes).SerializeToString()), {})


def test_a_loop_that_never_turns_returns_what_it_was_given_and_nothing_of_each_turn(tmp_path):
    given = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("c", FLOAT, [1, 8]),
    ]
    made = [
        helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("d", FLOAT, [1, 8]),
        helper.make_tensor_value_info("each", FLOAT, [1, 8]),
    ]
    nodes = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["c"], ["d"])]
    nodes.append(helper.make_node("Exp", ["c"], ["each"]))
    loop = helper.make_node(
        "Loop", ["never", "", "x"], ["c", "all"], body=helper.make_graph(nodes, "b", given, made)
    )
    small = model(
        [loop, helper.make_node("Relu", ["c"], ["y"])],
        [numpy_helper.from_array(np.array(0), "never")],
    )
    small.graph.output.append(helper.make_tensor_value_info("all", FLOAT, None))

    (ours, empty), (theirs, nothing) = outputs(saved(tmp_path, small.SerializeToString()))
    np.testing.assert_array_equal(ours, theirs)
    assert empty.shape == nothing.shape == (0, 1, 8)


def test_two_thousand_operators_are_imported_within_five_seconds(tmp_path):
    names = ["x", *(f"v{i}" for i in range(1999)), "y"]
    kinds = ("Relu", "Add", "Mul", "Sigmoid", "Transpose")
    nodes = []
    for i, (read, made) in enumerate(pairwise(names)):
        kind = kinds[i % 5]
        reads = [read, read] if kind in ("Add", "Mul") else [read]
        nodes.append(helper.make_node(kind, reads, [made]))
    path = saved(tmp_path, model(nodes).SerializeToString())
    start = time.process_time()

    traced = from_onnx.load(path, {}, "meta")

    assert time.process_time() - start < 5
    assert len(traced.module.graph.nodes) == 2002
