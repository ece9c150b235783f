"""TracedModel -> what each of its nodes does besides returning a value.

Observed while the model runs once, one level below Python: there every kernel says in its schema
which arguments it writes, and by a tag whether it draws random numbers. So it does not matter
whether a layer, a function, a method or somebody's own wrapped function called it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ramiel_core.errors import ModelError, RamielError, first_line
from ramiel_core.ir import TensorSpec, TracedModel

SIZE_METHODS = frozenset({"size", "dim", "numel", "stride", "ndimension", "nelement"})
SIZE_ATTRIBUTES = frozenset({"shape", "ndim", "dtype", "device"})
RUNNING = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Effects:
    """What one node was seen to do."""

    value: Any = None  # what it returned
    memory: frozenset[int] = frozenset()  # storages of the tensors in it; none: no operator
    writes: frozenset[int] = frozenset()  # storages that existed before it, which it wrote over
    is_random: bool = False  # or otherwise another value at another time: batch norm in training


def observe(model: TracedModel) -> Mapping[fx.Node, Effects]:
    """Run a traced model once and tell what each node does.

    Parameters
    ----------
    model : TracedModel
        On `meta` nothing is computed, and the same is found.

    Returns
    -------
    Mapping of fx.Node to Effects
        For every node but the output.

    Raises
    ------
    ModelError
        Where it cannot be run on its example inputs.
    """
    observer = _Observer(model.module)
    with cannot_run(model, observer.seen), torch.no_grad():
        observer.observe(model.inputs)
    return observer.seen


@contextmanager
def cannot_run(model: TracedModel, seen: Mapping[fx.Node, Any]) -> Iterator[None]:
    """Turn whatever stops a run of a model into a `ModelError`; `seen` are the nodes that ran."""
    try:
        yield
    except RamielError:
        raise
    except Exception as cause:
        at = next((n.name for n in model.module.graph.nodes if n not in seen), "its output")
        given = ", ".join(str(TensorSpec.of(tensor)) for tensor in model.inputs)
        raise ModelError(
            f"{model.name} cannot be run on its example inputs ({given}): {at!r} stopped with: "
            f"{first_line(cause).rstrip('.')}. Give inputs of the shapes and types that the model "
            f"expects."
        ) from cause


def reads_sizes_only(node: fx.Node) -> bool:
    """Whether a node asks for a shape or a type: fixed, since the example's shapes are."""
    if node.op == "call_method":
        return node.target in SIZE_METHODS
    if node.op != "call_function":
        return False
    return node.target is getattr and node.args[1] in SIZE_ATTRIBUTES


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what the kernels under it do beside computing values of known shapes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.restart()

    def restart(self, fixed: frozenset[int] = frozenset()) -> None:
        """Forget what the node before did; of the next, `fixed` is the memory of constants."""
        self._fixed = fixed
        self.writes: set[int] = set()  # memory that they write over
        self.is_random = False
        self.hands_out_numbers = False  # to Python
        self.shapes_by_numbers = False  # of what they return
        self._fresh: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        habits = _habits(func)
        given = {**dict(zip(habits.arguments, args, strict=False)), **named}
        trains = any(given.get(name) is True for name in ("training", "train"))
        self.is_random |= habits.is_random or trains
        self.hands_out_numbers |= habits.hands_out_numbers
        if habits.shapes_by_numbers:
            self.shapes_by_numbers |= not storages(_deciding(given)).keys() <= self._fixed
        # Batch norm's schema does not say that it updates these.
        for name in (*habits.written, *(RUNNING if trains else ())):
            self.writes |= storages(given.get(name)).keys() - self._fresh
        value = func(*args, **named)
        if habits.makes_memory:
            self._fresh |= storages(value).keys()
        return value


def _deciding(given: Mapping[str, Any]) -> list[Any]:
    """Those arguments of such a kernel whose numbers decide the shape: of indices, the masks."""
    if "indices" not in given:
        return list(given.values())
    masks = (torch.bool, torch.uint8)
    return [index for index in given["indices"] if index is not None and index.dtype in masks]


@dataclass(frozen=True, slots=True)
class _Habits:
    """What the schema of a kernel says about all its calls."""

    arguments: tuple[str, ...]
    written: tuple[str, ...]
    makes_memory: bool  # what it returns shares nothing with its arguments
    is_random: bool
    hands_out_numbers: bool
    shapes_by_numbers: bool


@cache
def _habits(kernel: Any) -> _Habits:
    schema = kernel._schema  # noqa: SLF001 - it has no public name
    marked = [a for a in schema.arguments if a.alias_info is not None]
    return _Habits(
        arguments=tuple(a.name for a in schema.arguments),
        written=tuple(a.name for a in marked if a.alias_info.is_write),
        makes_memory=not marked,
        is_random=torch.Tag.nondeterministic_seeded in kernel.tags,
        hands_out_numbers=torch.Tag.data_dependent_output in kernel.tags,
        shapes_by_numbers=torch.Tag.dynamic_output_shape in kernel.tags,
    )


@cache
def may_return_its_argument(operator: str) -> bool:
    """Whether torch's operator of this name may return a view of what it is given: "reshape".

    Read from its schemas, where `Tensor(a)` marks memory that is shared and `Tensor(a!)` memory
    that is written.
    """
    packet = getattr(torch.ops.aten, operator, None)
    schemas = [getattr(packet, name)._schema for name in packet.overloads()] if packet else []  # noqa: SLF001
    marks = [value.alias_info for schema in schemas for value in schema.returns]
    return any(mark is not None and not mark.is_write for mark in marks)


class _Observer(fx.Interpreter):
    """Runs node by node; every value is kept, so that no two storages share an address."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: dict[fx.Node, Effects] = {}
        self._watch = Watch()

    def observe(self, inputs: tuple[torch.Tensor, ...]) -> None:
        """Run everything, as `run` would but for its progress bar, whose thread forbids forking."""
        self.args_iter = iter(self.graph.process_inputs(*(t.clone() for t in inputs)))
        with self._watch:
            for node in self.graph.nodes:
                if node.op != "output":
                    self.env[node] = self.run_node(node)

    def run_node(self, n: fx.Node) -> Any:
        self._watch.restart()
        value = super().run_node(n)
        self.seen[n] = Effects(
            value=value,
            memory=frozenset(storages(value)),
            writes=frozenset(self._watch.writes),
            is_random=self._watch.is_random,
        )
        return value


def storages(value: Any) -> dict[int, int]:
    """Bytes of each storage in which the tensors in `value` keep their numbers; views share one.

    Packed weights (oneDNN's own layout) have none that could be asked for: nobody writes to them.
    """
    found = {}
    for leaf in pytree.tree_leaves(value):
        if isinstance(leaf, torch.Tensor) and leaf.layout == torch.strided:
            memory = leaf.untyped_storage()
            found[memory._cdata] = memory.nbytes()  # noqa: SLF001 - meta has no data pointers
    return found
