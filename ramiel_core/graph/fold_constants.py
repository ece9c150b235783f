"""TracedModel -> the same model, where what never changes is a weight instead of an operator.

torch.fx.experimental.const_fold finds what reads constants only, too, but folds random functions
of Python's torch namespace, has no limit on memory, and does not ask whether somebody writes over
the result later. Here each is asked of `effects`; values are replaced in the graph as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

import torch
from torch import fx

from ramiel_core.graph.copied import copied
from ramiel_core.graph.effects import Effects, observe, reads_sizes_only, storages
from ramiel_core.ir import TracedModel

LEAST_GROWTH_BYTES = 16 << 20
"""What folding may always add: a constant of a few megabytes is read faster than computed."""

GROWTH = 0.25
"""What folding may add, as a share of the model's weights. A small operand can grow to any size
(`torch.ones(n).outer(...)`), and weights are sent to the launcher and kept in every cache."""


def fold_constants(model: TracedModel) -> TracedModel:
    """Compute what depends on weights and sizes alone, once, and keep the results as weights.

    An operator stays where it draws random numbers, is in training mode, or where an operator that
    stays writes over its result. Sizes count as constants, since the shapes of the
    inputs are fixed. Good for position biases that a network computes of its weights (Swin V2:
    84 of 245 operators); convolutional networks have none.

    Parameters
    ----------
    model : TracedModel
        Stays as it is. On `meta` the results have shapes only.

    Returns
    -------
    TracedModel
        Its outputs are equal bit for bit, as the same kernels computed what was folded; operators
        that are gone stand in `removed_constants`. Folded values together take at most `GROWTH`
        of the weights or `LEAST_GROWTH_BYTES`, whichever is more: where they would not, the last
        ones are computed as before, from what they read.
    """
    if not _may_have_constants(model.module):
        return model
    seen = observe(model)
    constants = _constants(model.module, seen)
    if not constants:
        return model
    module, copy_of = copied(model.module)
    graph = module.graph
    for node in reversed(constants):
        made = copy_of[node]
        if made.users:
            path = _free_name(module, f"{node.name}_folded")
            module.register_buffer(path, seen[node].value.detach())
            with graph.inserting_before(made):
                made.replace_all_uses_with(graph.create_node("get_attr", path))
        graph.erase_node(made)
    for node in reversed(graph.nodes):
        if node.op == "get_attr" and not node.users:
            graph.erase_node(node)
    module.recompile()
    return replace(model, module=module, removed_constants=tuple(n.name for n in constants))


def _may_have_constants(module: fx.GraphModule) -> bool:
    """Whether anything reads constants only, as far as can be said without running the model."""
    fixed: set[fx.Node] = set()
    for node in module.graph.nodes:
        if node.op == "get_attr" or reads_sizes_only(node):
            fixed.add(node)
        elif node.op.startswith("call_") and fixed.issuperset(node.all_input_nodes):
            return True
    return False


def _constants(module: fx.GraphModule, seen: Mapping[fx.Node, Effects]) -> list[fx.Node]:
    """Calls to replace by what they were seen to return, in the model's order.

    They may write over each other's values (an in-place activation), but not over anybody else's.
    Each that has to stay may keep others from going, so all are asked again without it.
    """
    refused: set[fx.Node] = set()
    while True:
        found = _fixed_calls(module, seen, refused)
        unstable = _unstable(module, seen, frozenset(found))
        shaken = {n for n in found if _touched(n, seen) & unstable}
        staying = shaken or _beyond_limit(module, seen, found)
        if not staying:
            return found
        refused |= staying


def _fixed_calls(
    module: fx.GraphModule, seen: Mapping[fx.Node, Effects], refused: AbstractSet[fx.Node]
) -> list[fx.Node]:
    """Calls that read weights, sizes and each other only, and are not random."""
    fixed: set[fx.Node] = set()
    found = []
    for node in module.graph.nodes:
        if node.op == "get_attr" or reads_sizes_only(node):
            fixed.add(node)
            continue
        pure = node.op.startswith("call_") and not seen[node].is_random and not node.is_impure()
        if pure and node not in refused and fixed.issuperset(node.all_input_nodes):
            fixed.add(node)
            found += [node] if seen[node].memory else []
    return found


def _touched(node: fx.Node, seen: Mapping[fx.Node, Effects]) -> frozenset[int]:
    read = (seen[source].memory for source in node.all_input_nodes)
    return (seen[node].memory | seen[node].writes).union(*read)


def _unstable(
    module: fx.GraphModule, seen: Mapping[fx.Node, Effects], found: AbstractSet[fx.Node]
) -> frozenset[int]:
    """Memory whose content depends on when it is read, or that does not belong to `found`."""
    made = frozenset[int]().union(*(seen[n].memory for n in found))
    unstable: set[int] = set()
    read: set[int] = set()  # so far, by those that stay
    for node in module.graph.nodes:
        writes = seen[node].writes if node in seen else frozenset[int]()
        if node in found:
            unstable |= (writes & read) | (writes - made)
            continue
        unstable |= writes
        for source in node.all_input_nodes:
            read |= seen[source].memory
    held = (seen[n].memory for n in module.graph.nodes if n.op in ("placeholder", "get_attr"))
    written = frozenset[int]().union(*(e.writes for e in seen.values()))
    return frozenset(unstable) | (written & frozenset[int]().union(*held))


def _beyond_limit(
    module: fx.GraphModule, seen: Mapping[fx.Node, Effects], found: list[fx.Node]
) -> set[fx.Node]:
    """Those of `found` whose values others read and that cannot be kept as weights.

    Only what is read counts: a large intermediate result vanishes.
    """
    held = storages([*module.parameters(), *module.buffers()])
    held |= storages([seen[node].value for node in module.graph.nodes if node.op == "get_attr"])
    left_bytes = max(LEAST_GROWTH_BYTES, int(GROWTH * sum(held.values())))
    going, staying = frozenset(found), set()
    for node in found:
        value = seen[node].value
        if going.issuperset(node.users):
            continue
        new = {key: size for key, size in storages(value).items() if key not in held}
        if isinstance(value, torch.Tensor) and sum(new.values()) <= left_bytes:
            left_bytes -= sum(new.values())
            held |= new
        else:
            staying.add(node)
    return staying


def _free_name(module: fx.GraphModule, name: str) -> str:
    while hasattr(module, name):
        name += "_"
    return name
