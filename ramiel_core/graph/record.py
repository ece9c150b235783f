"""TracedModel, run once node by node -> what each node returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product, starmap
from typing import Any

import torch
from torch import fx
from torch.utils.flop_counter import FlopCounterMode

from ramiel_core.errors import ModelError, RamielError, first_line
from ramiel_core.graph.effects import Watch
from ramiel_core.ir import Recipe, TensorSpec, TracedModel

_is_alias_of: Any = vars(torch._C)["_is_alias_of"]  # noqa: SLF001 - it has no public name


@dataclass
class Seen:
    """What one node returned when it ran."""

    specs: tuple[TensorSpec | None, ...] = ()
    is_tuple: bool = False
    shares: tuple[fx.Node, ...] = ()  # whose memory it was seen to lie in
    flops: int = 0
    constant: Any = None  # of a node that returns no tensor
    part: int | None = None  # of a node that reads a field of a tuple
    has_effects: bool = False  # wrote over memory or drew random numbers

    @property
    def view_of(self) -> fx.Node | None:
        """The first of those whose memory it shares."""
        return self.shares[0] if self.shares else None


def record(traced: TracedModel) -> Mapping[fx.Node, Seen]:
    """Run a model on its example inputs; in the order of its nodes, without its output.

    Raises
    ------
    ModelError
        Where it cannot be run on them.
    """
    recorder = _Recorder(traced.module)
    try:
        with torch.no_grad():
            recorder.record(*traced.inputs)
    except RamielError:
        raise
    except Exception as cause:
        at = next(node for node in traced.module.graph.nodes if node not in recorder.seen)
        said = first_line(cause).rstrip(".")
        given = ", ".join(str(TensorSpec.of(tensor)) for tensor in traced.inputs)
        raise ModelError(
            f"{traced.name} cannot be run on its example inputs ({given}): {at.name!r} stopped "
            f"with: {said}. Give inputs of the shapes and types that the model expects."
        ) from cause
    return recorder.seen


class _Recorder(fx.Interpreter):
    """Runs a traced model node by node and notes what each returns."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: dict[fx.Node, Seen] = {}
        self._counter = FlopCounterMode(display=False)
        self._watch = Watch()

    def record(self, *args: torch.Tensor) -> None:
        """Run everything once, as `run` would, but for its progress bar.

        That one starts a thread where tqdm is installed, and a process with two may not fork.
        """
        # A model may write over its inputs; the caller's stay as they are.
        self.args_iter = iter(self.graph.process_inputs(*(a.clone() for a in args)))
        with self._counter, self._watch:
            for node in self.graph.nodes:
                self.env[node] = self.run_node(node)

    def get_attr(self, *args: Any) -> Any:
        value = super().get_attr(*args)
        return value.build(threads=1) if isinstance(value, Recipe) else value

    def run_node(self, n: fx.Node) -> Any:
        before = self._counter.get_total_flops()
        self._watch.restart()
        value = super().run_node(n)
        if n.op == "output":
            return value
        seen = Seen(flops=n.meta.get("flops", self._counter.get_total_flops() - before))
        seen.has_effects = self._watch.is_random or bool(self._watch.writes)
        if tensors := _tensors(value):
            seen.is_tuple = isinstance(value, (tuple, list))
            values = value if seen.is_tuple else (value,)
            seen.specs = tuple(
                TensorSpec.of(v) if isinstance(v, torch.Tensor) else None for v in values
            )
            seen.shares = tuple(
                source
                for source in n.all_input_nodes
                if any(starmap(_is_alias_of, product(tensors, _tensors(self.env.get(source)))))
            )
        else:
            seen.constant = value
        if n.target is getattr and isinstance(owner := self.env[n.all_input_nodes[0]], tuple):
            seen.part = next((i for i, part in enumerate(owner) if part is value), None)
        self.seen[n] = seen
        return value


def _tensors(value: Any) -> list[torch.Tensor]:
    values = value if isinstance(value, (tuple, list)) else (value,)
    return [v for v in values if isinstance(v, torch.Tensor)]
