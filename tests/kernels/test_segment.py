"""Plans of segments: what they are called, where their values go, and that they still fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.check import check_plan, check_program
from ramiel_core.ir import Graph, Plan, Recipe
from ramiel_core.kernels.segment import Segment, segment
from ramiel_core.program.emit import emit
from tests.graphs import any_order_plan, computing, dealt_plan, graphs, shape


class Named(Recipe):
    """Stands for a session; tells what it was made of."""

    def __init__(self, made_of: Segment) -> None:
        self.made_of = made_of

    def build(self, threads: int) -> Any:
        return threads


def family(made_of: Segment, weights: Mapping[str, Any]) -> Recipe:
    return Named(made_of)


def rewritten(graph: Graph, plan: Plan) -> tuple[Graph, Plan, dict[str, Any]]:
    found = segment(computing(graph), plan, {}, family)
    check_plan(*found[:2])
    check_program(*found[:2], emit(*found[:2]))
    return found


def test_a_single_value_is_written_straight_into_its_buffer():
    graph = shape("diamond")
    new, plan, _ = rewritten(graph, Plan((("a", "b", "d"), ("c",))))

    assert 'c = w["segment_' in emit(new, plan).source
    assert 'out=shared("c"))' in emit(new, plan).source


def test_several_values_are_written_into_their_buffers():
    """One worker makes c and d, another joins them."""
    graph = shape("cross")
    new, plan, _ = rewritten(graph, Plan((("a", "b", "c", "d"), ("e",))))
    source = emit(new, plan).source

    assert 'out=(shared("c"), shared("d"),)' in source
    assert "c = segment_0[0]" in source


def test_costs_add_up():
    graph = replace(shape("inception"), cost_model="measured")
    new, _, _ = rewritten(graph, dealt_plan(graph, 2))

    assert new.t1_ms == pytest.approx(graph.t1_ms)
    assert new.outputs == ("fc",)


@given(graphs(), st.integers(1, 4), st.integers(0, 5))
def test_any_plan_of_any_graph_still_fits(graph: Graph, workers: int, seed: int):
    rewritten(graph, any_order_plan(graph, workers, seed))
