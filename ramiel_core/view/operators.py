"""Graph and clusters -> every operator as a bar of a chart and as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ramiel_core.ir import Graph
from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet

Cell = str | float | int | bool | None


def costs(graph: Graph, clusters: Mapping[int, Sequence[str]]) -> go.Figure:
    """Draw the cost of every operator, in topological order, on its cluster's colour.

    Parameters
    ----------
    graph : Graph
        Weighed.
    clusters : Mapping[int, Sequence[str]]
        Operator names by cluster number.

    Returns
    -------
    plotly.graph_objects.Figure
        One trace, whose `customdata` begins with the operator's escaped name.
    """
    cluster_of = {name: i for i, names in clusters.items() for name in names}
    numbers = [cluster_of.get(node.name) for node in graph.nodes]
    unit = graph.unit
    figure = go.Figure(
        go.Bar(
            x=list(range(1, len(graph) + 1)),
            y=[node.cost_ms for node in graph.nodes],
            marker={
                "color": [palette.NO_CLUSTER if i is None else palette.fill(i) for i in numbers],
                "line": {"width": 0},
            },
            customdata=[
                (plain(node.name), plain(node.op), "none" if i is None else i)
                for node, i in zip(graph.nodes, numbers, strict=True)
            ],
            hovertemplate=(
                "<b>%{customdata[0]}</b> %{customdata[1]}<br>%{y:.4g} "
                f"{unit}<br>cluster %{{customdata[2]}}<extra></extra>"
            ),
        )
    )
    figure.update_xaxes(title_text="operator, in topological order", showgrid=False)
    figure.update_yaxes(title_text=f"cost, {unit}", rangemode="tozero")
    return quiet(figure, 260).update_layout(showlegend=False, bargap=0.1)


def table(
    graph: Graph,
    clusters: Mapping[int, Sequence[str]],
    workers: Sequence[int | None],
    slack_ms: Sequence[float],
    critical_path: Sequence[str],
) -> list[dict[str, Cell]]:
    """List every operator with what planning knows of it.

    Parameters
    ----------
    graph : Graph
        Weighed.
    clusters : Mapping[int, Sequence[str]]
        Operator names by cluster number.
    workers, slack_ms : sequence
        Of each operator, in the order of the graph.
    critical_path : Sequence[str]
        Operators on it.
    """
    cluster_of = {name: i for i, names in clusters.items() for name in names}
    critical, t1_ms = frozenset(critical_path), graph.t1_ms
    unit = graph.unit
    return [
        {
            "operator": node.name,
            "kind": node.op,
            "module": node.module,
            f"cost, {unit}": round(node.cost_ms, 4),
            "share, %": round(100 * node.cost_ms / t1_ms, 2) if t1_ms else 0.0,
            f"slack, {unit}": round(left_ms, 4),
            "critical": node.name in critical,
            "cluster": cluster_of.get(node.name),
            "worker": worker,
            "parameters": node.parameters,
        }
        for node, worker, left_ms in zip(graph.nodes, workers, slack_ms, strict=True)
    ]
