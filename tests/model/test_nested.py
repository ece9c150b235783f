"""Models that take and return more than one tensor: nested, by keyword, whole numbers, constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import ramiel_core
from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.errors import ModelError, RunError
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run.local import Local


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


@dataclass
class Named:
    sum: torch.Tensor
    count: int


class Nested(nn.Module):
    """Reads a dictionary that holds a tuple; the rest may be left out."""

    returns = "dictionary"

    def __init__(self):
        super().__init__()
        self.layer, self.words = nn.Linear(4, 4), nn.Embedding(9, 4)

    def forward(self, features, ids=None, *, scale=1.0, mask=None):
        x = self.layer(features["x"]) + features["more"][0] * features["more"][1]
        if ids is not None:
            x = x + self.words(ids)
        if mask is not None:
            x = x * mask
        return self.returned(x * scale, features["x"])

    def returned(self, x: torch.Tensor, given: torch.Tensor) -> Any:
        if self.returns == "list":
            return [x]
        if self.returns == "named tuple":
            return Pair(x, x + 1)
        if self.returns == "data class":
            return Named(x + 1, 2)
        return {"x": x, "parts": (x + 1, [x * 2, None]), "count": 3, "given": given}


class NestedByExport(Nested):
    def forward(self, features, ids=None, *, scale=1.0, mask=None):
        if features["x"].shape[0] > 1:  # which torch.fx refuses
            scale = scale * 2
        return super().forward(features, ids, scale=scale, mask=mask)


FEATURES = {"x": torch.randn(3, 4), "more": (torch.randn(3, 4), torch.randn(4))}
IDS = torch.tensor([1, 2, 3])
CALLS = {
    "a dictionary": (FEATURES,),
    "two arguments": [FEATURES, IDS],
    "by keyword": {"mask": torch.ones(3, 1) / 3, "features": FEATURES, "scale": 0.5},
    "whole numbers": {"ids": IDS.to(torch.int32), "features": FEATURES},
}
PLAIN = {
    "dictionary": lambda returned: returned,
    "list": lambda returned: returned,
    "named tuple": tuple,
    "data class": vars,
}


def make(returns: str, kind: type[Nested] = Nested) -> nn.Module:
    torch.manual_seed(0)
    module = kind().eval().requires_grad_(requires_grad=False)
    module.returns = returns
    return module


def nested():
    """For `package.module:function`."""
    return make("dictionary"), CALLS["by keyword"]


def applied(function: Any, inputs: Any) -> Any:
    return function(**inputs) if isinstance(inputs, dict) else function(*inputs)


def local(module: nn.Module, inputs: Any) -> tuple[Local, str]:
    traced = trace(module, inputs, "nested")
    parcel = pipeline.parcel_of(traced)
    program = pipeline.program_of(parcel.graph, sequential_plan(parcel.graph))
    return Local(program, parcel.weights, signature=traced.signature), traced.tracer


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("kind", [Nested, NestedByExport])
def test_nested_inputs_and_outputs_come_back_bit_for_bit(kind: type[Nested], how: str):
    run, tracer = local(module := make("dictionary", kind), CALLS[how])

    assert tracer == ("torch.fx" if kind is Nested else "torch.export")
    assert same_bits(applied(run, CALLS[how]), applied(module, CALLS[how]))


@pytest.mark.parametrize("returns", PLAIN)
def test_what_a_model_returns_needs_no_code_of_its_own(returns: str):
    run, _ = local(module := make(returns), CALLS["two arguments"])

    expected = PLAIN[returns](applied(module, CALLS["two arguments"]))
    assert same_bits(applied(run, CALLS["two arguments"]), expected)


def test_other_values_of_the_same_structure_are_computed_with():
    run, _ = local(module := make("dictionary"), CALLS["by keyword"])
    other = pytree.tree_map_only(torch.Tensor, lambda t: t + 1, CALLS["by keyword"])

    assert same_bits(run(**other), module(**other))


def test_another_structure_or_another_constant_is_refused():
    run, _ = local(make("dictionary"), CALLS["by keyword"])

    with pytest.raises(RunError, match="another structure than the example inputs"):
        run(FEATURES)
    with pytest.raises(RunError, match=r"is float where 0.5 was planned with"):
        run(**CALLS["by keyword"] | {"scale": 2.0})
    with pytest.raises(RunError, match="is float where a tensor was planned with"):
        run(**CALLS["by keyword"] | {"mask": 1.0})


def test_inputs_that_the_model_does_not_take_are_told():
    with pytest.raises(ModelError, match=r"missing a required argument: 'features'. Give a tuple"):
        trace(make("dictionary"), {"ids": IDS}, "nested")


def test_a_function_may_return_nested_inputs_by_keyword():
    graph = pipeline.graph_of(f"{__name__}:nested", cost="unit")

    names = [name for name, _ in graph.inputs]
    assert names == ["mask", "features_x", "features_more_0", "features_more_1"]
    assert graph.result.endswith("'count': 3, 'given': features_x}")


def test_workers_of_a_launcher_agree_with_the_model():
    record = ramiel_core.bench(f"{__name__}:nested", workers=2, repeats=2, planner="heft")

    assert record["equal"]
