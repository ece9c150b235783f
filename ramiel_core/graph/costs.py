"""Graph -> the same Graph, weighed by a cost model that it names from then on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ramiel_core.errors import GraphError
from ramiel_core.ir import Graph, OpNode

COST_MODELS = ("unit", "flops", "measured")

# One core of a current x86 server under eager kernels, for graphs whose host was never measured:
# about right in proportion, rough in milliseconds.
FLOPS_PER_MS = 100e9 / 1e3
MAXIMA_PER_MS, SUMMANDS_PER_MS = 0.3e9 / 1e3, 0.9e9 / 1e3  # of poolings, which are not vectorised
BYTES_PER_MS = 12e9 / 1e3
CALL_MS = 0.005  # Python and the dispatcher, per operator


@dataclass(frozen=True, slots=True)
class SendLine:
    """What it costs to hand a value to another worker: `copy_ms + signal_ms` of its bytes.

    And then to read it there for the first time, out of another core's caches.
    """

    signal_ms: float = 0.03  # from published to seen; the sender is free meanwhile
    bytes_per_ms: float = 2e7  # copying, values mostly still in cache
    copy_call_ms: float = 0.005  # Python and the dispatcher, per copy
    fetch_call_ms: float = 0.0  # what its first reader takes longer than it would at home
    fetch_bytes_per_ms: float = math.inf

    def send_ms(self, node: OpNode) -> float:
        """Time from the end of `node` until a receiver of its value goes on.

        One that can write straight into the shared buffer has nothing left to copy.
        """
        size_bytes = 0 if node.into else node.output_bytes
        return self.copy_call_ms + size_bytes / self.bytes_per_ms + self.signal_ms

    def fetch_ms(self, node: OpNode) -> float:
        """What the first operator takes longer that reads the value of `node` elsewhere."""
        return self.fetch_call_ms + node.output_bytes / self.fetch_bytes_per_ms


FREE = SendLine(signal_ms=0.0, bytes_per_ms=math.inf, copy_call_ms=0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a graph on a host, or is assumed of it, by operator name."""

    cost_ms: Mapping[str, float]
    send: SendLine
    crowding: Mapping[str, float] = field(default_factory=dict)  # 0 where an operator is not named
    crowd: int = 1  # workers side by side when `crowding` was measured


def weigh_unit(graph: Graph) -> Graph:
    """Every operator costs 1, every send 0: the shape of the graph alone."""
    return _weigh(graph, Measured(dict.fromkeys(graph.index, 1.0), FREE), "unit")


def weigh_flops(graph: Graph) -> Graph:
    """Roofline: the longer of arithmetic and memory traffic, plus the call itself.

    For comparing operators of one model without running it. Of kernels that are slow for their
    size it knows eager poolings, which take half of GoogLeNet; it does not know others (depthwise
    and small convolutions), so milliseconds are rough.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance
       model for multicore architectures", CACM 52(4), 2009.
    """
    costs = {n.name: _roofline_ms(n) for n in graph.nodes}
    return _weigh(graph, Measured(costs, SendLine()), "flops")


def weigh_measured(graph: Graph, found: Measured) -> Graph:
    """Milliseconds as `run.profile` measured them on this host.

    Raises
    ------
    GraphError
        Where an operator was not measured.
    """
    return _weigh(graph, found, "measured")


def reweigh(
    graph: Graph, cost_ms: Mapping[str, float], crowding: Mapping[str, float] | None = None
) -> Graph:
    """`graph` with other operator costs; its sends and the name of its costs stay."""
    share = {node.name: node.crowding for node in graph.nodes} | dict(crowding or {})
    nodes = (replace(n, cost_ms=cost_ms[n.name], crowding=share[n.name]) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def _roofline_ms(node: OpNode) -> float:
    traffic = 0 if node.is_view else node.read_bytes + node.output_bytes
    per_ms = FLOPS_PER_MS
    if node.pooled_dimensions:
        per_ms = MAXIMA_PER_MS if "max" in node.op else SUMMANDS_PER_MS
    return CALL_MS + max(node.flops / per_ms, traffic / BYTES_PER_MS)


def _weigh(graph: Graph, found: Measured, model: str) -> Graph:
    missing = [n.name for n in graph.nodes if n.name not in found.cost_ms]
    if missing:
        raise GraphError(
            f"{len(missing)} operators have no {model} cost, {missing[0]!r} the first of them. "
            f"Measure again: `python -m ramiel_core analyze MODEL --cost measured --refresh`."
        )
    nodes = tuple(
        replace(
            n,
            cost_ms=found.cost_ms[n.name],
            send_ms=found.send.send_ms(n),
            fetch_ms=found.send.fetch_ms(n),
            crowding=found.crowding.get(n.name, 0.0),
        )
        for n in graph.nodes
    )
    return replace(
        graph, nodes=nodes, cost_model=model, signal_ms=found.send.signal_ms, crowd=found.crowd
    )
