"""TracedModel -> the same model, where what is computed several times is computed once.

Common subexpression elimination. `torch.fx.passes.dialect.common.cse_pass` does it for functions
of aten, and takes neither layers nor methods; what else a call does is asked of `effects` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from torch import fx, nn

from ramiel_core.graph.copied import copied
from ramiel_core.graph.effects import Effects, observe
from ramiel_core.graph.functional import functional
from ramiel_core.graph.render import is_imported
from ramiel_core.ir import TracedModel


def share_repeats(model: TracedModel) -> TracedModel:
    """Let calls of the same kernel on the same values be one call, whose value all of them read.

    Only what is known to depend on its arguments alone: layers that have a functional form,
    functions of torch, methods of tensors; no random ones, and none whose arguments or value
    anybody writes over from the first of these calls on. Good for searched cells, whose branches
    each begin with a ReLU of the same value (PNASNet: 78 of 955 operators, NASNet: 114 of 1,265).

    Parameters
    ----------
    model : TracedModel
        Stays as it is.

    Returns
    -------
    TracedModel
        Its outputs are equal bit for bit; operators that are gone stand in `removed_repeats`.
    """
    layers = dict(model.module.named_modules())
    nodes = model.module.graph.nodes
    if not _repeats(nodes, layers, lambda *_: True):
        return model
    seen = observe(model)
    earlier = _repeats(nodes, layers, _Undisturbed(seen))
    gone = tuple(node.name for node in earlier if seen[node].memory and node.op != "get_attr")
    if not gone:
        return model
    module, copy_of = copied(model.module)
    for node, same in earlier.items():
        copy_of[node].replace_all_uses_with(copy_of[same])
    for node in reversed(earlier):
        module.graph.erase_node(copy_of[node])
    module.recompile()
    return replace(model, module=module, removed_repeats=gone)


class _Undisturbed:
    """Whether two calls change nothing, and nobody changes what they read or made from then on."""

    def __init__(self, seen: Mapping[fx.Node, Effects]) -> None:
        self.seen = seen
        self.order = {node: i for i, node in enumerate(seen)}
        self.written = {memory: i for i, e in enumerate(seen.values()) for memory in e.writes}

    def __call__(self, first: fx.Node, again: fx.Node) -> bool:
        if first.op == "get_attr":
            return True  # the very same weight
        since = self.order[first]
        return all(
            self._is_pure(node)
            and all(self.written.get(m, -1) < since for m in self._touched(node))
            for node in (first, again)
        )

    def _is_pure(self, node: fx.Node) -> bool:
        effects = self.seen[node]
        return not (effects.is_random or effects.writes or node.is_impure())

    def _touched(self, node: fx.Node) -> frozenset[int]:
        return self.seen[node].memory.union(*(self.seen[n].memory for n in node.all_input_nodes))


def _repeats(
    nodes: Iterable[fx.Node],
    layers: Mapping[str, nn.Module],
    may: Callable[[fx.Node, fx.Node], bool],
) -> dict[fx.Node, fx.Node]:
    """Calls that repeat an earlier one, and that one, in the model's order."""
    known: dict[Any, fx.Node] = {}
    same: dict[fx.Node, fx.Node] = {}
    for node in nodes:
        what = _what(node, layers)
        if what is None:
            continue
        key = what, repr(fx.map_arg((node.args, node.kwargs), lambda n: same.get(n, n)))
        if key in known and may(known[key], node):
            same[node] = known[key]
        else:
            known[key] = node
    return same


def _what(node: fx.Node, layers: Mapping[str, nn.Module]) -> Any:
    """What a node calls, equal for calls of the same; None where nobody knows what that does."""
    if node.op in ("get_attr", "call_method"):
        return node.op, node.target
    if node.op == "call_function":
        return None if is_imported(node.target) else node.target
    if node.op == "call_module":
        path = str(node.target)
        return functional(path, layers[path], "x", in_place=False)  # names its weights, if any
    return None
