"""TracedModel, run once node by node -> what each node returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, starmap
from math import prod
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from ramiel_core.errors import ModelError
from ramiel_core.graph.effects import Watch, cannot_run, reads_sizes_only, storages
from ramiel_core.ir import Recipe, TensorSpec, TracedModel

aten: Any = torch.ops.aten
_is_alias_of: Any = vars(torch._C)["_is_alias_of"]  # noqa: SLF001 - it has no public name

NUMBERS_OUT = frozenset({"item", "tolist", "numpy", "__bool__", "__int__", "__float__"})
"""Methods that hand out numbers of a tensor; of these, some are seen by no dispatcher."""


def _windows(dimensions: int) -> Callable[..., int]:
    """How many values a pooling compares or adds: torch's counter does not count them."""

    def elements(_: Any, kernel: Sequence[int], *__: Any, out_shape: Any, **___: Any) -> int:
        made = out_shape if isinstance(out_shape[0], int) else out_shape[0]  # indices come second
        size = prod(kernel) if len(kernel) == dimensions else kernel[0] ** dimensions
        return int(prod(made) * size)

    return elements


def _all_of_it(shape: Sequence[int], *_: Any, **__: Any) -> int:
    """An adaptive pooling reads each value about once."""
    return prod(shape)


POOLINGS: Mapping[Any, Callable[..., int]] = {
    aten.max_pool2d_with_indices: _windows(2),
    aten.max_pool3d_with_indices: _windows(3),
    aten.avg_pool2d: _windows(2),
    aten.avg_pool3d: _windows(3),
    aten._adaptive_avg_pool2d: _all_of_it,  # noqa: SLF001 - to sizes other than 1
    aten._adaptive_avg_pool3d: _all_of_it,  # noqa: SLF001
    aten.adaptive_max_pool2d: _all_of_it,
    aten.adaptive_max_pool3d: _all_of_it,
}


@dataclass
class Seen:
    """What one node returned when it ran."""

    specs: tuple[TensorSpec | None, ...] = ()
    is_tuple: bool = False
    nesting: Any = None  # of a tuple that is named or holds others: a number for each of `specs`
    shares: tuple[fx.Node, ...] = ()  # whose memory it was seen to lie in
    memory: frozenset[int] = frozenset()  # storages of the tensors in it
    writes: frozenset[int] = frozenset()  # storages that existed before it, which it wrote over
    flops: int = 0
    constant: Any = None  # of a node that returns no tensor
    part: int | None = None  # of a node that reads a field of a tuple
    is_random: bool = False  # it drew random numbers, or is in training mode

    @property
    def view_of(self) -> fx.Node | None:
        """The first of those whose memory it shares."""
        return self.shares[0] if self.shares else None

    @property
    def has_effects(self) -> bool:
        """Whether it did more than return a value that depends on its arguments alone."""
        return self.is_random or bool(self.writes)


def record(traced: TracedModel) -> Mapping[fx.Node, Seen]:
    """Run a model on its example inputs; in the order of its nodes, without its output.

    Raises
    ------
    ModelError
        Where it cannot be run on them, or does what no plan can repeat: where a shape, or a number
        in Python, depends on the numbers in its inputs.
    """
    recorder = _Recorder(traced)
    with cannot_run(traced, recorder.seen), torch.no_grad():
        recorder.record()
    return recorder.seen


class _Recorder(fx.Interpreter):
    """Runs a traced model node by node and notes what each returns."""

    def __init__(self, traced: TracedModel) -> None:
        super().__init__(traced.module)
        self.seen: dict[fx.Node, Seen] = {}
        self._traced = traced
        self._live: set[fx.Node] = set()  # whose values change with the model's inputs
        self._counter = FlopCounterMode(display=False, custom_mapping=dict(POOLINGS))
        self._watch = Watch()

    def record(self) -> None:
        """Run everything once, as `run` would, but for its progress bar.

        That one starts a thread where tqdm is installed, and a process with two may not fork.
        """
        # A model may write over its inputs; the caller's stay as they are.
        given = (tensor.clone() for tensor in self._traced.inputs)
        self.args_iter = iter(self.graph.process_inputs(*given))
        with self._counter, self._watch:
            for node in self.graph.nodes:
                self.env[node] = self.run_node(node)

    def get_attr(self, *args: Any) -> Any:
        value = super().get_attr(*args)
        return value.stand_in() if isinstance(value, Recipe) else value

    def run_node(self, n: fx.Node) -> Any:
        before = self._counter.get_total_flops()
        self._note_live(n)
        fixed = (self.env.get(source) for source in n.all_input_nodes if source not in self._live)
        self._watch.restart(frozenset(storages(list(fixed))))
        try:
            value = super().run_node(n)
        except Exception as cause:
            self._refuse_numbers(n, cause)  # on meta, where there are none
            raise
        if n.op == "output":
            return value
        seen = Seen(flops=n.meta.get("flops", self._counter.get_total_flops() - before))
        seen.is_random, seen.writes = self._watch.is_random, frozenset(self._watch.writes)
        tensors = _tensors(value)
        if n.op == "get_attr":
            self._note_held(seen, value)
        elif tensors:
            self._note_tensors(n, seen, value, tensors)
        else:
            seen.constant = value
            if n.target in NUMBERS_OUT or self._watch.hands_out_numbers:
                self._refuse(n)
        if self._watch.shapes_by_numbers or self._has_other_shapes(n, seen, tensors):
            self._refuse(n)
        if n.target is getattr and isinstance(owner := self.env[n.all_input_nodes[0]], tuple):
            seen.part = next((i for i, part in enumerate(owner) if part is value), None)
        self.seen[n] = seen
        return value

    def _has_other_shapes(self, n: fx.Node, seen: Seen, tensors: list[torch.Tensor]) -> bool:
        """Whether other numbers make other shapes of it: `one_hot` without a number of classes.

        Not all such kernels say so by a tag, so it is tried, where it may read numbers at all.
        """
        live = [source for source in n.all_input_nodes if source in self._live]
        given = [t for source in live for t in _tensors(self.env[source])]
        counts = any(not (t.is_floating_point() or t.is_complex()) for t in given)
        may_read = counts or self._watch.hands_out_numbers
        if not may_read or seen.has_effects or any(t.is_meta for t in (*given, *tensors)):
            return False
        shapes = [t.shape for t in tensors]
        return any(
            (found := self._shapes_of(n, set(live), other)) is not None and found != shapes
            for other in (torch.zeros_like, torch.ones_like)
        )

    def _shapes_of(
        self, n: fx.Node, live: set[fx.Node], other: Callable[[torch.Tensor], torch.Tensor]
    ) -> list[torch.Size] | None:
        """What it returns for other numbers in what is live; None where it refuses these."""

        def given(source: fx.Node) -> Any:
            value = self.env[source]
            return pytree.tree_map_only(torch.Tensor, other, value) if source in live else value

        args, kwargs = fx.node.map_arg((n.args, n.kwargs), given)
        try:
            made = getattr(self, n.op)(n.target, args, kwargs)
        except Exception:  # noqa: BLE001 - an index out of range, or whatever a kernel raises
            return None
        return [t.shape for t in _tensors(made)]

    def _note_live(self, n: fx.Node) -> None:
        reads = self._live.intersection(n.all_input_nodes) and not reads_sizes_only(n)
        if n.op == "placeholder" or reads:
            self._live.add(n)

    def _note_held(self, seen: Seen, value: Any) -> None:
        """A weight may also be packed, sparse or a layer: it crosses no channel."""
        seen.memory = frozenset(storages(value))
        if isinstance(value, torch.Tensor) and value.layout == torch.strided:
            seen.specs = (TensorSpec.of(value),)

    def _note_tensors(self, n: fx.Node, seen: Seen, value: Any, tensors: list[Any]) -> None:
        if not isinstance(value, (torch.Tensor, tuple, list, dict)):
            raise ModelError(
                f"{self._traced.name}: {n.name!r} returns a {type(value).__name__} of tensors, "
                f"which cannot be handed to another worker; return a tuple of them."
            )
        seen.is_tuple = not isinstance(value, torch.Tensor)
        leaves, structure = pytree.tree_flatten(value)
        if seen.is_tuple and (len(leaves) != len(value) or type(value) not in (tuple, list)):
            seen.nesting = _plain(pytree.tree_unflatten(range(len(leaves)), structure))
        seen.specs = tuple(
            TensorSpec.of(leaf) if isinstance(leaf, torch.Tensor) else None for leaf in leaves
        )
        seen.memory = frozenset(storages(value))
        seen.shares = tuple(
            source
            for source in n.all_input_nodes
            if any(starmap(_is_alias_of, product(tensors, _tensors(self.env.get(source)))))
        )

    def _refuse_numbers(self, n: fx.Node, cause: Exception) -> None:
        reads = n.target in NUMBERS_OUT or self._watch.hands_out_numbers
        if reads or self._watch.shapes_by_numbers:
            self._refuse(n, cause)

    def _refuse(self, n: fx.Node, cause: Exception | None = None) -> None:
        """Refuse what would be fixed by the example's numbers, unless these are the model's own."""
        if n in self._live:
            raise ModelError(
                f"{self._traced.name} cannot be planned: of {n.name!r} (`{n.format_node()}`) the "
                f"shape, or a number in Python, depends on the numbers in the model's inputs, and "
                f"a plan fixes both; keep tensors of fixed shapes: torch.where for a mask as "
                f"index, a number of classes for one_hot, tensor arithmetic for .item()."
            ) from cause


def _plain(numbers: Any) -> Any:
    """The same of tuples, lists and dictionaries only."""
    if isinstance(numbers, dict):
        return {key: _plain(part) for key, part in numbers.items()}
    if isinstance(numbers, list):
        return [_plain(part) for part in numbers]
    return tuple(map(_plain, numbers)) if isinstance(numbers, tuple) else numbers


def _tensors(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
