"""A program of one worker in the process of its caller."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.errors import RunError
from ramiel_core.ir import Recipe
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run.local import Local
from tests.graphs import dealt_plan
from tests.run.modules import MODULES, expected, make


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def local(name: str) -> tuple[Local, tuple[torch.Tensor, ...]]:
    module, inputs = make(name)
    parcel = pipeline.parcel_of(trace(module, tuple(t.clone() for t in inputs), name))
    program = pipeline.program_of(parcel.graph, sequential_plan(parcel.graph))
    return Local(program, parcel.weights), inputs


@pytest.mark.parametrize("name", MODULES)
def test_it_returns_what_the_model_returns_bit_for_bit(name: str):
    run, inputs = local(name)
    for _ in range(2):
        assert same_bits(run(*(t.clone() for t in inputs)), expected(name))


class Unwanted(Recipe):
    """What another call of an operator would have read."""

    name = "unwanted"

    def build(self, threads: int) -> None:
        raise AssertionError(f"nobody calls it by {threads}")


def test_only_what_the_program_calls_is_built():
    name = next(iter(MODULES))
    module, inputs = make(name)
    parcel = pipeline.parcel_of(trace(module, tuple(t.clone() for t in inputs), name))
    program = pipeline.program_of(parcel.graph, sequential_plan(parcel.graph))
    run = Local(program, {**parcel.weights, "other.unwanted": Unwanted()})

    assert same_bits(run(*(t.clone() for t in inputs)), expected(name))


def test_a_result_is_the_callers_own():
    """The next call does not write over what the last one returned."""
    run, inputs = local(next(iter(MODULES)))
    first = run(*(t.clone() for t in inputs))
    kept = [t.clone() for t in torch.utils._pytree.tree_leaves(first)]
    run(*(t + 1 if t.is_floating_point() else t for t in inputs))

    assert same_bits(torch.utils._pytree.tree_leaves(first), kept)


def test_a_program_that_is_wide_from_end_to_end_has_its_threads():
    module, inputs = make(next(iter(MODULES)))
    parcel = pipeline.parcel_of(trace(module, inputs, "wide"))
    everything = tuple(parcel.graph.index)
    plan = replace(sequential_plan(parcel.graph), wide=everything, wide_threads=2)
    Local(pipeline.program_of(parcel.graph, plan), parcel.weights, threads=1)

    assert torch.get_num_threads() == 2


def test_a_program_of_two_workers_is_sent_to_a_team():
    module, inputs = make(next(iter(MODULES)))
    parcel = pipeline.parcel_of(trace(module, inputs, "two"))
    plan = dealt_plan(parcel.graph, 2)

    with pytest.raises(RunError, match="run it in a Team"):
        Local(pipeline.program_of(parcel.graph, plan), parcel.weights)
