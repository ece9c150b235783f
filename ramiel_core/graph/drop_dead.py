"""TracedModel -> the same model without what nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import fx

from ramiel_core.graph.copied import copied
from ramiel_core.graph.effects import Effects, observe
from ramiel_core.ir import TracedModel


def drop_dead(model: TracedModel) -> TracedModel:
    """Remove calls whose values reach neither the output nor memory that is read later.

    `torch.fx.Graph.eliminate_dead_code` does it, told by us what has effects: by itself it takes
    `x.add_(1)` for dead where only `x` is read afterwards. Random operators stay, since those
    after them would draw other numbers, and so do writes over weights and inputs, and assertions.

    Dropout in eval mode is read, so it is not dead, though it does nothing: an operator counts as
    torch.fx traces it.

    Parameters
    ----------
    model : TracedModel
        Stays as it is.

    Returns
    -------
    TracedModel
        Its outputs are equal bit for bit; operators that are gone stand in `removed_dead`.
    """
    nodes = model.module.graph.nodes
    if all(node.users or node.op in ("placeholder", "output") for node in nodes):
        return model
    seen = observe(model)
    needed = _needed(model.module.graph, seen)
    module, copy_of = copied(model.module)
    kept = {copy_of[node] for node in needed}
    module.graph.eliminate_dead_code(is_impure_node=kept.__contains__)
    module.recompile()
    gone = tuple(n.name for n in nodes if n not in needed and seen[n].memory and n.op != "get_attr")
    return replace(model, module=module, removed_dead=gone)


def _needed(graph: fx.Graph, seen: Mapping[fx.Node, Effects]) -> set[fx.Node]:
    """Nodes that the output depends on, through values or through memory written over."""
    nodes = list(graph.nodes)
    order = {node: i for i, node in enumerate(nodes)}
    outside = frozenset[int]().union(
        *(seen[n].memory for n in nodes if n.op in ("placeholder", "get_attr"))
    )
    made = frozenset[int]().union(*(seen[n].memory for n in nodes if n.op.startswith("call_")))
    needed: set[fx.Node] = set()
    todo = []
    for node in nodes:
        effects = seen.get(node, Effects())
        lasting = effects.writes & outside or not effects.writes <= made
        if node.is_impure() or effects.is_random or lasting:
            todo.append(node)
    while todo:
        node = todo.pop()
        if node in needed:
            continue
        needed.add(node)
        todo += node.all_input_nodes
        read = frozenset[int]().union(*(seen[n].memory for n in node.all_input_nodes))
        todo += [n for n in nodes[: order[node]] if seen[n].writes & read]
    return needed
