"""nn.Module -> TracedModel: torch.fx where it can, torch.export where it cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ramiel_core.errors import ModelError
from ramiel_core.model.trace import trace
from tests.run.modules import BY_EXPORT, MODULES, make


@pytest.mark.parametrize("name", MODULES)
def test_torch_fx_comes_first_and_torch_export_takes_what_it_refuses(name: str):
    traced = trace(*make(name), name)

    assert traced.tracer == ("torch.export" if name in BY_EXPORT else "torch.fx")
    assert traced.name == name


@pytest.mark.parametrize("name", ["branches", "branch_on_shape"])
def test_a_traced_model_computes_what_the_module_computes(name: str):
    module, inputs = make(name)
    with torch.no_grad():
        assert torch.equal(trace(module, inputs, name).module(*inputs), module(*inputs))


def test_nothing_is_copied_the_traced_model_shares_its_weights():
    module, inputs = make("branches")
    own = {p.data_ptr() for p in module.parameters()}

    assert {p.data_ptr() for p in trace(module, inputs, "x").module.parameters()} == own


class BranchOnValue(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x - 1


def test_a_model_that_neither_can_trace_is_told_the_line_and_what_to_try(capfd):
    with pytest.raises(ModelError) as error:
        trace(BranchOnValue().eval(), (torch.ones(3),), "moody")
    said = str(error.value)

    assert said.startswith("moody cannot be traced: torch.fx stopped at test_trace.py:")
    assert said.count("`if x.sum() > 0:`") == 2
    assert "torch.export stopped at test_trace.py:" in said
    assert "decide them before the model, or trace the part of it that has none" in said
    assert "\n" not in said
    assert capfd.readouterr().err == ""  # torch.export prints the graph as far as it went


def test_a_model_whose_code_raises_is_told_where():
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("no such thing")

    with pytest.raises(ModelError, match=r"test_trace.py:.*`raise ValueError.*no such thing"):
        trace(Broken().eval(), (torch.ones(1),), "broken")


def test_a_model_in_training_mode_is_refused_with_what_to_do():
    with pytest.raises(ModelError, match=r"is in training mode.*Call \.eval\(\) on it first"):
        trace(nn.Dropout(), (torch.ones(1),), "dropout")


def test_a_part_in_training_mode_is_named():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    model[1].train()

    with pytest.raises(ModelError, match=r"model's part '1' is in training mode.*Call \.eval\(\)"):
        trace(model, (torch.ones(1, 2),), "model")


class Leaky(nn.Module):
    """Leaves a proxy, a constant and a count in its attributes while torch.fx traces it."""

    calls = 0

    def forward(self, x):
        self.last = x
        self.calls += 1
        return x + torch.arange(3.0)


def test_tracing_leaves_a_model_as_it_was():
    model = Leaky().eval()
    before = dict(vars(model))

    trace(model, (torch.ones(3),), "leaky")

    assert dict(vars(model)) == before
