"""Cutting poolings: which, into what, where it pays, and that the bits stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.check import check_plan
from ramiel_core.errors import PlanError
from ramiel_core.graph.costs import reweigh
from ramiel_core.ir import Graph, Parcel, Plan
from ramiel_core.model.trace import trace
from ramiel_core.plan.parts import in_parts, made_whole, shared_out, worth
from ramiel_core.plan.planner import revalued
from ramiel_core.plan.split import split
from tests.program.threads import run_in_threads


class Branches(nn.Module):
    """A pooling before a fork, where nothing else can run, and one in a branch."""

    def __init__(self, before: nn.Module, after: nn.Module | None = None, channels: int = 5):
        super().__init__()
        self.stem = nn.Conv2d(channels, channels, 1)
        self.pool = before
        self.left = nn.Conv2d(channels, channels, 1)
        self.right = nn.Sequential(after or nn.AvgPool2d(3, 1, 1), nn.Conv2d(channels, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.stem(x))
        return torch.cat([self.left(x), self.right(x)], 1)


def parcel_of(module: nn.Module, *shape: int) -> Parcel:
    torch.manual_seed(0)
    module = module.eval().requires_grad_(requires_grad=False)
    return pipeline.parcel_of(trace(module, (torch.randn(*shape),), "branches"))


def costing(graph: Graph, cost_ms: Mapping[str, float], send_ms: float = 0.1) -> Graph:
    nodes = (replace(node, send_ms=send_ms) for node in graph.nodes)
    graph = replace(graph, nodes=tuple(nodes), signal_ms=send_ms / 2)
    return reweigh(graph, dict.fromkeys(graph.index, 1.0) | dict(cost_ms))


@pytest.fixture(scope="module")
def branches() -> Graph:
    return parcel_of(Branches(nn.MaxPool2d(3, 2)), 1, 5, 16, 16).graph


def planned(graph: Graph, workers: int = 2) -> tuple[Graph, Plan]:
    plan = pipeline.plan_of(graph, workers)
    return split(graph, plan, workers, partial(pipeline.plan_of, workers=workers))


def test_a_pooling_before_a_fork_is_shared_out(branches: Graph):
    graph = costing(branches, {"pool": 10, "left": 5, "right_1": 4})
    cut, plan = planned(graph)
    worker_of = plan.worker_of()

    assert cut.split == {"pool": 2}
    assert cut["pool_part0"].call == "F.max_pool2d(stem[:, 0:2], 3, 2, 0, 1, ceil_mode=False)"
    assert cut["pool_part1"].call == "F.max_pool2d(stem[:, 2:5], 3, 2, 0, 1, ceil_mode=False)"
    assert worker_of["pool_part0"] != worker_of["pool_part1"]
    assert [cut[name].cost_ms for name in cut.parts] == [4, 6]
    assert cut["pool"].joins == cut.parts
    assert cut.operators == len(graph)
    assert plan.makespan_ms == pipeline.timeline_of(cut, plan).makespan_ms
    # stem, the larger part, left: and what is sent, once each way, and copied where it is read
    assert 1 + 6 + 5 < plan.makespan_ms < 1 + 6 + 5 + 1 + 3 * 0.1
    check_plan(cut, plan)


def test_the_bound_stays_that_of_whole_operators(branches: Graph):
    graph = costing(branches, {"pool": 10, "left": 5, "right_1": 4})
    before = pipeline.plan_of(graph, 2)
    cut, plan = planned(graph)
    again = revalued(plan, cut)

    for found in (plan, again):
        assert found.t1_ms == pytest.approx(before.t1_ms)
        assert found.tinf_ms == pytest.approx(before.tinf_ms)
        assert found.tinf_send_ms == pytest.approx(before.tinf_send_ms)
        assert found.critical_path == before.critical_path
    assert again.makespan_ms == plan.makespan_ms < before.tinf_ms
    whole = made_whole(cut)
    assert [(n.name, n.op, n.inputs) for n in whole.nodes] == [
        (n.name, n.op, n.inputs) for n in graph.nodes
    ]
    assert [n.cost_ms for n in whole.nodes] == pytest.approx([n.cost_ms for n in graph.nodes])


def test_costs_of_whole_operators_are_shared_out_by_channels(branches: Graph):
    cut = in_parts(costing(branches, {"pool": 10}), {"pool": 2})
    found = shared_out(cut, dict.fromkeys(branches.index, 3.0))

    assert found.keys() == cut.index.keys()
    assert (found["pool_part0"], found["pool_part1"]) == pytest.approx((1.2, 1.8))
    assert found["pool"] == cut["pool"].cost_ms == pytest.approx(0.05 / 2)
    assert found["left"] == 3.0


def test_parts_that_meet_on_one_worker_are_whole_again(branches: Graph):
    """Both poolings are cut, and planned so that the parts of one of them are on one worker."""
    graph = costing(branches, {"pool": 10, "right_0": 10, "left": 12})

    def replan(cut: Graph) -> Plan:
        assert cut.split == {"pool": 2, "right_0": 2}
        rest = ("pool_part1", "right_0_part0", "right_0_part1", "right_0", "right_1")
        others = tuple(name for name in cut.index if name not in rest)
        return Plan((others, rest))

    cut, plan = split(graph, pipeline.plan_of(graph, 2), 2, replan)

    assert cut.split == {"pool": 2}
    assert plan.clusters[1] == ("pool_part1", "right_0", "right_1")
    check_plan(cut, plan)


def test_many_workers_get_a_part_each_but_no_more_than_channels_or_than_pays(branches: Graph):
    graph = costing(branches, {"pool": 100})

    assert [worth(graph, graph["pool"], most) for most in (1, 2, 4, 16)] == [1, 2, 4, 5]
    cheap = costing(branches, {"pool": 1.3})
    assert worth(cheap, cheap["pool"], 16) == 3
    none = costing(branches, {"pool": 0.7})
    assert worth(none, none["pool"], 16) == 1


def test_a_part_is_called_like_nobody_else(branches: Graph):
    taken = replace(branches["left"], name="pool_part1", inputs=("stem",))
    at = branches.index["stem"] + 1
    graph = replace(branches, nodes=(*branches.nodes[:at], taken, *branches.nodes[at:]))

    assert in_parts(graph, {"pool": 2}).parts == ("pool_part0", "pool_part1_")


UNCUT = {
    "channels last": (nn.MaxPool2d(2), (1, 4, 8, 8), torch.channels_last),
    "one channel": (nn.MaxPool2d(2), (1, 1, 8, 8), torch.contiguous_format),
    "not a pooling": (nn.Softmax2d(), (1, 4, 8, 8), torch.contiguous_format),
    "two results": (nn.MaxPool2d(2, return_indices=True), (1, 4, 8, 8), torch.contiguous_format),
}


@pytest.mark.parametrize("case", UNCUT)
def test_what_cannot_be_cut_stays_whole(case: str):
    module, shape, layout = UNCUT[case]
    x = torch.randn(*shape).to(memory_format=layout)
    graph = pipeline.parcel_of(trace(nn.Sequential(module).eval(), (x,), "model")).graph

    assert [worth(graph, node, 4) for node in graph.nodes] == [1] * len(graph)


def test_one_worker_and_wide_plans_stay_as_they_are(branches: Graph):
    graph = costing(branches, {"pool": 10})
    one = pipeline.plan_of(graph, 1)
    wide = replace(pipeline.plan_of(costing(branches, {}), 2), wide=("pool",), wide_threads=2)

    for plan in (one, wide):
        assert split(graph, plan, 2, partial(pipeline.plan_of, workers=2)) == (graph, plan)


def test_a_gain_below_noise_is_left(branches: Graph):
    """The pooling could be cut, but the convolutions take a hundred times as long."""
    graph = costing(branches, {"pool": 1, "left": 100, "right_1": 100})
    plan = pipeline.plan_of(graph, 2)

    assert worth(graph, graph["pool"], 2) == 2
    assert planned(graph) == (graph, plan)


POOLINGS = {
    "max": (nn.MaxPool2d(3, 2), (1, 5, 12, 12)),
    "max, padded, rounded up": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 5, 13, 11)),
    "max, dilated": (nn.MaxPool2d(2, 1, dilation=2), (1, 4, 12, 12)),
    "average": (nn.AvgPool2d(3, 1, 1), (1, 5, 12, 12)),
    "average, padding not counted": (
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        (1, 7, 13, 13),
    ),
    "adaptive": (nn.AdaptiveAvgPool2d((6, 5)), (1, 5, 12, 12)),
    "adaptive, the largest": (nn.AdaptiveMaxPool2d(6), (1, 5, 12, 12)),
    "a batch": (nn.MaxPool2d(3, 2), (3, 5, 12, 12)),
    "no batch": (nn.MaxPool2d(3, 2), (5, 12, 12)),
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many as the reference was computed with: convolutions of batches have other bits else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("case", POOLINGS)
@pytest.mark.parametrize("parts", [2, 3])
def test_parts_return_the_models_own_bits(case: str, parts: int):
    pooling, shape = POOLINGS[case]
    channels = shape[-3]
    parcel = parcel_of(Branches(pooling, channels=channels), *shape)
    graph = pipeline.weigh(parcel.graph, "unit")
    counts = {n.name: found for n in graph.nodes if (found := worth(graph, n, parts)) > 1}
    cut = in_parts(graph, counts)
    homes = {name: i % 2 for i, name in enumerate(cut.index)}
    clusters = [tuple(name for name in cut.index if homes[name] == k) for k in range(2)]
    program = pipeline.program_of(cut, pipeline.by_hand_plan(cut, clusters))
    found = run_in_threads(program, parcel.weights, parcel.inputs)

    assert set(counts) == {"pool", "right_0"}
    assert same_bits(found, parcel.reference)
    assert "# part of pool: the rest by cluster " in program.source
    assert ", 2 of them in parts, on 2 workers" in program.source


FAULTS = {
    "a channel twice": ({"call": "F.max_pool2d(stem[:, 1:5], 3, 2)"}, "hold each channel once"),
    "a channel missing": ({"call": "F.max_pool2d(stem[:, 3:5], 3, 2)"}, "hold each channel once"),
    "no slice": ({"call": "F.max_pool2d(stem, 3, 2)"}, "hold each channel once"),
    "another size": ({"outputs": ()}, "not as large as it"),
    "of nothing": ({"part_of": "gone"}, "does not put its parts together"),
    "not put together": ({"part_of": "left"}, "does not put its parts together"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_checker_refuses_wrong_parts(branches: Graph, fault: str):
    changed, advice = FAULTS[fault]
    cut = in_parts(costing(branches, {}), {"pool": 2})
    plan = Plan((tuple(cut.index),))
    check_plan(cut, plan)
    nodes = (replace(n, **changed) if n.name == "pool_part1" else n for n in cut.nodes)

    with pytest.raises(PlanError, match=advice):
        check_plan(replace(cut, nodes=tuple(nodes)), plan)
