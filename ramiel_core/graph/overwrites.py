"""Operators of a model that write over what they read: where, and whether that is safe to keep."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx, nn

from ramiel_core.errors import ModelError
from ramiel_core.graph.record import Seen
from ramiel_core.graph.render import has_own_syntax, qualified_name, writes_by_name
from ramiel_core.ir import TracedModel

IN_PLACE_FUNCTIONS = frozenset({operator.iadd, operator.isub, operator.imul, operator.itruediv})


@dataclass(frozen=True)
class Overwrites:
    """What the nodes of one model write over."""

    traced: TracedModel
    seen: Mapping[fx.Node, Seen]
    layers: Mapping[str, nn.Module]

    def by(self, node: fx.Node) -> fx.Node | None:
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

    def are_safe(self, value: fx.Node) -> bool:
        """Whether writing over `value` is safe under any order and any split of the operators.

        It is where nobody else reads it and its memory is its own. Anywhere else the same
        operator runs out of place: same bits, one more buffer.
        """
        seen = self.seen[value]
        own_memory = value.op in ("call_module", "call_function", "call_method")
        return own_memory and seen.view_of is None and len(value.users) == 1

    def refuse_hidden(self, node: fx.Node, value: fx.Node) -> None:
        """Refuse a write that somebody sees through another view of the same memory."""
        order = {n: i for i, n in enumerate(self.traced.module.graph.nodes)}
        owner = self._views(value)[-1]
        for other in self.seen:
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
        while (seen := self.seen.get(chain[-1])) and seen.view_of is not None:
            chain.append(seen.view_of)
        return chain
