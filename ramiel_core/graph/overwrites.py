"""Operators of a model that write over what they read: where, and whether that is safe to keep."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError, keeps_state
from ramiel_core.graph.effects import storages
from ramiel_core.graph.record import Seen
from ramiel_core.in_place import IN_PLACE, writes_first
from ramiel_core.ir import TensorSpec, TracedModel


@dataclass(frozen=True)
class Overwrites:
    """What the nodes of one model write over."""

    traced: TracedModel
    seen: Mapping[fx.Node, Seen]
    layers: Mapping[str, nn.Module]

    @cached_property
    def _held(self) -> Mapping[int, str]:
        """Names of what the model keeps from one inference to the next, by its memory."""
        module = self.traced.module
        named = (*module.named_parameters(), *module.named_buffers())
        found = {memory: name for name, tensor in named for memory in storages(tensor)}
        for node, seen in self.seen.items():
            if node.op == "get_attr":
                found.update(dict.fromkeys(seen.memory, str(node.target)))
        return found

    @cached_property
    def _order(self) -> Mapping[fx.Node, int]:
        return {node: i for i, node in enumerate(self.traced.module.graph.nodes)}

    def by(self, node: fx.Node) -> fx.Node | None:
        """The value that `node` overwrites in the model's own code, if it does."""
        if node.target is operator.setitem:
            raise ModelError(
                f"{self.traced.name} writes into a slice of {node.args[0]} "
                f"(`{node.format_node()}`); "
                f"build the value with torch.cat or torch.where instead."
            )
        first = node.args[0] if node.args else None
        return first if isinstance(first, fx.Node) and writes_first(node, self.layers) else None

    def are_safe(self, value: fx.Node) -> bool:
        """Whether writing over `value` is safe under any order and any split of the operators.

        It is where nobody else reads it and its memory is its own. Anywhere else the same
        operator runs out of place: same bits, one more buffer.
        """
        seen = self.seen[value]
        own_memory = value.op in ("call_module", "call_function", "call_method")
        return own_memory and seen.view_of is None and len(value.users) == 1

    def keep_type(self, node: fx.Node) -> bool:
        """Whether `node` would return the same type out of place: `a += b` keeps that of `a`.

        Asked of torch without numbers; where it has no such form, the answer is no.
        """
        method = str(node.target)
        out_of_place = (
            getattr(torch.Tensor, method[:-1], None)
            if node.op == "call_method"
            else IN_PLACE.get(node.target)
        )
        if out_of_place is None:
            return node.op != "call_method"
        args, kwargs = pytree.tree_map_only(fx.Node, self._on_meta, (node.args, node.kwargs))
        try:
            found = out_of_place(*args, **kwargs)
        except (RuntimeError, TypeError, NotImplementedError):
            return False
        return [TensorSpec.of(found).dtype] == [s.dtype for s in self.seen[node].specs if s]

    def _on_meta(self, node: fx.Node) -> Any:
        seen = self.seen[node]
        if not seen.specs or seen.specs[0] is None or seen.is_tuple:
            return seen.constant
        spec = seen.specs[0]
        dtype: torch.dtype = getattr(torch, spec.dtype)
        return torch.empty_strided(spec.shape, spec.stride, dtype=dtype, device="meta")

    def refuse_hidden(self, node: fx.Node, value: fx.Node | None) -> None:
        """Refuse a write that somebody sees through anything but what `node` returns.

        Parameters
        ----------
        node : fx.Node
            It writes.
        value : fx.Node or None
            What `by` says that it writes over.

        Raises
        ------
        ModelError
            Where it writes over what the model keeps, over something else than `value`, or over
            memory that is read later through another view.
        """
        writes = self.seen[node].writes
        kept = sorted(self._held[memory] for memory in writes & self._held.keys())
        if kept:
            raise keeps_state(self.traced.name, kept[0])
        if not writes <= (self.seen[value].memory if value is not None else frozenset()):
            raise ModelError(
                f"{self.traced.name} writes over a value that it only passes along "
                f"(`{node.format_node()}`); use what the operator returns, without out= or an "
                f"in-place form."
            )
        if value is not None:
            self._refuse_views(node, value)

    def _refuse_views(self, node: fx.Node, value: fx.Node) -> None:
        owner = self._views(value)[-1]
        for other in self.seen:
            views = self._views(other)
            if other is value or node in views or views[-1] is not owner:
                continue  # other memory, or the result of this write
            if any(self._order[user] > self._order[node] for user in other.users):
                raise ModelError(
                    f"{self.traced.name} writes over part of {owner.name!r} "
                    f"(`{node.format_node()}`) and reads it again later; build the value with "
                    f"torch.cat or torch.where instead."
                )

    def _views(self, node: fx.Node) -> list[fx.Node]:
        """`node`, what it is a view of, and so on to the value that owns the memory."""
        chain = [node]
        while (seen := self.seen.get(chain[-1])) and seen.view_of is not None:
            chain.append(seen.view_of)
        return chain
