"""Poolings in parts of some channels each: cutting them, and making them whole again.

Of several samples, a part holds some of the samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ramiel_core.ir import Graph, OpNode, TensorSpec
from ramiel_core.plan.renamed import reading

LEAST_SENDS = 4
"""Sends of its value that each part has to be worth: less is soon lost to waiting."""


def in_parts(graph: Graph, counts: Mapping[str, int]) -> Graph:
    """`graph` with some poolings cut into so many parts each, as `split` describes them."""
    nodes: list[OpNode] = []
    for node in graph.nodes:
        nodes += _cut(graph, node, counts[node.name]) if node.name in counts else [node]
    return replace(graph, nodes=tuple(nodes)) if counts else graph


def made_whole(graph: Graph) -> Graph:
    """`graph` as if no operator were cut: for T1, T-infinity and the critical path."""
    if not graph.parts:
        return graph
    parts: dict[str, list[OpNode]] = {}
    for name in graph.parts:
        parts.setdefault(graph[name].part_of, []).append(graph[name])
    nodes = (_whole(n, parts.get(n.name, ())) for n in graph.nodes if not n.part_of)
    return replace(graph, nodes=tuple(nodes))


def shared_out(graph: Graph, whole: Mapping[str, float]) -> dict[str, float]:
    """Costs of a graph with parts, by operator, from those of its operators before they were cut.

    What putting parts together costs was not measured and stays as it is.
    """
    cut = {graph[name].part_of for name in graph.parts}
    return {
        node.name: whole[node.part_of] * _share(graph, node)
        if node.part_of
        else node.cost_ms
        if node.name in cut
        else whole[node.clone_of or node.name]
        for node in graph.nodes
    }


def _share(graph: Graph, part: OpNode) -> float:
    return part.output_bytes / graph[part.part_of].output_bytes


def _whole(node: OpNode, parts: Sequence[OpNode]) -> OpNode:
    if not parts:
        return node
    cost_ms = sum(part.cost_ms for part in parts)
    return replace(node, op=parts[0].op, inputs=parts[0].inputs, cost_ms=cost_ms, joins=())


def worth(graph: Graph, node: OpNode, most: int) -> int:
    """Into how many parts to cut an operator: 1 where it cannot be cut, or is not worth it."""
    axis = _axis(graph, node) if node.repeatable and not node.clone_of else None
    if axis is None:
        return 1
    enough = int(node.cost_ms / (LEAST_SENDS * node.send_ms)) if node.send_ms else most
    return max(1, min(most, enough, _spec(graph, node.name).shape[axis]))


def _axis(graph: Graph, node: OpNode) -> int | None:
    """Along which dimension a pooling can be cut into parts that lie one behind the other."""
    if not node.pooled_dimensions or len(node.inputs) != 1:
        return None
    if node.returns_tuple or len(node.outputs) != 1:
        return None
    if len(re.findall(rf"\b{node.inputs[0]}\b", node.call)) != 1:
        return None
    before, after = _spec(graph, node.inputs[0]), _spec(graph, node.name)
    if not (_is_dense(before) and _is_dense(after)):
        return None
    for axis in range(len(after.shape) - node.pooled_dimensions):
        if after.shape[axis] > 1:
            return axis
    return None


def _spec(graph: Graph, name: str) -> TensorSpec:
    """Of an operator's only output, or of a model input; empty where it is no tensor."""
    given = dict(graph.inputs)
    found = (given[name],) if name in given else graph[name].outputs
    return (found and found[0]) or TensorSpec((), (), "float32")


def _is_dense(spec: TensorSpec) -> bool:
    """Whether items lie in memory in the order of their indices, without gaps."""
    step = 1
    for size, stride in zip(reversed(spec.shape), reversed(spec.stride), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return bool(spec.shape)


def _free(graph: Graph, name: str) -> str:
    """`name`, longer where the model has an operator or an input called so."""
    while name in graph.index or name in dict(graph.inputs):
        name += "_"
    return name


def _cut(graph: Graph, node: OpNode, count: int) -> list[OpNode]:
    """The parts of an operator, and what puts them together under its name."""
    axis, spec = _axis(graph, node) or 0, _spec(graph, node.name)
    size = spec.shape[axis]
    borders = [size * i // count for i in range(count + 1)]
    parts = []
    for i, (first, last) in enumerate(pairwise(borders)):
        name, share = _free(graph, f"{node.name}_part{i}"), (last - first) / size
        sliced = f"{node.inputs[0]}[{':, ' * axis}{first}:{last}]"
        part = reading(node, {node.inputs[0]: sliced}, node.name)
        shape = (*spec.shape[:axis], last - first, *spec.shape[axis + 1 :])
        parts.append(
            replace(
                part,
                name=name,
                part_of=node.name,
                inputs=node.inputs,
                aliases=(),
                others=(),
                into=part.into.replace(f'shared("{node.name}")', f'shared("{name}")'),
                outputs=(TensorSpec(shape, spec.stride, spec.dtype),),
                cost_ms=node.cost_ms * share,
                # Nearly: the call itself costs as much for a part.
                send_ms=graph.signal_ms + (node.send_ms - graph.signal_ms) * share,
                fetch_ms=node.fetch_ms * share,
                flops=int(node.flops * share),
                read_bytes=int(node.read_bytes * share),
                repeatable=False,
            )
        )
    names = tuple(part.name for part in parts)
    call = f"torch.cat([{', '.join(names)}], {axis})"
    joined = replace(
        node,
        op="cat",
        inputs=names,
        aliases=(),
        call=call,
        others=(),
        into=f'{call[:-1]}, out=shared("{node.name}"))',
        joins=names,
        # Only what is at home has still to be copied there: others have sent their parts to it.
        cost_ms=0.0 if node.into else (node.send_ms - graph.signal_ms) / count,
        flops=0,
        read_bytes=node.output_bytes,
        repeatable=False,
    )
    return [*parts, joined]
