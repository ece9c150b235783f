"""TracedModel -> Graph: every operator with its shape, size, work and Python call.

Sizes and other values that are not tensors are fixed once the input's shape is: they become
literals in the calls that read them, not operators.
"""

from __future__ import annotations

import keyword
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, product, starmap
from typing import Any

import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from ramiel_core.errors import ModelError, RamielError
from ramiel_core.graph.effects import Watch, may_return_its_argument
from ramiel_core.graph.render import (
    Renderer,
    has_own_syntax,
    is_imported,
    qualified_name,
    writes_by_name,
)
from ramiel_core.ir import Graph, OpNode, Recipe, TensorSpec, TracedModel

_is_alias_of: Any = vars(torch._C)["_is_alias_of"]  # noqa: SLF001 - it has no public name
RESERVED = frozenset({"torch", "F", "w", "send", "receive", "shared", *keyword.kwlist})
CONCATENATIONS = frozenset({torch.cat, torch.concat, torch.ops.aten.cat.default})
IN_PLACE_FUNCTIONS = frozenset({operator.iadd, operator.isub, operator.imul, operator.itruediv})


def extract(traced: TracedModel) -> Graph:
    """Every operator of a traced model, unweighed (each `cost_ms` is 0).

    Parameters
    ----------
    traced : TracedModel
        On `meta` nothing is computed; on the CPU the model runs once, so that the buffers
        which are laid out from this graph have exactly the strides that will occur.

    Returns
    -------
    Graph
        In the order of the model's own code.

    Raises
    ------
    ModelError
        Where the model cannot be run on its example inputs, or writes into a slice of a tensor,
        which has no single producer.
    """
    recorder = _Recorder(traced.module)
    try:
        with torch.no_grad():
            recorder.record(*traced.inputs)
    except RamielError:
        raise
    except Exception as cause:
        at = next(node for node in traced.module.graph.nodes if node not in recorder.seen)
        said = (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")
        given = ", ".join(str(TensorSpec.of(tensor)) for tensor in traced.inputs)
        raise ModelError(
            f"{traced.name} cannot be run on its example inputs ({given}): {at.name!r} stopped "
            f"with: {said}. Give inputs of the shapes and types that the model expects."
        ) from cause
    return _Builder(traced, recorder).build()


@dataclass
class _Seen:
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


class _Recorder(fx.Interpreter):
    """Runs a traced model node by node and notes what each returns."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: dict[fx.Node, _Seen] = {}
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
        seen = _Seen(flops=n.meta.get("flops", self._counter.get_total_flops() - before))
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


@dataclass
class _Builder:
    """Turns the nodes of one traced model into a Graph, in their order."""

    traced: TracedModel
    record: _Recorder
    names: dict[fx.Node, str] = field(default_factory=dict)
    latest: dict[fx.Node, fx.Node] = field(default_factory=dict)  # who wrote over a value
    layers: Mapping[str, nn.Module] = field(default_factory=dict)
    taken: frozenset[str] = RESERVED

    def build(self) -> Graph:
        module = self.traced.module
        self.layers = dict(module.named_modules())
        seen = self.record.seen
        renderer = Renderer(
            module, self._name_of, lambda n: seen[n].constant, lambda n: seen[n].part
        )
        functions = {n.target for n in seen if n.op == "call_function" and is_imported(n.target)}
        self.taken = RESERVED | {f.__name__ for f in functions if callable(f)}
        nodes: list[OpNode] = []
        instead: dict[str, list[str]] = {}
        inputs: list[tuple[str, TensorSpec]] = []
        for node in module.graph.nodes:
            if node.op == "output":
                result, returned = renderer.value(node.args[0]), self._reads(node)
            elif node.op == "placeholder" and self.record.seen[node].specs:
                self.names[node] = self._identifier(node.name)
                inputs.append((self.names[node], self._spec_of(node)))
            elif node.op == "get_attr":
                self.names[node] = f'w["{node.target}"]'
            elif main := node.meta.get("instead_of"):
                instead.setdefault(self.names[main], []).append(renderer.call(node, in_place=False))
            elif self.record.seen[node].specs:
                nodes.append(self._operator(node, renderer))
        if not nodes:
            raise ModelError(
                f"{self.traced.name} calls no operator at all; there is nothing to plan."
            )
        return Graph(
            nodes=tuple(replace(n, others=tuple(instead.get(n.name, ()))) for n in nodes),
            inputs=tuple(inputs),
            outputs=returned,
            result=result,
            imports=tuple(sorted(renderer.imports)),
            model=self.traced.name,
            removed_constants=self.traced.removed_constants,
            removed_dead=self.traced.removed_dead,
        )

    def _operator(self, node: fx.Node, renderer: Renderer) -> OpNode:
        seen = self.record.seen[node]
        writes = self._writes_over(node)
        if writes is not None:
            self._refuse_hidden_write(node, writes)
        call = renderer.call(node, in_place=writes is not None and self._may_overwrite(writes))
        name, spec = self._identifier(node.name), seen.specs[0]
        dense = len(seen.specs) == 1 and spec is not None and 0 not in spec.stride
        into = renderer.into(node, call, f'shared("{name}")') if dense else ""
        reads = self._reads(node)
        aliases = self._aliases(node, reads)
        parameters, weight_bytes = self._weights(node)
        if writes is not None:
            self.latest[writes] = node  # whoever reads the old value later means the new one
        self.names[node] = name
        read_bytes = sum(
            spec.bytes
            for source in node.all_input_nodes
            if source.op != "get_attr"
            for spec in self.record.seen[source].specs
            if spec
        )
        return OpNode(
            name=name,
            op=self._kind(node),
            inputs=reads,
            call=call,
            into=into,
            joins=self._joined(node),
            outputs=seen.specs,
            returns_tuple=seen.is_tuple,
            is_view=seen.view_of is not None and writes is None,
            aliases=aliases,
            flops=seen.flops,
            read_bytes=read_bytes + weight_bytes,
            parameters=parameters,
            module=self._where(node),
            repeatable=not seen.has_effects and self._is_torchs_own(node),
        )

    def _aliases(self, node: fx.Node, reads: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `reads` in whose memory the output lies, or may lie under other strides.

        What was seen here holds for the strides seen here; another kernel for the same operator
        may return others, and a `reshape` that copied becomes a view.
        """
        if may_return_its_argument(self._kind(node)):
            return reads
        shared = {self._name_of(source) for source in self.record.seen[node].shares}
        return tuple(name for name in reads if name in shared)

    def _joined(self, node: fx.Node) -> tuple[str, ...]:
        """What a concatenation lays one behind the other: where nothing lies before its dimension.

        Only what other operators made for it alone: another reader could find it overwritten.
        """
        whole = self.record.seen[node].specs[0]
        parts = node.args[0] if node.target in CONCATENATIONS else None
        if whole is None or not isinstance(parts, (list, tuple)):
            return ()
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if not isinstance(dim, int) or math.prod(whole.shape[:dim]) != 1 or not _dense(whole):
            return ()
        if not all(self._is_made_for_one(part, whole.dtype) for part in parts):
            return ()
        return tuple(str(self._name_of(part)) for part in parts)

    def _is_made_for_one(self, part: Any, dtype: str) -> bool:
        """Whether an operator returns one dense tensor of a type, and one operator reads it."""
        if not isinstance(part, fx.Node) or not part.op.startswith("call_"):
            return False
        seen = self.record.seen[part]
        spec = seen.specs[0] if len(seen.specs) == 1 and not seen.is_tuple else None
        fits = spec is not None and spec.dtype == dtype and _dense(spec)
        return fits and len(part.users) == 1 and self._name_of(part) == self.names.get(part)

    def _is_torchs_own(self, node: fx.Node) -> bool:
        """Whether all that it computes with is seen: somebody's own code may keep state."""
        if node.op == "call_module":
            return type(self.layers[str(node.target)]).__module__.startswith("torch.nn.")
        return node.op == "call_method" or not is_imported(node.target)

    def _name_of(self, node: fx.Node) -> str | None:
        while node in self.latest:
            node = self.latest[node]
        return self.names.get(node)

    def _identifier(self, name: str) -> str:
        return f"{name}_" if name in self.taken else name

    def _spec_of(self, node: fx.Node) -> TensorSpec:
        spec = self.record.seen[node].specs[0]
        if spec is None or self.record.seen[node].is_tuple:
            raise ModelError(f"input {node.name!r} is not one tensor; pass its parts one by one.")
        return spec

    def _reads(self, node: fx.Node) -> tuple[str, ...]:
        named = (self._name_of(source) for source in node.all_input_nodes)
        return tuple(dict.fromkeys(n for n in named if n is not None and not n.startswith("w[")))

    def _writes_over(self, node: fx.Node) -> fx.Node | None:
        """The value that `node` overwrites in the model's own code, if it does."""
        target, method = node.target, str(node.target)
        if target is operator.setitem:
            raise ModelError(
                f"{self.traced.name} writes into a slice of {node.args[0]} "
                f"(`{node.format_node()}`); "
                f"build the value with torch.cat or torch.where instead."
            )
        if node.op == "call_module":
            overwrites = bool(getattr(self.layers[method], "inplace", False))
        elif node.op == "call_method":
            overwrites = writes_by_name(method)
        else:
            by_name = not has_own_syntax(target) and writes_by_name(qualified_name(target))
            asked = bool(node.kwargs.get("inplace"))
            overwrites = by_name or asked or target in IN_PLACE_FUNCTIONS
        first = node.args[0] if node.args else None
        return first if overwrites and isinstance(first, fx.Node) else None

    def _may_overwrite(self, value: fx.Node) -> bool:
        """Whether writing over `value` is safe under any order and any split of the operators.

        It is where nobody else reads it and its memory is its own. Anywhere else the same
        operator runs out of place: same bits, one more buffer.
        """
        seen = self.record.seen[value]
        own_memory = value.op in ("call_module", "call_function", "call_method")
        return own_memory and seen.view_of is None and len(value.users) == 1

    def _refuse_hidden_write(self, node: fx.Node, value: fx.Node) -> None:
        """Refuse a write that somebody sees through another view of the same memory."""
        order = {n: i for i, n in enumerate(self.traced.module.graph.nodes)}
        owner = self._views(value)[-1]
        for other in self.record.seen:
            views = self._views(other)
            if other is value or node in views or views[-1] is not owner:
                continue  # other memory, or the result of this write
            if any(order[user] > order[node] for user in other.users):
                raise ModelError(
                    f"{self.traced.name} writes over part of {owner.name!r} "
                    f"(`{node.format_node()}`) and reads it again later; build the value with "
                    f"torch.cat or torch.where instead."
                )

    def _views(self, node: fx.Node) -> list[fx.Node]:
        """`node`, what it is a view of, and so on to the value that owns the memory."""
        chain = [node]
        while (seen := self.record.seen.get(chain[-1])) and seen.view_of is not None:
            chain.append(seen.view_of)
        return chain

    def _weights(self, node: fx.Node) -> tuple[int, int]:
        """Parameters and bytes of weights that `node` reads."""
        if node.op == "call_module":
            held = list(self.layers[str(node.target)].parameters())
        else:
            attributes = [a for a in node.all_input_nodes if a.op == "get_attr"]
            held = [_attribute(self.traced.module, str(a.target)) for a in attributes]
        packed = [vars(recipe).values() for recipe in held if isinstance(recipe, Recipe)]
        tensors = [t for t in chain(held, *packed) if isinstance(t, torch.Tensor)]
        return sum(t.numel() for t in tensors), sum(t.numel() * t.element_size() for t in tensors)

    def _kind(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return type(self.layers[str(node.target)]).__name__.lower()
        if node.op == "call_method":
            return str(node.target)
        name = str(getattr(node.target, "__name__", node.target))
        return name.removesuffix(".default").split(".")[0].strip("_")

    def _where(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return str(node.target)
        stack = node.meta.get("nn_module_stack") or {}
        last = list(stack.values())[-1:] or [("", None)]
        return str(last[0][0])


def _dense(spec: TensorSpec) -> bool:
    """Whether items lie in the order of their indices, without gaps."""
    return torch.empty_strided(spec.shape, spec.stride, device="meta").is_contiguous()


def _attribute(module: nn.Module, path: str) -> Any:
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value


def weights_of(traced: TracedModel, graph: Graph) -> dict[str, Any]:
    """What the calls of `graph` find in `w`: parameters, buffers and constants by their path.

    A layer without functional form stands there as an object, under its own path.
    """
    module = traced.module
    found: dict[str, Any] = dict(module.named_modules())
    found.update(module.named_parameters())
    found.update(module.named_buffers())
    for node in module.graph.nodes:
        if node.op == "get_attr":
            found[str(node.target)] = _attribute(module, str(node.target))
    texts = (text for node in graph.nodes for text in (node.call, *node.others))
    calls = "\n".join([*texts, graph.result])
    return {name: found[name] for name in re.findall(r'w\["([^"]*)"\]', calls)}
