"""The fused family computes what the model computes, by fewer and other calls."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ramiel_core.agreement import largest_difference
from ramiel_core.graph.extract import extract, weights_of
from ramiel_core.ir import Graph, Recipe, TracedModel
from ramiel_core.kernels.fuse import fuse
from ramiel_core.kernels.fused import (
    THEN,
    TOLERANCE,
    AvgPool2d,
    Columns,
    Conv2d,
    MaxPool2d,
    avg_pool2d,
    conv2d_add,
    gemm,
    max_pool2d,
)
from ramiel_core.model.trace import trace
from ramiel_core.pipeline import parcel_of, program_of
from ramiel_core.plan.planner import sequential_plan
from tests.kernels.fusable import IMAGE, MODELS, Padded, conv
from tests.program.threads import run_in_threads


def small(name: str) -> TracedModel:
    """One of the small models."""
    torch.manual_seed(0)
    return trace(MODELS[name]().eval(), (torch.randn(IMAGE),), name)


def choices(graph: Graph) -> list[Graph]:
    """The graph with each operator's first call, with its second, and so on."""
    most = 1 + max(len(node.others) for node in graph.nodes)

    def chosen(i: int) -> Graph:
        calls = [(n, (n.call, *n.others)) for n in graph.nodes]
        return replace(
            graph,
            nodes=tuple(replace(n, call=c[min(i, len(c) - 1)], others=()) for n, c in calls),
        )

    return [chosen(i) for i in range(most)]


@pytest.mark.parametrize("name", MODELS)
def test_every_choice_of_calls_computes_what_the_model_computes(name: str):
    parcel = parcel_of(small(name), "fused")
    graph, recipes = parcel.fused
    weights = {k: v.build(1) if isinstance(v, Recipe) else v for k, v in recipes.items()}

    for choice in choices(graph):
        program = program_of(choice, sequential_plan(choice))
        output = run_in_threads(program, weights, parcel.inputs)
        assert largest_difference(output, parcel.reference) <= TOLERANCE
        assert output.shape == parcel.reference.shape


def fused_calls(name: str) -> list[str]:
    """What is called for each operator of a model."""
    graph = extract(fuse(small(name)))
    return [node.call.partition("(")[0] for node in graph.nodes]


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("batch norm and relu", ["conv2d"]),
        ("residual", ["conv2d", "conv2d_add"]),
        ("projected residual", ["conv2d", "conv2d", "conv2d", "body_3 + skip_0", "F.relu"]),
        (
            "exported",
            [
                "conv2d",
                "conv2d",
                "conv2d",
                "torch.ops.aten.add.Tensor",
                "torch.ops.aten.relu.default",
            ],
        ),
        ("functional", ["conv2d", "max_pool2d", "linear"]),
        ("clamped", ["conv2d", "conv2d", "torch.clamp"]),
        ("computed weight", ['w["weight"] * 2', "torch.conv2d"]),
        ("checked", ["conv2d"]),
        ("two readers", ["conv2d", "F.relu", "relu + conv"]),
        ("linear", ["linear", "linear"]),
        ("one row", ["torch.flatten", "linear"]),
        ("norm first", ["batch_norm", "conv2d"]),
        ("norm alone", ["batch_norm", "torch.tanh"]),
        ("norm and export", ["batch_norm"]),
        ("norm of its input", ["F.batch_norm"]),
        ("padding of another kind", ["F.pad", "conv2d"]),
        ("padded", ["conv2d"]),
        ("padded, by keyword", ["conv2d"]),
        ("padded and exported", ["conv2d"]),
        ("padded unevenly", ["F.pad", "conv2d"]),
        ("padded with ones", ["F.pad", "conv2d"]),
        ("padded less than nothing", ["F.pad", "conv2d"]),
        ("padded columns", ["F.pad", "conv2d"]),
        ("padded channels", ["F.pad", "conv2d"]),
        ("padded pixels", ["F.pad", "conv2d"]),
        ("padded pool", ["max_pool2d"]),
        ("pool of zeros", ["F.pad", "max_pool2d"]),
        ("pool padded widely", ["F.pad", "max_pool2d"]),
        ("padded pool, rounded up", ["F.pad", "max_pool2d"]),
        ("average", ["conv2d", "torch.mean"]),
        ("average of one image", ["torch.flatten", "torch.mean"]),
        ("average by a function", ["conv2d", "torch.mean"]),
        ("average and exported", ["conv2d", "torch.mean"]),
        (
            "average of a computed size",
            ["conv2d", "F.adaptive_avg_pool2d", "adaptive_avg_pool2d + conv"],
        ),
        ("averages", ["conv2d", "F.adaptive_avg_pool2d"]),
    ],
)
def test_what_is_fused_and_what_stays_apart(name: str, calls: list[str]):
    """A projected skip stays an add: fused, one convolution would have to wait for the other."""
    assert fused_calls(name) == calls


def test_operators_keep_the_names_of_the_layers_that_they_come_from():
    model = nn.Sequential(*conv(8, 16, 3, padding=1), nn.ReLU())
    traced = trace(model.eval(), (torch.randn(IMAGE),), "named")

    assert [node.name for node in extract(fuse(traced)).nodes] == ["_0"]
    assert extract(traced).nodes[0].name == "_0"


def test_the_model_itself_is_left_as_it_was():
    pool = Padded(nn.MaxPool2d(3, 2), [1, 1, 1, 1], -math.inf)
    model = nn.Sequential(*conv(8, 16, 3, padding=1), nn.ReLU(), pool).eval()
    traced = trace(model, (torch.randn(IMAGE),), "kept")
    before = traced.module(*traced.inputs).clone()
    graph = str(traced.module.graph)

    fuse(traced)

    assert str(traced.module.graph) == graph
    assert torch.equal(traced.module(*traced.inputs), before)


def test_pointwise_convolutions_have_two_calls_to_choose_from():
    rewritten = fuse(small("pointwise"))
    (node,) = extract(rewritten).nodes

    assert (node.call, *node.others) == (
        'conv2d(input_1, w["0.1x1_relu"])',
        """gemm(input_1, w["0.columns"], (1, 1), 'relu')""",
    )
    assert set(weights_of(rewritten, extract(rewritten))) == {"0.1x1_relu", "0.columns"}


def test_a_weight_that_is_read_for_one_row_may_be_packed_or_not():
    """Of many rows it is packed."""
    _, row = extract(fuse(small("one row"))).nodes

    assert row.call == 'linear(_0, w["1.linear_hardswish"])'
    assert row.others == ('linear(_0, w["1.linear_unpacked_hardswish"])',)
    assert not any(node.others for node in extract(fuse(small("linear"))).nodes)


@pytest.mark.parametrize(
    ("layer", "call"),
    [
        (nn.Conv2d(8, 4, 7, 2, 3), 'conv2d(input_1, w["0.7x7_stride2_pad3"])'),
        (nn.Conv2d(8, 4, (1, 7), padding=(0, 3)), 'conv2d(input_1, w["0.1x7_pad0x3"])'),
        (nn.Conv2d(8, 8, 3, dilation=2, groups=8), 'conv2d(input_1, w["0.3x3_dilation2_groups8"])'),
        (nn.MaxPool2d(3, ceil_mode=True), 'max_pool2d(input_1, w["0.3x3_stride3_rounded_up"])'),
        (nn.AvgPool2d(3, 1, 1), 'avg_pool2d(input_1, w["0.3x3_pad1"])'),
        (
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            'avg_pool2d(input_1, w["0.3x3_pad1_inside"])',
        ),
        (nn.Sequential(nn.Linear(12, 5), nn.GELU()), 'linear(input_1, w["0.linear_gelu"])'),
    ],
)
def test_a_call_says_what_was_compiled(layer: nn.Module, call: str):
    traced = trace(nn.Sequential(*_flat(layer)).eval(), (torch.randn(IMAGE),), "called")

    assert extract(fuse(traced)).nodes[0].call == call


def _flat(layer: nn.Module) -> list[nn.Module]:
    return list(layer) if isinstance(layer, nn.Sequential) else [layer]


def test_an_average_of_all_pixels_may_be_a_pooling():
    _, average = extract(fuse(small("average"))).nodes

    assert average.call == "torch.mean(_0, (-2, -1), keepdim=True)"
    assert average.others == ("F.avg_pool2d(_0, (10, 11))",)


@pytest.mark.parametrize("shape", [(1, 8, 3, 4), (2, 8, 3, 4), (3, 1, 5, 1), (1, 8, 1, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
@pytest.mark.parametrize("last", [True, False])
def test_pixels_are_read_and_written_wherever_they_lie(shape, stride, last: bool):
    """A part of a larger value, whose own memory begins elsewhere."""
    layout = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(shape[0] + 1, *shape[1:]).to(memory_format=layout)[1:]
    weight, bias = torch.randn(5, shape[1]), torch.randn(5)

    found = gemm(x, Columns(weight, bias).build(1), stride)

    assert largest_difference(found, F.conv2d(x, weight[..., None, None], bias, stride)) <= 1e-6
    assert found.is_contiguous(memory_format=torch.channels_last)


@given(
    maximum=st.booleans(),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    half=st.integers(0, 2),
    height=st.integers(3, 9),
    width=st.integers(3, 9),
    choice=st.booleans(),
)
@settings(max_examples=40)  # each is compiled
def test_pooling_computes_what_torch_computes(
    maximum: bool, kernel: int, stride: int, half: int, height: int, width: int, choice: bool
):
    padding = min(half, kernel // 2)
    if min(height, width) + 2 * padding < kernel:
        return
    x = torch.randn(1, 3, height, width)
    how = {"kernel_size": kernel, "stride": stride, "padding": padding}
    places = {name: (size, size) for name, size in how.items()}
    reads = (tuple(x.shape),)
    if maximum:
        recipe = MaxPool2d(reads=reads, **places, dilation=(1, 1), ceil_mode=choice)
        wanted = F.max_pool2d(x, **how, ceil_mode=choice)
    else:
        recipe = AvgPool2d(reads=reads, **places, count_include_pad=choice)
        wanted = F.avg_pool2d(x, **how, count_include_pad=choice)

    found = (max_pool2d if maximum else avg_pool2d)(x, recipe.build(1))

    assert torch.equal(found, wanted) if maximum else largest_difference(found, wanted) <= 1e-6


def residual(then: str = "relu") -> Conv2d:
    """A convolution with a summand."""
    return Conv2d(
        reads=(IMAGE, IMAGE),
        weight=torch.randn(8, 8, 3, 3),
        bias=torch.randn(8),
        stride=(1, 1),
        padding=(1, 1),
        dilation=(1, 1),
        groups=1,
        then=then,
    )


@pytest.mark.parametrize("then", THEN)
def test_a_summand_is_left_as_it_is(then: str):
    """oneDNN can write sums in their place, but others may read them."""
    recipe = residual(then)
    x, other = torch.randn(2, *IMAGE)
    kept = other.clone()
    compiled = recipe.build(1)

    found = [conv2d_add(x, other, compiled) for _ in range(3)]

    assert torch.equal(other, kept)
    assert len({f.data_ptr() for f in found}) == 3
    assert all(largest_difference(f, recipe.plain(x, other)) <= TOLERANCE for f in found)


class Called(TorchDispatchMode):
    """Notes what torch's dispatcher is asked for."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(str(func.overloadpacket.__name__))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "name", ["conv and hardswish", "residual", "pool", "linear", "mean", "one"]
)
def test_onednn_runs_what_was_compiled(name: str, threads: int):
    """TorchScript would quietly fall back to torch's operators for another layout or shape."""
    others = {
        "mean": nn.Sequential(nn.Conv2d(8, 4, 3), nn.AvgPool2d(3, 1, 1)),
        "one": nn.Sequential(nn.Conv2d(8, 1, 3), nn.ReLU(), nn.Conv2d(1, 4, 3)),
    }
    model = others[name] if name in others else MODELS[name]()
    parcel = parcel_of(trace(model.eval(), (torch.randn(IMAGE),), name), "fused")
    graph, recipes = parcel.fused
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        scope: dict[str, Any] = {}
        exec(program_of(graph, sequential_plan(graph)).source, scope)
        weights = {k: v.build(threads) for k, v in recipes.items()}
        given = dict(zip((name for name, _ in graph.inputs), parcel.inputs, strict=True))
        with Called() as called:
            scope["cluster_0"](weights, given.get, lambda *_: None, None)
    finally:
        torch.set_num_threads(before)

    assert "empty_strided" in called.names
    assert called.names <= {"empty_strided", "clone", "as_strided"}, called.names


def test_others_keep_their_torchscript_as_it_was():
    before = torch.jit.onednn_fusion_enabled()

    residual().build(1)

    assert torch.jit.onednn_fusion_enabled() == before


def test_what_onednn_has_not_stays_torchs_own():
    layers = nn.Sequential(nn.AvgPool2d(3, ceil_mode=True), nn.AvgPool2d(2, divisor_override=3))
    graph = extract(fuse(trace(layers.eval(), (torch.randn(IMAGE),), "averages")))

    assert [node.call.partition("(")[0] for node in graph.nodes] == ["F.avg_pool2d"] * 2


def test_fx_can_still_read_what_was_rewritten():
    assert isinstance(fuse(small("residual")).module, fx.GraphModule)
