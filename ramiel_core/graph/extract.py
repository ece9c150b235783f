"""TracedModel -> Graph: every operator with its shape, size, work and Python call.

Sizes and other values that are not tensors are fixed once the input's shape is: they become
literals in the calls that read them, not operators.
"""

from __future__ import annotations

import keyword
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import torch
from torch import fx, nn

from ramiel_core.errors import ModelError
from ramiel_core.graph.effects import may_return_its_argument
from ramiel_core.graph.overwrites import Overwrites
from ramiel_core.graph.record import Seen, record
from ramiel_core.graph.render import Renderer, is_imported
from ramiel_core.graph.values import Values
from ramiel_core.ir import Graph, OpNode, Recipe, TensorSpec, TracedModel, paths_of_weights

RESERVED = frozenset(
    {"torch", "F", "w", "send", "receive", "shared", "_at", "_stamps", "_clock", *keyword.kwlist}
)
"""What a program means something else by, once it is emitted and its marks are woven in."""

DEFINED = re.compile(r"result|cluster_[0-9]+")  # functions of a program
CONCATENATIONS = frozenset({torch.cat, torch.concat, torch.ops.aten.cat.default})


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
    return _Builder(traced, record(traced)).build()


@dataclass
class _Builder:
    """Turns the nodes of one traced model into a Graph, in their order."""

    traced: TracedModel
    seen: Mapping[fx.Node, Seen]
    layers: Mapping[str, nn.Module] = field(init=False)
    overwrites: Overwrites = field(init=False)
    imported: Mapping[Any, str] = field(init=False)  # functions that are not torch's, by name
    taken: set[str] = field(init=False)  # names that no further operator may have
    names: dict[fx.Node, str] = field(init=False, default_factory=dict)
    latest: dict[fx.Node, fx.Node] = field(init=False, default_factory=dict)  # who wrote over it

    def __post_init__(self) -> None:
        self.layers = dict(self.traced.module.named_modules())
        self.overwrites = Overwrites(self.traced, self.seen, self.layers)
        self.imported = self._names_of_functions()
        self.taken = {*RESERVED, *self.imported.values()}

    def build(self) -> Graph:
        module, values = self.traced.module, Values(self.seen, self._name_of)
        renderer = Renderer(module, self.seen, values, self.imported)
        nodes: list[OpNode] = []
        instead: dict[str, list[str]] = {}
        inputs: list[tuple[str, TensorSpec]] = []
        for node in module.graph.nodes:
            if node.op == "output":
                result, returned = values.text(node.args[0]), self._reads(node)
            elif node.op == "placeholder" and self.seen[node].specs:
                self.names[node] = self._identifier(node.name)
                inputs.append((self.names[node], self._spec_of(node)))
            elif node.op == "get_attr":
                self.names[node] = f'w["{node.target}"]'
            elif main := node.meta.get("instead_of"):
                instead.setdefault(self.names[main], []).append(renderer.call(node, in_place=False))
            elif self.seen[node].specs:
                nodes.append(self._operator(node, renderer))
            elif self.seen[node].writes:  # and returns nothing
                self.overwrites.refuse_hidden(node, self.overwrites.by(node))
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
            removed_repeats=self.traced.removed_repeats,
            removed_dead=self.traced.removed_dead,
        )

    def _operator(self, node: fx.Node, renderer: Renderer) -> OpNode:
        seen = self.seen[node]
        writes = self.overwrites.by(node)
        self.overwrites.refuse_hidden(node, writes)
        in_place = writes is not None and self.overwrites.are_safe(writes)
        keeps_type = writes is None or self.overwrites.keep_type(node)
        call = renderer.call(node, in_place=in_place, keeps_type=keeps_type)
        name, spec = self._identifier(node.name), seen.specs[0]
        dense = len(seen.specs) == 1 and spec is not None and 0 not in spec.stride
        plain = dense and keeps_type and not seen.is_tuple
        into = renderer.into(node, call, f'shared("{name}")') if plain else ""
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
            for spec in self.seen[source].specs
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
        shared = {self._name_of(source) for source in self.seen[node].shares}
        return tuple(name for name in reads if name in shared)

    def _joined(self, node: fx.Node) -> tuple[str, ...]:
        """What a concatenation lays one behind the other: where nothing lies before its dimension.

        Only what other operators made for it alone: another reader could find it overwritten.
        """
        whole = self.seen[node].specs[0]
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
        seen = self.seen[part]
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
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def _names_of_functions(self) -> Mapping[Any, str]:
        """What a program calls each function that is not torch's by; no two by the same name.

        Raises
        ------
        ModelError
            For one that no import finds.
        """
        found: dict[Any, str] = {}
        for node in self.seen:
            function: Any = node.target
            if node.op != "call_function" or function in found or not is_imported(function):
                continue
            name = function.__name__
            if getattr(sys.modules.get(function.__module__), name, None) is not function:
                raise ModelError(
                    f"{self.traced.name} calls {name!r}, which no import finds: define it with def "
                    f"at the top of a module."
                )
            while name in found.values() or name in RESERVED or DEFINED.fullmatch(name):
                name += "_"
            found[function] = name
        return found

    def _spec_of(self, node: fx.Node) -> TensorSpec:
        spec = self.seen[node].specs[0]
        if spec is None or self.seen[node].is_tuple:
            raise ModelError(f"input {node.name!r} is not one tensor; pass its parts one by one.")
        return spec

    def _reads(self, node: fx.Node) -> tuple[str, ...]:
        named = (self._name_of(source) for source in node.all_input_nodes)
        return tuple(dict.fromkeys(n for n in named if n is not None and not n.startswith("w[")))

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
        return "".join(c if c.isprintable() else "_" for c in str(last[0][0]))  # for a comment


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
    texts = (text for node in graph.nodes for text in (node.call, *node.others))
    calls = "\n".join([*texts, graph.result])
    return {path: _attribute(traced.module, path) for path in paths_of_weights(calls)}
