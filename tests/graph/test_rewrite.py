"""Constants, repeats and dead code: what goes, what must stay, and equal bits in any case."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from ramiel_core import pipeline
from ramiel_core.graph import fold_constants as folding
from ramiel_core.graph.extract import extract, weights_of
from ramiel_core.graph.rewrite import rewrite
from ramiel_core.ir import Rewrites
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.program.emit import emit
from ramiel_core.run.local import Local


class Module(nn.Module):
    """Has weights of all kinds; each test says what its `forward` does."""

    def __init__(self, forward):
        super().__init__()
        self.a = nn.Parameter(torch.randn(4, 4))
        self.count = nn.Buffer(torch.zeros(4))
        self.linear = nn.Linear(4, 4)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout()
        self.one, self.same = nn.ReLU(), nn.ReLU()
        self.other = nn.Linear(4, 4)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def rewritten(forward, *, prepare=None, **wanted):
    """The model, and what is left of it after the rewrites."""
    torch.manual_seed(0)
    module = Module(forward).eval().requires_grad_(requires_grad=False)
    if prepare:
        prepare(module)
    model = trace(module, (torch.randn(4, 4),), "module")
    return model, rewrite(model, Rewrites(**wanted))


def ran_twice(model):
    """What the emitted program of a traced model returns, the first and the second time."""
    graph = extract(model)
    program = emit(graph, sequential_plan(graph))
    local = Local(program, weights_of(model, graph), threads=1)
    return local(*model.inputs).clone(), local(*model.inputs).clone()


def assert_equal_bits(before, after):
    with torch.no_grad():
        expected = before.module(*(t.clone() for t in before.inputs))
    for found in ran_twice(after):
        assert torch.equal(found, expected)


FOLDED = {
    "a chain of weights": (lambda m, x: x + (m.a.t() * 2).relu(), ("t", "mul", "relu")),
    "sizes count as constants": (lambda m, x: x + m.a[0].expand(x.shape[0], -1),
                                 ("getitem", "expand")),
    "a layer": (lambda m, x: x + m.linear(m.a), ("linear",)),
    "writing over each other": (lambda m, x: x + m.relu(m.linear(m.a)), ("linear", "relu")),
    "made of nothing": (lambda m, x: x + torch.arange(x.shape[0]) * 2, ("arange", "mul")),
    "one that only another reads": (lambda m, x: x + torch.cat(m.a.chunk(2)),
                                    ("chunk", "cat")),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDED)
def test_what_depends_on_weights_alone_becomes_a_weight(case: str):
    forward, expected = FOLDED[case]
    before, after = rewritten(forward)
    left = [node.name for node in extract(after).nodes]

    assert set(after.removed_constants) == set(expected)
    assert not set(left) & set(expected)
    assert len(extract(before)) == len(left) + len(expected)
    assert_equal_bits(before, after)


def written_over_later(m, x):
    made = m.a * 2
    return made.add_(x)


def read_before_it_is_written(m, x):
    made = m.a * 2
    first = x + made
    made.mul_(2)
    return first + made


NOT_FOLDED = {
    "depends on the input": lambda m, x: (x * 2) + m.a,
    "random": lambda m, x: x + torch.rand_like(m.a) * 0,
    "random though it reads nothing": lambda m, x: x + torch.randn(x.shape[0]) * 0,
    "somebody else writes over it": written_over_later,
    "read before it is written over": read_before_it_is_written,
}


@pytest.mark.parametrize("case", NOT_FOLDED)
def test_what_is_not_the_same_every_time_stays(case: str):
    before, after = rewritten(NOT_FOLDED[case])

    assert after.removed_constants == ()
    assert len(extract(after)) == len(extract(before))


def test_training_mode_is_not_a_constant():
    _, functional = rewritten(
        lambda m, x: x + F.batch_norm(m.a, m.count, m.count + 1, training=True)
    )
    assert functional.removed_constants in ((), ("add",))


def test_a_constant_beyond_the_limit_is_computed_as_before(monkeypatch):
    monkeypatch.setattr(folding, "LEAST_GROWTH_BYTES", 1000)
    before, after = rewritten(lambda m, x: x + (m.a[0] * 2).repeat(999, 1)[:4].relu())
    _, large = rewritten(lambda m, x: torch.cat([x, (m.a[0] * 2).repeat(999, 1)]))

    # of a large intermediate value only 64 bytes are read
    assert set(after.removed_constants) == {"getitem", "mul", "repeat", "getitem_1", "relu"}
    assert large.removed_constants == ("getitem", "mul")
    assert_equal_bits(before, after)
    assert [node.op for node in extract(large).nodes] == ["repeat", "cat"]


def test_one_that_is_too_large_and_writes_over_another_keeps_that_one_too(monkeypatch):
    monkeypatch.setattr(folding, "LEAST_GROWTH_BYTES", 1000)
    before, after = rewritten(lambda m, x: x + (m.a.repeat(99, 1) * 1).add_(1)[:4])

    assert_equal_bits(before, after)


def test_the_model_itself_stays_as_it_is():
    before, after = rewritten(lambda m, x: x + m.a * 2)

    assert "mul" in [node.name for node in before.module.graph.nodes]
    assert not hasattr(before.module, "mul_folded")
    assert hasattr(after.module, "mul_folded")


def unread(m, x):
    m.linear(x).relu()
    return x + 1


def unread_but_written(m, x):
    y = x + 1
    y.view(-1).mul_(3)
    z = y.clone()
    z.mul_(5)
    return y


def test_what_nobody_reads_is_dropped():
    before, after = rewritten(unread)

    assert set(after.removed_dead) == {"linear", "relu"}
    assert [node.name for node in extract(after).nodes] == ["add"]
    assert_equal_bits(before, after)


def test_a_write_that_is_seen_through_another_view_is_not_dead():
    before, after = rewritten(unread_but_written)

    assert set(after.removed_dead) == {"clone", "mul__1"}
    with torch.no_grad():
        inputs = [t.clone() for t in before.inputs]
        assert torch.equal(before.module(*inputs), after.module(*inputs))


def test_unread_random_numbers_stay():
    def forward(m, x):
        torch.rand(x.shape[0])
        return x + 1

    before, after = rewritten(forward)

    assert after.removed_dead == ()
    assert len(after.module.graph.nodes) == len(before.module.graph.nodes)


def test_what_only_a_constant_read_goes_with_it():
    def forward(m, x):
        unread = x * m.a.sum()
        return x + unread.shape[0]

    _, after = rewritten(forward)

    assert (after.removed_constants, after.removed_dead) == (("sum_1",), ())


SHARED = {
    "functions": (lambda m, x: F.relu(x) + F.relu(x), ("relu_1",)),
    "layers without weights, by what they do": (
        lambda m, x: m.one(x) * 2 + m.same(x) * 2, ("same", "mul_1")),
    "a layer with weights, called twice": (lambda m, x: m.linear(x) + m.linear(x), ("linear_1",)),
    "methods": (lambda m, x: x.sum(0) + x.sum(0), ("sum_2",)),
    "operators": (lambda m, x: (x + m.a) * (x + m.a), ("add_1",)),
    "views": (lambda m, x: x.view(-1) * x.view(-1), ("view_1",)),
    "what reads a repeat": (lambda m, x: x.exp().sin() + x.exp().sin(), ("exp_1", "sin_1")),
    "several results": (lambda m, x: x.chunk(2)[0] + x.chunk(2)[0], ("chunk_1", "getitem_1")),
    "what was written over before": (
        lambda m, x: (y := m.relu(m.linear(x))).exp() + y.exp(), ("exp_1",)),
    "again after a write": (
        lambda m, x: (y := x * 2).exp() + y.mul_(3) + y.exp() + y.exp(), ("exp_2",)),
    "both returned": (lambda m, x: torch.stack((x.exp(), x.exp())), ("exp_1",)),
}  # fmt: skip


@pytest.mark.parametrize("case", SHARED)
def test_what_comes_twice_is_computed_once(case: str):
    forward, expected = SHARED[case]
    before, after = rewritten(forward)
    left = [node.name for node in extract(after).nodes]

    assert after.removed_repeats == expected
    assert not set(left) & set(expected)
    assert len(extract(before)) == len(left) + len(expected)
    assert_equal_bits(before, after)


NOT_SHARED = {
    "another value": lambda m, x: x.exp() + m.a.exp(),
    "another argument": lambda m, x: x.sum(0) + x.sum(1).unsqueeze(0),
    "a number of another type": lambda m, x: (x + 1) * (x + True),
    "another layer": lambda m, x: m.linear(x) + m.other(x),
    "a layer that writes over what it reads": lambda m, x: m.relu(x + 1) + m.relu(x + m.a),
    "read again after a write": lambda m, x: (y := x * 2).exp() + y.mul_(3) + y.exp(),
    "written over later": lambda m, x: x.exp() + x.exp().mul_(2),
    "a view that is written through": lambda m, x: (y := x * 2).view(-1).mul_(2) + y.view(-1),
    "fresh memory to write to": lambda m, x: torch.zeros(4).add_(1) + torch.zeros(4) + x,
    "a function of somebody's own": lambda m, x: counting(x) + counting(x),
}
calls = 0


@fx.wrap
def counting(x):
    global calls  # noqa: PLW0603 - what torch cannot see
    calls += 1
    return x * (calls % 2)


@pytest.mark.parametrize("case", NOT_SHARED)
def test_what_may_differ_is_computed_each_time(case: str):
    before, after = rewritten(NOT_SHARED[case], drop_dead=False, fold_constants=False)

    assert after.removed_repeats == ()
    assert len(after.module.graph.nodes) == len(before.module.graph.nodes)


def test_random_numbers_are_drawn_each_time():
    _, after = rewritten(lambda m, x: torch.rand(4) + torch.rand(4) + x)

    assert after.removed_repeats == ()


def test_a_value_that_is_returned_twice_comes_out_of_both_workers():
    def forward(m, x):
        return x.exp().sin(), m.linear(x), x.exp().sin()

    before, after = rewritten(forward)
    expected = before.module(*before.inputs)

    assert after.removed_repeats == ("exp_1", "sin_1")
    graph = extract(after)
    local = Local(emit(graph, sequential_plan(graph)), weights_of(after, graph), threads=1)
    found = local(*before.inputs)
    assert len(found) == 3
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_each_rewrite_can_be_left_out():
    def forward(m, x):
        m.linear(x)
        return x.exp() + m.a * 2 + x.exp()

    names = {"fold_constants": "mul", "share_repeats": "exp_1", "drop_dead": "linear"}
    for left_out in names:
        _, after = rewritten(forward, **{left_out: False})
        gone = (*after.removed_constants, *after.removed_repeats, *after.removed_dead)
        assert gone == tuple(name for key, name in names.items() if key != left_out)


def test_position_biases_of_a_swin_transformer_are_folded():
    graph = pipeline.graph_of("swin_v2_t", cost="unit")
    whole = pipeline.graph_of("swin_v2_t", cost="unit", rewrites=Rewrites(fold_constants=False))

    assert len(graph.removed_constants) == 84
    assert len(whole) - len(graph) == 84
    assert graph.fingerprint != whole.fingerprint


def test_the_reference_is_what_the_model_itself_returned():
    model = pipeline.traced(Module(lambda m, x: x + m.a * 2).eval(), (torch.randn(4, 4),))
    parcel = pipeline.parcel_of(model)

    assert parcel.graph.removed_constants == ("mul",)
    assert list(parcel.weights) == ["mul_folded"]
    assert torch.equal(parcel.reference, model.module(*model.inputs))
