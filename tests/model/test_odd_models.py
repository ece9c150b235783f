"""Models of one's own that could go wrong without a word: equal bits, or refused in a sentence.

Each runs under plans that no planner would make, three inferences in a row with different inputs:
what a model keeps from one to the next shows only then.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from ramiel_core import client, pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.errors import ModelError, RamielError, RunError
from ramiel_core.ir import Job
from ramiel_core.model.comparison import is_close
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run.local import Local
from tests.graphs import any_order_plan, dealt_plan
from tests.program.threads import run_in_threads

Forward = Callable[[Any, torch.Tensor], Any]


class Own(nn.Module):
    """Layers of several kinds; each test says what its `forward` does."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line, self.lstm = nn.Linear(6, 6), nn.LSTM(6, 6)
        self.conv, self.norm, self.other = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        for norm in (self.norm, self.other):
            nn.init.normal_(norm.weight)
            norm.running_var.uniform_(0.5, 2)
        self.bare = nn.BatchNorm2d(4, track_running_stats=False)
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
        self.active = nn.ReLU(inplace=True)
        self.words, self.head = nn.Embedding(6, 6), nn.Linear(6, 6, bias=False)
        self.head.weight = self.words.weight
        self.cache = nn.Buffer(torch.zeros(2, 4, 6, 6))
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def own(forward: Forward) -> nn.Module:
    return Own(forward).eval().requires_grad_(requires_grad=False)


def image(seed: int) -> torch.Tensor:
    return torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(seed))


def promoted(_, x):
    y = (x * 2).to(torch.bfloat16)
    before = y + 1
    y.add_(x)  # in float32 out of place
    return y * 3, before


def compared(_, x):
    y = x * 2
    before = y + 1
    y.gt_(0)  # a mask out of place
    return y * 3, before


def whole_numbers(_, x):
    y, mask = x * 20, x > 0
    before, other = y + 1, ~mask
    y //= 2
    y %= 5
    mask |= other
    return y, before, mask


def accumulated(_, x):
    total = torch.zeros(2, 4, 6, 6)
    for k in range(3):
        total += x * k
    return total * 2


def overloaded(_, x):
    y = x * 2
    before = y + 1
    return torch.ops.aten.mul_.Tensor(y, x) * 3, before


def activated(m, x):
    return m.active(torch.full((2, 4, 6, 6), -1.0)) + m.active(x * 2)


def slices(_, x):
    made = torch.zeros(2, 8, 6, 6)
    made[:, :4] = x
    made[:, 4:] = x * 2
    return made.relu()


def asked(_, x):
    if isinstance(x, torch.Tensor):  # a proxy of torch.fx is none
        x = x * 2
    return x + 1


def cast(m, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = m.line(x)
    return y.float() + x


def stateful_lstm(m, x):
    out, (hidden, cell) = m.lstm(x[0])
    return out + 1, hidden * cell, (cell, out)


def named_like_variables(_, x):
    i, j = x[0, 0, 0] * 2, x[0, 0, 1] + 1
    tanh = torch.tanh(x)
    return torch.einsum("i,j->ij", i, j), F.gelu(tanh, approximate="tanh")


def unpooled(m, x):
    y, at = m.pool(x)
    return m.unpool(y * 2, at) + x


EQUAL: dict[str, Forward] = {
    "tied weights": lambda m, x: m.head(torch.tanh(m.words(x.argmax(1) % 6))),
    "in place, of another type": promoted,
    "in place, a comparison": compared,
    "in place, by Python's operators": whole_numbers,
    "a sum into zeros": accumulated,
    "in place, by an overload of torch's": overloaded,
    "an activation in place of what is made anew": activated,
    "slices written": slices,
    "asks what it is given": asked,
    "autocast": cast,
    "norm by the batch": lambda m, x: m.bare(x) * 2 + x,
    "indices of a pool": unpooled,
    "state of an LSTM": stateful_lstm,
    "an LSTM's result as it is": lambda m, x: m.lstm(x[0]),
    "names of variables in strings": named_like_variables,
    "complex, of both sizes": lambda _, x: (torch.fft.fft(x).conj(), torch.fft.fft(x.double()) * 1j),
    "one hot": lambda _, x: F.one_hot(x.argmax(1), 4) * 2,
    "one of an index": lambda _, x: x[:, x.mean((0, 2, 3)).argmax()] * 2,
    "infinite literals": lambda _, x: x.clamp(float("-inf"), 1.0) * complex("inf"),
    "overlapping windows": lambda _, x: (x * 2).unfold(3, 3, 1) * 2,
}  # fmt: skip


def agrees(module: nn.Module, made: Callable[[int], torch.Tensor] = image) -> str:
    """Whatever is not equal under some plan; how it was traced."""
    traced = pipeline.traced(module, (made(0),), device="cpu")
    parcel = pipeline.parcel_of(traced)
    graph = parcel.graph
    plans = [sequential_plan(graph), dealt_plan(graph, 2), dealt_plan(graph, 3)]
    plans += [any_order_plan(graph, workers, seed) for seed in (0, 1) for workers in (1, 2)]
    for plan in plans:
        program = pipeline.program_of(graph, plan)
        for turn in range(3):
            with torch.no_grad():
                wanted = module(made(turn))
            found = run_in_threads(program, parcel.weights, (made(turn),))
            assert same_bits(found, wanted), program.source
    return traced.tracer


@pytest.mark.parametrize("case", EQUAL)
def test_three_inferences_in_a_row_have_the_models_own_bits(case: str):
    tracer = agrees(own(EQUAL[case]))

    by_export = ("slices written", "asks what it is given", "autocast")
    assert tracer == ("torch.export" if case in by_export else "torch.fx")


def test_an_expanded_input_that_asks_for_gradients_is_taken():
    assert agrees(
        own(lambda _, x: x * 2 + x.relu()),
        lambda seed: image(seed)[:, :1].expand(2, 4, 6, 6).requires_grad_(),
    )


def hooked(module):
    module.line.register_forward_hook(lambda _m, _i, out: out * 2)
    module.register_forward_pre_hook(lambda _m, given: (given[0] + 1,))


def patched(module):
    itself = module.line.forward
    module.line.forward = lambda x: itself(x) * 2


def normalised_by_hook(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(module.line)


CHANGED = {
    "hooks": hooked,
    "another forward": patched,
    "weight_norm by hook": normalised_by_hook,
    "weight_norm": lambda m: parametrizations.weight_norm(m.line),
    "spectral_norm": lambda m: parametrizations.spectral_norm(m.line),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_layer_that_does_more_than_its_type_says_does_so_in_a_program(case: str):
    module = own(lambda m, x: m.line(x) + x)
    CHANGED[case](module)

    agrees(module.eval().requires_grad_(requires_grad=False))


def counted(m, x):
    m.cache.add_(1)
    return x * m.cache


def kept(m, x):
    y = x + m.cache
    m.cache.copy_(x)
    return y * 2


def written_out(_, x):
    y = x * 2
    before = y + 1
    torch.add(x, 1, out=y)
    return y * 3, before


def listed(_, x):
    y, z = x * 2, x * 3
    before = y + z
    torch._foreach_add_([y, z], 1.0)
    return y, z, before


BY_NUMBERS = "depends on the numbers in the model's inputs.*torch.where.*tensor arithmetic"
REFUSED: dict[str, tuple[Forward, str]] = {
    "a counter": (counted, "writes over its own 'cache'.*take what it keeps as an input"),
    "a cache": (kept, "writes over its own 'cache'.*take what it keeps as an input"),
    "an output argument": (written_out, "that it only passes along.*use what the operator returns"),
    "a list in place": (listed, "that it only passes along.*use what the operator returns"),
    "item": (lambda _, x: x / x.max().item(), BY_NUMBERS),
    "a list of numbers": (lambda _, x: x * x.mean((1, 2, 3)).tolist()[0], BY_NUMBERS),
    "where they are": (lambda _, x: (x > 0).nonzero() * 2, BY_NUMBERS),
    "classes that are counted": (lambda _, x: F.one_hot(x.argmax(1)) * 2, BY_NUMBERS),
    "a slice to an index": (lambda _, x: x[:, :, : x.mean((0, 1, 2)).argmax()] * 2, BY_NUMBERS),
    "parts to an index": (
        lambda _, x: x.tensor_split(x.mean((0, 1, 2)).argmax().reshape(1), 3)[0] * 2, BY_NUMBERS),
    "a range to a number": (lambda _, x: torch.arange(x.argmax()) * 2, BY_NUMBERS),
    "a mask as index": (lambda _, x: x[x > 0].sum() + x, BY_NUMBERS),
    "random numbers": (lambda _, x: x + torch.randn_like(x), "draws random numbers.*as an input"),
    "random constants": (lambda _, x: x + torch.randn(6), "draws random numbers.*as an input"),
    "quantized": (lambda _, x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8).dequantize() + x,
                  "type quint8 cannot be planned; convert them"),
    "sparse": (lambda _, x: (x.to_sparse() * 2).to_dense(), "layout sparse_coo cannot be planned"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_plan_can_repeat_is_refused_with_what_to_do(case: str):
    forward, said = REFUSED[case]

    with pytest.raises(RamielError, match=said) as error:
        pipeline.parcel_of(pipeline.traced(own(forward), (image(0),), device="cpu"))
    assert "\n" not in str(error.value)


def test_numbers_are_refused_on_meta_as_well():
    model = own(lambda _, x: x / x.max().item()).to("meta")

    with pytest.raises(ModelError, match=BY_NUMBERS):
        pipeline.graph_of(model, (image(0).to("meta"),))


class Scaled(nn.Module):
    def forward(self, x):
        return x * 2


def test_names_of_layers_cannot_write_code():
    """A line break in a comment would end it; a quote would end the name of a weight."""
    for name in ("a\nraise SystemExit", 'a"]', "a\\"):
        module = own(lambda m, x, name=name: m.parts[name](x) + 1)
        module.parts = nn.ModuleDict({name: Scaled().eval()})
        with pytest.raises(ModelError, match=r"has a layer or weight called.*leave quotes"):
            agrees(module)


def test_a_comment_of_a_program_stays_one_line():
    """Names of parts also come from files, of which nobody has to be trusted."""
    traced = pipeline.traced(own(lambda _, x: x * 2 + 1), (image(0),), device="cpu")
    for node in traced.module.graph.nodes:
        node.meta["nn_module_stack"] = {"": ("a\nraise SystemExit", None)}
    graph = pipeline.parcel_of(traced).graph

    source = pipeline.program_of(graph, sequential_plan(graph)).source
    assert "\n    # a_raise SystemExit\n" in source


def test_one_layer_called_twice_has_what_is_folded_and_packed_of_each_call():
    """Detectors share a head among sizes, with a norm for each."""
    module = own(lambda m, x: (m.norm(m.conv(x)).relu(), m.other(m.conv(x[:, :, ::2])).relu()))
    traced = pipeline.traced(module, (image(0),), device="cpu")
    parcel = pipeline.parcel_of(traced, "fused")
    graph, weights = parcel.fused
    local = Local(pipeline.program_of(graph, sequential_plan(graph)), weights)

    assert all(map(is_close, local(image(1)), module(image(1))))
    assert not any("norm" in node.call for node in graph.nodes)


def test_one_image_without_a_batch_is_left_to_torch():
    module = own(lambda m, x: m.conv(x).relu() + x)
    parcel = pipeline.parcel_of(pipeline.traced(module, (image(0)[0],), device="cpu"), "fused")

    assert [node.op for node in parcel.fused[0].nodes] == ["conv2d", "relu", "add"]


@torch.fx.wrap
def doubled(x):
    """For a launcher to look for in vain."""
    return x * 2


def test_functions_of_the_script_itself_are_refused_before_a_launcher_misses_them(monkeypatch):
    monkeypatch.setattr(doubled, "__module__", "__main__")
    monkeypatch.setattr("__main__.doubled", doubled, raising=False)
    module = own(lambda _, x: doubled(x) + 1)

    with pytest.raises(
        ModelError, match=r"`from __main__ import doubled`.*package.module:function"
    ):
        client.start(Job("own"), module, (image(0),))


@torch.fx.wrap
def result(x):
    """A program has a function of this name, and calls this one otherwise."""
    return x * 2


def test_a_function_that_a_program_calls_by_another_name_is_not_taken_to_write_in_place():
    module = own(lambda _, x: result(x) + 1)
    graph = pipeline.graph_of(module, (image(0),))

    assert [node.call for node in graph.nodes] == ["result_(x)", "result + 1"]


def test_inputs_of_other_shapes_or_types_are_refused_not_converted():
    module = own(lambda _, x: x * 2 + x.shape[0])
    parcel = pipeline.parcel_of(pipeline.traced(module, (image(0),), device="cpu"))
    local = Local(pipeline.program_of(parcel.graph, sequential_plan(parcel.graph)), parcel.weights)

    with pytest.raises(RunError, match=r"'x' is float32\[1×4×6×6\] where float32\[2×4×6×6\] was"):
        local(image(0)[:1])
    with pytest.raises(RunError, match=r"'x' is float64\[2×4×6×6\] where"):
        local(image(0).double())
