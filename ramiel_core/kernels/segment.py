"""Plan -> plan of segments: what one worker does between a receive and a send, as one operator.

A kernel library is fast inside a graph of its own and slow at its borders: there it converts
layouts and wakes its threads. So segments are as long as the plan allows, and a plan of one
worker is one segment, the whole model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ramiel_core.ir import Graph, OpNode, Plan, Recipe, TensorSpec
from ramiel_core.kernels.cuts import cut, order_of


@dataclass(frozen=True)
class Segment:
    """Operators that one worker runs in one go; what a kernel family builds from."""

    name: str
    nodes: tuple[OpNode, ...]  # in the worker's order
    inputs: tuple[tuple[str, TensorSpec], ...]  # one tensor each, in the order of the call
    tuples: tuple[tuple[str, str], ...]  # values read that are tuples, as expressions of `inputs`
    outputs: tuple[tuple[str, TensorSpec], ...]  # expressions of the nodes' values, one tensor each
    imports: tuple[str, ...] = ()


Family = Callable[[Segment, Mapping[str, Any]], Recipe]
"""Turns a segment and the model's weights into what a worker builds for it."""


def segment(
    graph: Graph, plan: Plan, weights: Mapping[str, Any], family: Family
) -> tuple[Graph, Plan, dict[str, Any]]:
    """Rewrite a plan so that each worker runs segments of a kernel family.

    Parameters
    ----------
    graph, plan
        Fitting each other.
    weights : mapping
        What the graph's calls find in `w`.
    family : callable
        `kernels.onnx_runtime.recipe`, for example.

    Returns
    -------
    graph : Graph
        A node a segment, named after the value it makes; where it makes several, the segment
        returns a tuple and each value is a node that takes its part.
    plan : Plan
        The same workers. Its predicted times are those of operators, to be revalued.
    weights : dict
        The recipes by the segments' names, and what the model's result reads.
    """
    parts = cut(graph, plan)
    taken = {*graph.index, *(name for name, _ in graph.inputs)}
    nodes: dict[int, list[OpNode]] = {}
    made: dict[str, Any] = {}
    order = order_of(graph, parts)
    for number, at in enumerate(order):
        name = f"segment_{number}"
        while name in taken:
            name += "_"
        writer = _Writer(graph, plan, name, parts[at].names, parts[at].worker)
        made[name] = family(writer.segment(), weights)
        nodes[at] = writer.nodes()
    clusters: list[list[str]] = [[] for _ in plan.clusters]
    for at, part in enumerate(parts):
        clusters[part.worker] += [node.name for node in nodes[at]]
    rewritten = replace(graph, nodes=tuple(node for at in order for node in nodes[at]))
    kept = {name: value for name, value in weights.items() if f'w["{name}"]' in graph.result}
    return (
        rewritten,
        Plan(
            tuple(map(tuple, clusters)),
            t1_ms=plan.t1_ms,
            tinf_ms=plan.tinf_ms,
            tinf_send_ms=plan.tinf_send_ms,
            makespan_ms=plan.makespan_ms,
        ),
        {**kept, **made},
    )


@dataclass
class _Writer:
    """Writes one segment down as nodes of the new graph."""

    graph: Graph
    plan: Plan
    name: str
    members: tuple[str, ...]
    worker: int

    def __post_init__(self) -> None:
        own = set(self.members)
        nodes = [self.graph[name] for name in self.members]
        self._specs: dict[str, OpNode | TensorSpec] = dict(self.graph.inputs)
        self._specs.update({node.name: node for node in self.graph.nodes})
        self._reads = tuple(dict.fromkeys(p for n in nodes for p in n.inputs if p not in own))
        left = [
            name
            for name in self.members
            if name in self.graph.outputs or not own.issuperset(self.graph.consumers[name])
        ]
        self._values = tuple(left) or self.members[-1:]  # dead code has to end in something

    def segment(self) -> Segment:
        """What the kernel family builds from."""
        inputs: list[tuple[str, TensorSpec]] = []
        tuples: list[tuple[str, str]] = []
        for value in self._reads:
            found = self._specs[value]
            if isinstance(found, TensorSpec):
                inputs.append((value, found))
            elif not found.returns_tuple and found.outputs and found.outputs[0]:
                inputs.append((value, found.outputs[0]))
            else:
                parts = [f"{value}_part_{i}" if s else "None" for i, s in enumerate(found.outputs)]
                inputs += [(p, s) for p, s in zip(parts, found.outputs, strict=True) if s]
                tuples.append((value, f"({', '.join(parts)},)"))
        return Segment(
            name=self.name,
            nodes=tuple(self.graph[name] for name in self.members),
            inputs=tuple(inputs),
            tuples=tuple(tuples),
            outputs=tuple(
                (f"{value}[{i}]" if self.graph[value].returns_tuple else value, spec)
                for value, i, spec in self._tensors()
            ),
            imports=self.graph.imports,
        )

    def nodes(self) -> list[OpNode]:
        """The segment's call and, where it makes several values, a node for each."""
        members = [self.graph[name] for name in self.members]
        arguments = ", ".join(self._arguments())
        last = self.graph[self._values[0]]
        single = len(self._values) == 1 and not last.returns_tuple
        whole = OpNode(
            name=last.name if single else self.name,
            op="segment",
            inputs=self._reads,
            cost_ms=sum(node.cost_ms for node in members),
            send_ms=last.send_ms if single else 0.0,
            fetch_ms=last.fetch_ms if single else 0.0,
            call=f'w["{self.name}"]({arguments})',
            aliases=self._aliases(),
            outputs=tuple(spec for _, _, spec in self._tensors()),
            returns_tuple=not single,
            flops=sum(node.flops for node in members),
            read_bytes=sum(node.read_bytes for node in members),
            parameters=sum(node.parameters for node in members),
            module=members[0].module,
        )
        if single:
            separator = ", " if arguments else ""
            into = f'w["{self.name}"]({arguments}{separator}out=shared("{last.name}"))'
            return [replace(whole, into=into)]
        if any(map(self._leaves, self._values)):
            buffers = [
                f'shared("{value}")'
                if self._leaves(value) and not self.graph[value].returns_tuple
                else "None"
                for value, _, _ in self._tensors()
            ]
            out = f"out=({', '.join(buffers)},)"
            whole = replace(whole, call=f'w["{self.name}"]({", ".join([*self._arguments(), out])})')
        return [whole, *self._parts_of_it()]

    def _aliases(self) -> tuple[str, ...]:
        """What it reads and may hand on: through operators inside it that only rename memory."""
        found = set(self._values)
        for name in reversed(self.members):
            if name in found:
                found.update(self.graph[name].aliases)
        return tuple(read for read in self._reads if read in found)

    def _arguments(self) -> list[str]:
        found = []
        for value in self._reads:
            node = self._specs[value]
            if isinstance(node, OpNode) and node.returns_tuple:
                found += [f"{value}[{i}]" for i, spec in enumerate(node.outputs) if spec]
            else:
                found.append(value)
        return found

    def _tensors(self) -> list[tuple[str, int, TensorSpec]]:
        """Every tensor that the segment makes: value, part of it, spec."""
        return [
            (value, i, _contiguous(spec))
            for value in self._values
            for i, spec in enumerate(self.graph[value].outputs)
            if spec
        ]

    def _leaves(self, value: str) -> bool:
        """Whether a value gets a buffer in shared memory."""
        worker_of = self.plan.worker_of()
        readers = self.graph.consumers[value]
        return value in self.graph.outputs or any(worker_of[r] != self.worker for r in readers)

    def _parts_of_it(self) -> Iterator[OpNode]:
        numbers = {(value, i): k for k, (value, i, _) in enumerate(self._tensors())}
        for value in self._values:
            node = self.graph[value]
            taken = [
                f"{self.name}[{numbers[value, i]}]" if spec else "None"
                for i, spec in enumerate(node.outputs)
            ]
            yield OpNode(
                name=value,
                op="part",
                inputs=(self.name,),
                send_ms=node.send_ms,
                fetch_ms=node.fetch_ms,
                call=f"({', '.join(taken)},)" if node.returns_tuple else taken[0],
                outputs=tuple(_contiguous(spec) if spec else None for spec in node.outputs),
                returns_tuple=node.returns_tuple,
                is_view=True,
                aliases=(self.name,),
                module=node.module,
            )


def _contiguous(spec: TensorSpec) -> TensorSpec:
    """The same tensor as kernel libraries write it."""
    stride, step = [], 1
    for size in reversed(spec.shape):
        stride.append(step)
        step *= max(size, 1)
    return replace(spec, stride=tuple(reversed(stride)))
