"""Graph -> PNG, as Graphviz draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ramiel_core.ir import Graph
from ramiel_core.view import dag, dot_process, reduction

TIME_LIMIT_S = 20.0
SHARP, COARSE = 96, 40  # dots per inch; large graphs would take hundreds of megabytes
MANY = 600  # operators


def png(graph: Graph, clusters: Mapping[int, Sequence[str]], critical_path: Sequence[str]) -> bytes:
    """Draw a graph as a bitmap, without the long edges that would keep Graphviz busy for minutes.

    Raises
    ------
    GraphError
        Where Graphviz takes longer than `TIME_LIMIT_S`.
    """
    if reduction.is_dominated_by_long_edges(graph, reduction.ranks(graph)):
        left_out = frozenset(reduction.redundant_edges(graph))
        nodes = tuple(
            replace(n, aliases=(), inputs=tuple(p for p in n.inputs if (p, n.name) not in left_out))
            for n in graph.nodes
        )
        graph = replace(graph, nodes=nodes)
    dots = SHARP if len(graph) <= MANY else COARSE
    text = dag.dot_text(graph, dict(clusters), critical_path)
    resolved = text.replace("{", f'{{\n\tgraph [dpi={dots} bgcolor="#ffffff"]', 1)
    return dot_process.render(resolved, "png", TIME_LIMIT_S)
