"""TracedModel -> Graph: which calls become operators, and what each call says."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.errors import ModelError
from ramiel_core.graph.extract import extract, weights_of
from ramiel_core.ir import Graph, Plan, TensorSpec
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from tests.graphs import any_order_plan, dealt_plan
from tests.program.threads import run_in_threads
from tests.run.modules import (
    MODULES,
    OverwrittenView,
    ViewOfOverwritten,
    expected,
    image,
    make,
)


def graph_of(name: str) -> Graph:
    module, inputs = make(name)
    return extract(trace(module, inputs, name))


def calls(name: str) -> dict[str, str]:
    return {node.name: node.call for node in graph_of(name).nodes}


@pytest.mark.parametrize("name", MODULES)
def test_any_order_and_any_split_of_the_operators_give_the_modules_own_bits(name: str):
    """Fourteen plans that no planner would make, on one to three workers."""
    module, inputs = make(name)
    traced = trace(module, tuple(tensor.clone() for tensor in inputs), name)
    graph = extract(traced)
    weights, wanted = weights_of(traced, graph), expected(name)
    plans = [any_order_plan(graph, workers, seed) for seed in range(4) for workers in (1, 2, 3)]

    for plan in [sequential_plan(graph), dealt_plan(graph, 2), *plans]:
        program = pipeline.program_of(graph, plan)
        assert same_bits(run_in_threads(program, weights, inputs), wanted), program.source


@pytest.mark.parametrize("name", MODULES)
def test_shapes_on_meta_are_the_shapes_on_the_processor(name: str):
    module, inputs = make(name)
    real = extract(trace(module, inputs, name))
    meta = extract(trace(module.to("meta"), tuple(t.to("meta") for t in inputs), name))

    assert real.fingerprint == meta.fingerprint
    assert [n.call for n in real.nodes] == [n.call for n in meta.nodes]


def test_sizes_and_arithmetic_on_them_are_literals_not_operators():
    assert list(calls("constants").values()) == [
        "x.reshape(2, 2, 72)",
        "reshape.permute(0, 2, 1)",
        "permute.mean(1)",
        "mean * 72",
        "mul_2 / 5",
    ]


def test_layers_are_written_as_the_calls_that_they_make():
    found = calls("branches")

    assert found["stem"] == (
        'F.conv2d(x, w["stem.weight"], w["stem.bias"], (1, 1), (1, 1), (1, 1), 1)'
    )
    assert found["left_2"] == "F.relu(left_1)"
    assert found["right_1"] == "F.relu(right_0, inplace=True)"
    assert found["flatten"] == "torch.flatten(cat, 1)"


def test_an_in_place_layer_stays_in_place_where_nobody_else_reads_its_input():
    """conv -> relu_ and nobody else: no buffer is needed."""
    assert "inplace=True" in calls("branches")["right_1"]


@pytest.mark.parametrize(
    ("name", "operator", "call"),
    [
        ("second_reader", "relu", "F.relu(mul)"),
        ("later_reader", "relu_", "mul.relu()"),
        ("overwritten_input", "add_", "x.add(1)"),
    ],
)
def test_an_in_place_operator_runs_out_of_place_where_its_input_has_another_reader(
    name: str, operator: str, call: str
):
    assert calls(name)[operator] == call


def test_later_readers_of_an_overwritten_value_read_the_new_one():
    """
    y -> relu_ -> += -> mul_ -> y - 1      and never y itself
    """
    graph = graph_of("later_reader")
    last = graph["sub"]

    assert graph["add_1"].inputs == ("relu_", "add")
    assert last.inputs == ("mul_",)


@pytest.mark.parametrize("make_module", [ViewOfOverwritten, OverwrittenView])
def test_a_write_that_is_seen_through_a_view_is_refused_with_what_to_do(make_module):
    """y and a view of it share memory; after a split into workers they would not."""
    with pytest.raises(ModelError, match=r"writes over part of 'mul'.*torch.cat or torch.where"):
        extract(trace(make_module().eval(), image(), "views"))


class Nothing(nn.Module):
    def forward(self, x):
        return x


def test_a_model_that_calls_nothing_is_refused():
    with pytest.raises(ModelError, match="calls no operator at all; there is nothing to plan"):
        extract(trace(Nothing().eval(), (torch.ones(1),), "nothing"))


def test_inputs_that_do_not_fit_are_refused_with_the_operator_that_stopped():
    with pytest.raises(
        ModelError,
        match=r"linear cannot be run on its example inputs \(float32\[1×3\]\): 'linear' stopped "
        r"with: .*1x3 and 4x4\)\. Give inputs of the shapes and types that the model expects\.",
    ):
        pipeline.graph_of(nn.Linear(4, 4).eval(), (torch.randn(1, 3),))


def test_the_reference_is_what_the_model_returns_for_the_inputs_that_were_given():
    """Even for a model that writes over its input, which keeps the caller's values."""
    module, inputs = make("overwritten_input")
    given = inputs[0].clone()
    parcel = pipeline.parcel_of(trace(module, inputs, "overwritten_input"))

    assert torch.equal(inputs[0], given)
    assert same_bits(parcel.inputs, (given,))
    assert same_bits(parcel.reference, expected("overwritten_input"))


def test_views_are_told_from_values_of_their_own():
    strides, expanded = graph_of("strides"), graph_of("expanded")

    assert strides["transpose"].is_view
    assert not strides["add"].is_view
    assert expanded["expand"].is_view
    assert not expanded["mean"].is_view


def test_an_operator_that_returns_a_tuple_tells_all_its_parts():
    node = graph_of("chunks")["chunk"]

    assert node.returns_tuple
    assert [spec.shape for spec in node.outputs] == [(2, 2, 6, 6)] * 2


def test_work_bytes_and_parameters_are_counted():
    """A 1x1 convolution of 4 to 4 channels on 2 images of 6x6: 2 x 4 x 4 x 36 x 2 operations."""
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(4, 4, 1)).eval()
    node = extract(trace(layer, (torch.ones(2, 4, 6, 6),), "conv")).nodes[0]

    assert node.flops == 2 * 2 * 4 * 4 * 36
    assert node.parameters == 4 * 4 + 4
    assert node.read_bytes == 4 * (2 * 4 * 36 + 20)
    assert node.output_bytes == 4 * 2 * 4 * 36
    assert node.outputs[0] == TensorSpec((2, 4, 6, 6), (144, 36, 6, 1), "float32")
    assert node.module == "0"


POOLINGS = {
    "max": (lambda x: F.max_pool2d(x, 3, 1, 1), 6 * 8 * 8 * 9),
    "max, of uneven windows": (lambda x: F.max_pool2d(x, (2, 4)), 6 * 4 * 2 * 8),
    "max, with indices": (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], 6 * 4 * 4 * 4),
    "average": (lambda x: F.avg_pool2d(x, 2), 6 * 4 * 4 * 4),
    "max in space": (lambda x: F.max_pool3d(x[None], 2), 3 * 4 * 4 * 8),
    "average in space": (lambda x: F.avg_pool3d(x[None], 2), 3 * 4 * 4 * 8),
    "adaptive average": (lambda x: F.adaptive_avg_pool2d(x, 4), 6 * 8 * 8),
    "adaptive max": (lambda x: F.adaptive_max_pool2d(x, 4), 6 * 8 * 8),
}


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_elements_of_windows_are_counted_where_torch_counts_nothing(kind: str, device: str):
    class Pool(nn.Module):
        def forward(self, x):
            return pool(x) * 1

    pool, elements = POOLINGS[kind]
    nodes = extract(trace(Pool().eval(), (torch.randn(1, 6, 8, 8, device=device),), "pool")).nodes

    assert [node.flops for node in nodes if node.pooled_dimensions] == [elements]


def test_inputs_keep_their_order_and_types():
    graph = graph_of("many_inputs")

    assert [(name, spec.dtype) for name, spec in graph.inputs] == [
        ("x", "float32"), ("y", "float32"), ("at", "int64"),
    ]  # fmt: skip


def test_names_that_would_hide_what_a_program_needs_are_changed():
    """Inputs called w and send become w_ and send_."""

    class Hidden(nn.Module):
        def forward(self, w, send):
            return F.relu(w) + send

    graph = extract(trace(Hidden().eval(), (torch.ones(2), torch.ones(2)), "hidden"))

    assert [name for name, _ in graph.inputs] == ["w_", "send_"]
    assert graph.nodes[0].call == "F.relu(w_)"


def test_the_graph_of_a_model_is_the_same_every_time():
    first, second = graph_of("branches"), graph_of("branches")

    assert first.nodes == second.nodes
    assert Plan((tuple(first.index),)).clusters == Plan((tuple(second.index),)).clusters


def test_functions_that_torch_hides_are_called_by_their_public_names():
    """And what is called so, a pooling here, may write straight into what it is sent in."""

    class Functions(nn.Module):
        def forward(self, x):
            return F.avg_pool2d(F.gelu(x), 2), F.logsigmoid(x)

    graph = extract(trace(Functions().eval(), (torch.randn(1, 3, 4, 4),), "functions"))

    gelu, pool, log = graph.nodes
    assert gelu.call == "F.gelu(x)"
    assert pool.call == "F.avg_pool2d(gelu, 2)"
    assert pool.into == 'F.avg_pool2d(gelu, 2, out=shared("avg_pool2d"))'
    assert log.call == "torch._C._nn.log_sigmoid(x)"  # not F.log_sigmoid, which there is not


def test_elementwise_operators_write_straight_into_what_they_are_sent_in():
    """By the same kernel, with the same bits, whether a layer, a function, a method or a sign."""

    class Elementwise(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                [nn.ReLU(inplace=True), nn.SiLU(), nn.Hardswish(inplace=True), nn.Hardsigmoid()]
            )

        def forward(self, x, y):
            found = [layer(x + y) for layer in self.layers]
            found += [torch.relu(x), torch.tanh(y), F.sigmoid(x), F.gelu(y)]
            found += [torch.sigmoid(x), x.relu(), x.mul(2), x - y, x / y, torch.maximum(x, y)]
            return found

    traced = trace(Elementwise().eval(), (torch.randn(2, 9), torch.randn(2, 9)), "elementwise")
    graph = extract(traced)
    x, y = traced.inputs
    made: dict[str, torch.Tensor] = {}
    for node in graph.nodes:
        scope = {"torch": torch, "F": F, "x": x, "y": y, **made}
        buffer = torch.empty(2, 9)
        assert eval(node.into, scope | {"shared": {node.name: buffer}.get}) is buffer
        made[node.name] = eval(node.call, scope)
        assert torch.equal(buffer, made[node.name]), node.into


def test_a_concatenation_names_the_parts_that_lie_one_behind_the_other():
    module, inputs = make("concatenations")
    found = {node.name: node.joins for node in extract(trace(module, inputs, "m")).nodes}

    assert {name: parts for name, parts in found.items() if parts} == {
        "cat": ("relu", "max_pool2d", "sigmoid"),
        "cat_1": ("cat", "avg_pool2d"),
    }


def test_an_operator_names_what_its_output_may_share_memory_with():
    """Seen while it ran, or told by torch's schemas: a view, a write in place, a part of a tuple."""
    chunks, overwritten = graph_of("chunks"), graph_of("concatenations")

    assert graph_of("strides")["transpose"].aliases == ("x",)
    assert graph_of("strides")["add"].aliases == ()
    assert graph_of("expanded")["expand"].aliases == ("mean",)
    assert chunks["getitem_1"].aliases == ("chunk",)
    assert overwritten["mul_"].call == "cat_1.mul_(0.5)"
    assert overwritten["mul_"].aliases == ("cat_1",)


class Rounded(nn.Module):
    def forward(self, x):
        """A reshape that copies, as rows do not lie one behind the other."""
        return (x + 1).transpose(0, 1).reshape(-1) * 2


def test_a_reshape_that_copied_is_taken_for_a_view_since_other_strides_would_make_it_one():
    graph = extract(trace(Rounded().eval(), (torch.ones(2, 3),), "rounded"))

    assert not graph["reshape"].is_view
    assert graph["reshape"].aliases == ("transpose",)
    assert graph["mul"].aliases == ()


class Regions(nn.Module):
    def forward(self, x, boxes):
        return torch.ops.torchvision.roi_align(x, boxes, 1.0, 2, 2, 2, False).relu()


def test_operators_of_torchvision_are_called_by_a_program_that_imports_it():
    """Or no launcher would know them, which imports torchvision for models of its registry only."""
    pytest.importorskip("torchvision")
    boxes = torch.tensor([[0.0, 1.0, 1.0, 4.0, 4.0]])
    graph = pipeline.graph_of(Regions().eval(), (torch.ones(1, 3, 8, 8), boxes))
    program = pipeline.program_of(graph, pipeline.plan_of(graph, 1))

    assert "torch.ops.torchvision.roi_align(x, boxes, " in program.source
    assert "\nimport torchvision\n" in program.source
