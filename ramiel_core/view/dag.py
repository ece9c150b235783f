"""Graph and clusters -> the picture of the DAG: pyvis network, a page, DOT, SVG.

A cluster is a fill and a number, the critical path a border and an edge width. Names come from
the user's model: they are text everywhere, markup nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.sax.saxutils import escape

import graphviz
from pyvis.network import Network

from ramiel_core.ir import Graph, OpNode
from ramiel_core.view import dot_process, palette, reduction
from ramiel_core.view.layout import BOX_HEIGHT, BOX_WIDTH, TIME_LIMIT_S, Layout
from ramiel_core.view.reduction import Edge

Clusters = Mapping[int, Sequence[str]]
"""Operator names by the number that names their cluster."""

ONE_CURVE = 4  # control points of a route without bends
LABEL_LENGTH = 24  # characters of a name that fit into a box
_EDGE = "#8a94a6"


def network(
    graph: Graph, clusters: Clusters, critical_path: Sequence[str], layout: Layout
) -> Network:
    """Draw a graph with pyvis, every operator at its fixed place.

    Parameters
    ----------
    graph : Graph
        Weighed; its cost model is named in the titles.
    clusters : Mapping[int, Sequence[str]]
        Operator names by cluster number; operators in none stay grey.
    critical_path : Sequence[str]
        Operators on it, in order.
    layout : Layout
        Of this graph.

    Returns
    -------
    pyvis.network.Network
        Nodes carry `op`, `cluster` and `critical`, edges `critical`, `dropped`, `crosses` (from
        one cluster to another) and `route` besides what vis-network reads.
    """
    marks = _Marks(clusters, critical_path)
    drawing = Network("100vh", "100%", directed=True, cdn_resources="in_line")
    for node in graph.nodes:
        _add_node(drawing, graph, node, marks, layout)
    dropped = set(layout.dropped_edges)
    for edge in graph.edges:
        _add_edge(drawing, edge, marks, layout, dropped=edge in dropped)
    drawing.set_options(json.dumps(_OPTIONS))
    return drawing


@dataclass(frozen=True)
class _Marks:
    """Which cluster an operator is in, and what lies on the critical path."""

    clusters: Clusters
    critical_path: Sequence[str]

    @cached_property
    def cluster(self) -> dict[str, int]:
        return {name: number for number, names in self.clusters.items() for name in names}

    @cached_property
    def critical(self) -> frozenset[str]:
        return frozenset(self.critical_path)

    @cached_property
    def critical_edges(self) -> Collection[Edge]:
        return frozenset(zip(self.critical_path, self.critical_path[1:], strict=False))

    def fill(self, name: str) -> str:
        return palette.fill(self.cluster[name]) if name in self.cluster else palette.NO_CLUSTER

    def label(self, node: OpNode) -> str:
        """Operator name and cluster number, the kind of operator below."""
        number = f"cluster {self.cluster[node.name]}" if node.name in self.cluster else "no cluster"
        kind = f"clone of {node.clone_of}" if node.clone_of else node.op
        kind = f"part of {node.part_of}" if node.part_of else kind
        return f"{_shortened(node.name)}\n{kind} · {number}"


def _shortened(name: str) -> str:
    """Keep the end of a long name: it tells an operator from its neighbours."""
    return name if len(name) <= LABEL_LENGTH else f"…{name[1 - LABEL_LENGTH :]}"


def title(graph: Graph, node: OpNode, cluster: int | None) -> str:
    """Everything known about an operator, one ``key: value`` a line, plain text."""
    lines = {
        "operator": node.name,
        "clone of": node.clone_of,
        "part of": node.part_of,
        "kind": node.op,
        "module": node.module,
        "output": ", ".join(str(spec) for spec in node.outputs if spec),
        "cost": f"{node.cost_ms:.4g} ms ({graph.cost_model} cost model)",
        "send": f"{node.send_ms:.4g} ms" if node.send_ms else "",
        "output size": f"{node.output_bytes:,} bytes" if node.outputs else "",
        "reads": f"{node.read_bytes:,} bytes" if node.read_bytes else "",
        "parameters": f"{node.parameters:,}",
        "work": f"{node.flops:,} flops",
        "cluster": "none" if cluster is None else str(cluster),
    }
    return "\n".join(f"{key}: {value}" for key, value in lines.items() if value)


def _add_node(drawing: Network, graph: Graph, node: OpNode, marks: _Marks, layout: Layout) -> None:
    fill = marks.fill(node.name)
    critical = node.name in marks.critical
    border = palette.CRITICAL if critical else fill
    x, y = layout.positions[node.name]
    drawing.add_node(
        node.name,
        label=marks.label(node),
        title=title(graph, node, marks.cluster.get(node.name)),
        shape="box",
        x=x,
        y=y,
        color={
            "background": fill,
            "border": border,
            "highlight": {"background": fill, "border": border},
        },
        font={"color": palette.text_on(fill)},
        borderWidth=3 if critical else 1,
        op=node.op,
        cluster=marks.cluster.get(node.name),
        critical=critical,
        clone=node.clone_of,
    )


def _add_edge(
    drawing: Network, edge: Edge, marks: _Marks, layout: Layout, *, dropped: bool
) -> None:
    """Append an edge; `Network.add_edge` asks every node for its name, 0.4 s at 1,000 edges."""
    a, b = edge
    critical = edge in marks.critical_edges
    drawing.edges.append(
        {
            "from": a,
            "to": b,
            "arrows": "to",
            "color": palette.CRITICAL if critical else _EDGE,
            "width": 3.0 if critical else 0.4 if dropped else 1.2,
            "smooth": _smooth(edge, layout, dropped=dropped),
            "critical": critical,
            "dropped": dropped,
            "crosses": marks.cluster.get(a) != marks.cluster.get(b),
            "route": [number for point in layout.routes[edge] for number in point],
        }
    )


def _smooth(edge: Edge, layout: Layout, *, dropped: bool) -> dict[str, Any]:
    """Choose the curve of vis-network's own that comes nearest to a route."""
    (xa, ya), (xb, yb) = (layout.positions[name] for name in edge)
    if yb <= ya:  # on to the next column
        return {"enabled": True, "type": "cubicBezier", "forceDirection": "horizontal"}
    bends = len(layout.routes[edge]) > ONE_CURVE
    if dropped or (bends and abs(xa - xb) < BOX_WIDTH):
        return {"enabled": True, "type": "curvedCCW", "roundness": 0.2}  # round what is between
    return {"enabled": True, "type": "cubicBezier", "forceDirection": "vertical"}


_OPTIONS = {
    "physics": {"enabled": False},
    "layout": {"improvedLayout": False},
    "interaction": {"hover": True, "dragNodes": False, "tooltipDelay": 120},
    "nodes": {
        "shape": "box",
        "widthConstraint": int(BOX_WIDTH) - 12,
        "heightConstraint": {"minimum": int(BOX_HEIGHT) - 12},
        "font": {"size": 12, "face": "system-ui, sans-serif", "multi": False},
        "shapeProperties": {"borderRadius": 7},
    },
    "edges": {"arrows": {"to": {"scaleFactor": 0.5}}, "selectionWidth": 1, "hoverWidth": 0.5},
}


_NOT_OURS = re.compile(  # what asks a CDN, and comments that name files of pyvis's author
    r"<link\b[^>]*\bhttps?://[^>]*>|<script\b[^>]*\bhttps?://[^>]*>\s*</script>|<!--.*?-->",
    re.IGNORECASE | re.DOTALL,
)
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">"
)


def standalone_html(drawing: Network) -> str:
    """One page that shows the network without any other file, on line or off.

    pyvis's in-line mode still asks a CDN for bootstrap, and writes titles that contain "href"
    into the page as markup. Its template is therefore rendered without either, under a policy
    that forbids every request.
    """
    source, _, _ = drawing.templateEnv.loader.get_source(drawing.templateEnv, drawing.path)
    source = _NOT_OURS.sub("", source).replace("{% if tooltip_link %}", "{% if false %}")
    source = source.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{_POLICY}', 1)
    drawing.template = drawing.templateEnv.from_string(source)
    page: str = drawing.generate_html(notebook=True)  # with `drawing.template`
    return page.replace("//# sourceMappingURL=vis-network.min.js.map", "")


def dot_text(graph: Graph, clusters: Clusters, critical_path: Sequence[str]) -> str:
    """Graph in Graphviz's own language, clusters coloured, critical path bold."""
    text: str = _digraph(graph, clusters, critical_path, frozenset()).source
    return text


def svg(
    graph: Graph,
    clusters: Clusters,
    critical_path: Sequence[str],
    time_limit_s: float = TIME_LIMIT_S,
) -> str:
    """Draw a graph as Graphviz does, exactly.

    Where long edges would keep Graphviz busy for minutes, the edges that another path implies are
    left out, and the picture's description says how many.

    Raises
    ------
    GraphError
        Where Graphviz takes longer than `time_limit_s` seconds.
    """
    left_out: frozenset[Edge] = frozenset()
    if reduction.is_dominated_by_long_edges(graph, reduction.ranks(graph)):
        left_out = frozenset(reduction.redundant_edges(graph))
    dot = _digraph(graph, clusters, critical_path, left_out).source
    picture = dot_process.render(dot, "svg", time_limit_s).decode()
    said = f"{graph.model or 'operator graph'}: {len(graph)} operators, {len(graph.edges)} edges"
    if left_out:
        said += f"; {len(left_out)} edges that other paths imply are not drawn"
    opened = re.search(r"<svg\b[^>]*>", picture)
    at = opened.end() if opened else 0
    return f"{picture[:at]}\n<desc>{escape(said)}</desc>{picture[at:]}"


def _digraph(
    graph: Graph, clusters: Clusters, critical_path: Sequence[str], left_out: Collection[Edge]
) -> graphviz.Digraph:
    marks = _Marks(clusters, critical_path)
    dot = graphviz.Digraph(
        graph_attr={"bgcolor": "transparent", "nodesep": "0.3", "ranksep": "0.35"},
        node_attr={
            "shape": "box",
            "style": "filled,rounded",
            "fontname": "Helvetica,Arial,sans-serif",
            "fontsize": "11",
        },
        edge_attr={"color": _EDGE, "arrowsize": "0.6"},
    )
    for node in graph.nodes:
        fill = marks.fill(node.name)
        critical = node.name in marks.critical
        dot.node(
            _key(graph, node.name),
            label=graphviz.nohtml(graphviz.escape(marks.label(node)).replace("\n", r"\n")),
            fillcolor=fill,
            fontcolor=palette.text_on(fill),
            color=palette.CRITICAL if critical else fill,
            penwidth="3" if critical else "1",
        )
    for a, b in graph.edges:
        if (a, b) not in left_out:
            bold = (a, b) in marks.critical_edges
            attributes = {"color": palette.CRITICAL, "penwidth": "3"} if bold else {}
            dot.edge(_key(graph, a), _key(graph, b), **attributes)
    return dot


def _key(graph: Graph, name: str) -> str:
    """Name of a node in DOT: its own, or a number where DOT reads more into it (a port, HTML)."""
    return name if name.isidentifier() else f"operator {graph.index[name]}"
