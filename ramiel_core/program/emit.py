"""Plan -> Program: one readable Python function for each cluster.

The text is the program: `run.weave` compiles it as it stands here and adds nothing but a
progress mark or a time stamp between its statements.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from ramiel_core.ir import CALLER, Channel, Graph, OpNode, Place, Plan, Program, paths_of_weights
from ramiel_core.program.memory import lay_out

WIDTH = 100
INDENT = "    "


def emit(graph: Graph, plan: Plan) -> Program:
    """Write a plan down as Python source.

    Each function takes `w` (weights by path), `receive(name)`, `send(name, value)` and
    `shared(name)`, the buffer of a value that will be sent, for operators that can write straight
    into it. A value is received just before its first reader, sent as soon as it exists, and
    deleted after its last reader: memory freed late is memory faulted in anew at the next
    operator.

    Parameters
    ----------
    graph : Graph
        Whose nodes carry their calls.
    plan : Plan
        Of that graph.

    Returns
    -------
    Program
        The same text for the same graph and plan, always.

    References
    ----------
    .. [1] S. Das, L. Rauchwerger, IPDPS 2024, arXiv:2308.11192 (code generation; the layout of
       the text is ours).
    """
    channels = _channels(graph, plan)
    functions = tuple(
        _Cluster(graph, plan, channels, worker).text() for worker in range(plan.workers)
    )
    parts = [_heading(graph, plan), *functions, _result(graph)]
    return Program(
        model=graph.model,
        source="\n\n\n".join(parts) + "\n",
        workers=plan.workers,
        channels=tuple(channels.values()),
        inputs=graph.inputs,
        layout=lay_out(graph, plan, tuple(channels.values())),
        functions=functions,
        wide_threads=plan.wide_threads if plan.wide else 1,
        always_wide=_always_wide(plan),
        wide_weights=frozenset(
            path for name in plan.wide for path in paths_of_weights(graph[name].call)
        ),
    )


def _always_wide(plan: Plan) -> frozenset[int]:
    """Workers that run all of their operators with all threads: they need not switch."""
    wide = set(plan.wide)
    return frozenset(w for w, names in enumerate(plan.clusters) if names and wide >= {*names})


def _channels(graph: Graph, plan: Plan) -> dict[str, Channel]:
    """A channel for each value that leaves its worker or is part of one, in topological order."""
    worker_of = plan.worker_of()
    receivers = {}
    for node in graph.nodes:
        readers = {worker_of[reader] for reader in graph.consumers[node.name]}
        to_caller = [CALLER] if node.name in graph.outputs else []
        receivers[node.name] = (*sorted(readers - {worker_of[node.name]}), *to_caller)
    sent = {name for name, found in receivers.items() if found}
    places = _places(graph, sent) if plan.workers > 1 else {}
    wholes = {place.whole for place in places.values()}
    return {
        node.name: Channel(
            node.name,
            worker_of[node.name],
            receivers[node.name],
            node.outputs,
            node.returns_tuple,
            places.get(node.name),
        )
        for node in graph.nodes
        if receivers[node.name] or node.name in places or node.name in wholes
    }


def _places(graph: Graph, sent: set[str]) -> dict[str, Place]:
    """Where values are written straight into the concatenation that is to hold them.

    It pays where that would be copied from, or into, shared memory: where a part or the whole is
    `sent`, or the whole is itself such a part. Elsewhere the allocator's memory, which is still
    in the cache, is as good.
    """
    places: dict[str, Place] = {}
    for node in reversed(graph.nodes):
        if not node.joins or not (sent | places.keys()).intersection((node.name, *node.joins)):
            continue
        first_byte = 0
        for part in node.joins:
            places[part] = Place(node.name, first_byte)
            first_byte += graph[part].output_bytes
    return places


def _heading(graph: Graph, plan: Plan) -> str:
    clones = f" and {_count(len(graph.clones), 'clone')}" if graph.clones else ""
    cut = f", {len(graph.split)} of them in parts," if graph.split else ""
    operators = _count(graph.operators, "operator")
    count = f"{operators}{cut}{clones} on {_count(plan.workers, 'worker')}"
    predicted = f"{plan.makespan_ms:.4g} ms predicted with {graph.cost_model} costs"
    return "\n".join(
        [
            f'"""{graph.model}: {count}, {predicted}.',
            "",
            "Written by Ramiel. `w` holds the weights by name; `receive` waits for another",
            "worker's value, `send` hands one over through shared memory, `shared` is the",
            "buffer there of a value that is computed in place.",
            '"""',
            "",
            "import torch",
            "import torch.nn.functional as F",
            *_needed(graph),
        ]
    )


def _needed(graph: Graph) -> list[str]:
    """The import lines whose name some call mentions."""
    words = {word for node in graph.nodes for word in re.findall(r"\w+", node.call)}
    return [line for line in graph.imports if line.rpartition(" ")[2] in words]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _result(graph: Graph) -> str:
    names = ", ".join([*graph.outputs, *(["w"] if 'w["' in graph.result else [])])
    return (
        f"def result({names}):\n{INDENT}"
        f'"""What the model returns, of the values sent to the caller."""\n'
        f"{INDENT}return {graph.result}"
    )


@dataclass
class _Cluster:
    """Writes the function of one worker."""

    graph: Graph
    plan: Plan
    channels: dict[str, Channel]
    worker: int

    def text(self) -> str:
        names = self.plan.clusters[self.worker]
        nodes = [self.graph[name] for name in names]
        cost = sum(node.cost_ms for node in nodes)
        wide, threads = set(self.plan.wide), None
        always_wide = self.worker in _always_wide(self.plan)
        each = f", {self.plan.wide_threads} threads each" if always_wide else ""
        lines = [
            f"def cluster_{self.worker}(w, receive, send, shared):",
            f'{INDENT}"""{_count(len(nodes), "operator")}, {cost:.4g} ms of computing{each}."""',
        ]
        dying = self._dying(nodes)
        own, known, section = set(names), set[str](), None
        for node in nodes:
            if (title := node.module.split(".")[0]) and title != section:
                section = title
                lines += ["", f"{INDENT}# {title}"]
            wanted = self.plan.wide_threads if node.name in wide else self.plan.threads
            if wide and not always_wide and wanted != threads:
                threads = wanted
                lines.append(f"{INDENT}torch.set_num_threads({threads})")
            for source in (*node.inputs, *node.awaits):
                if source not in own and source not in known:
                    known.add(source)
                    lines.append(self._receive(source))
            if node.clone_of:
                whose = self.plan.worker_of()[node.clone_of]
                lines.append(f"{INDENT}# {node.clone_of} again, not to wait for cluster {whose}")
            if node.part_of and (others := self._others(node)):
                lines.append(f"{INDENT}# part of {node.part_of}: the rest by {others}")
            lines += self._statement(node)
            if node.name in self.channels and self.channels[node.name].receivers:
                lines.append(self._send(self.channels[node.name]))
            if node.name in dying:
                lines.append(f"{INDENT}del {', '.join(dying[node.name])}")
        return "\n".join(lines)

    def _others(self, part: OpNode) -> str:
        """The other workers that compute parts of the same operator."""
        worker_of = self.plan.worker_of()
        workers = {worker_of[name] for name in self.graph[part.part_of].joins} - {self.worker}
        return " and ".join(f"cluster {worker}" for worker in sorted(workers))

    def _dying(self, nodes: list[OpNode]) -> dict[str, list[str]]:
        """Values by the operator of this worker that reads them last."""
        last = {}
        for node in nodes:
            for name in (*node.inputs, *node.awaits, node.name):
                last[name] = node.name
        dying: dict[str, list[str]] = {}
        for name, reader in last.items():
            dying.setdefault(reader, []).append(name)
        return dying

    def _receive(self, name: str) -> str:
        line = f'{INDENT}{name} = receive("{name}")'
        if name in self.channels:
            return f"{line}  # from cluster {self.channels[name].sender}"
        return line

    def _send(self, channel: Channel) -> str:
        to = ["the caller" if r == CALLER else f"cluster {r}" for r in channel.receivers]
        return f'{INDENT}send("{channel.value}", {channel.value})  # to {" and ".join(to)}'

    def _call(self, node: OpNode) -> str:
        """How a value is computed: where it will be read, if it has a place there."""
        channel = self.channels.get(node.name)
        if channel is None:
            return node.call
        if any(part in self.channels for part in node.joins):
            return f'shared("{node.name}")  # where its parts were written'
        if channel.place and not node.into:
            return f'shared("{node.name}").copy_({node.call})'
        return node.into or node.call

    def _statement(self, node: OpNode) -> Iterator[str]:
        line = f"{INDENT}{node.name} = {self._call(node)}"
        opening = line.find("(", max(len(node.name) + 7, line.find(".copy_(")))
        if len(line) <= WIDTH or opening < 0 or not line.endswith(")"):
            yield line
            return
        inner = line[opening + 1 : -1]
        strings = re.findall(r"'[^']*'|\"[^\"]*\"", inner)
        if any(re.search(r"\s", string) for string in strings):
            yield line  # a break inside a string would change it
            return
        yield line[: opening + 1]
        yield from textwrap.wrap(
            inner,
            WIDTH,
            initial_indent=INDENT * 2,
            subsequent_indent=INDENT * 2,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield f"{INDENT})"
