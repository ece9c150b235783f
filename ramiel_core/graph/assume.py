"""Graph -> the same Graph under assumptions: more threads, faster operators, another link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ramiel_core.errors import GraphError
from ramiel_core.graph.costs import SendLine
from ramiel_core.ir import Graph, OpNode

THREADED_SHARE = 0.83
"""The part of an operator's time that threads share out (Amdahl): with it two threads are 1.71x as
fast as one, the median of ten models under eager torch on one two-core host."""


def assume(
    graph: Graph,
    *,
    threads: int = 1,
    scale: Mapping[str, float] | None = None,
    line: SendLine | None = None,
) -> Graph:
    """Weigh a graph as if operators, threads or sends were faster or slower than they are.

    Parameters
    ----------
    graph : Graph
        Weighed, with one thread inside each operator.
    threads : int
        Inside each operator: its cost falls by Amdahl's law with `THREADED_SHARE`, whatever its
        size. Where costs were measured with so many threads, use those.
    scale : mapping, optional
        Factor on the cost by kind of operator: ``{"conv2d": 0.5}`` makes convolutions twice as
        fast.
    line : SendLine, optional
        What a send costs; None keeps what the graph says.

    Returns
    -------
    Graph
        Under the same cost model's name: what was assumed is the caller's to tell.

    Raises
    ------
    GraphError
        For less than one thread, a negative factor, or a kind that no operator of the graph has.

    References
    ----------
    .. [1] G. M. Amdahl, "Validity of the single processor approach to achieving large scale
       computing capabilities", AFIPS 1967, doi:10.1145/1465482.1465560.

    Examples
    --------
    >>> graph = Graph.parse("a:1 b:5<a")
    >>> str(assume(graph, scale={"op": 2.0}))
    'a:2 b:10<a'
    """
    if threads < 1:
        raise GraphError(f"an operator runs with 1 thread or more, not {threads}.")
    factors = dict(scale or {})
    for kind in factors.keys() - {node.op for node in graph.nodes}:
        raise GraphError(f"{graph.model} has no operator of the kind {kind!r} to scale.")
    if min(factors.values(), default=0.0) < 0:
        raise GraphError("the cost of an operator is scaled by 0 or more.")
    amdahl = 1 - THREADED_SHARE + THREADED_SHARE / threads

    def weighed(node: OpNode) -> OpNode:
        cost_ms = node.cost_ms * amdahl * factors.get(node.op, 1.0)
        if line is None:
            return replace(node, cost_ms=cost_ms)
        send_ms, fetch_ms = line.send_ms(node), line.fetch_ms(node)
        return replace(node, cost_ms=cost_ms, send_ms=send_ms, fetch_ms=fetch_ms)

    signal_ms = graph.signal_ms if line is None else line.signal_ms
    return replace(graph, nodes=tuple(map(weighed, graph.nodes)), signal_ms=signal_ms)
