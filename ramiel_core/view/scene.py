"""Graph, layout and plan -> what the graph component draws, as plain JSON in three parts.

They change at different times, so that each is sent only when it does: `facts` with the graph and
its costs, `shape` with the layout (expanding a group), `paint` with the clusters.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyvis.network import Network

from ramiel_core.ir import Graph, OpNode
from ramiel_core.view import palette
from ramiel_core.view.collapse import Collapsed
from ramiel_core.view.layout import BOX_HEIGHT, BOX_WIDTH


@dataclass(frozen=True)
class Part:
    """Something to send, and a name that changes with it."""

    key: str
    value: Mapping[str, Any]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Part:
        """Name a part by its content."""
        text = json.dumps(value, sort_keys=True)
        return cls(hashlib.sha256(text.encode()).hexdigest()[:16], value)


@dataclass(frozen=True)
class Scene:
    """A picture of the graph."""

    facts: Part
    shape: Part
    paint: Mapping[str, Any]
    collapsed: Collapsed


def facts(
    graph: Graph,
    critical_path: Sequence[str],
    slack_ms: Mapping[str, float],
    error_percent: Mapping[str, float] | None = None,
) -> Part:
    """Everything about operators that no plan changes, a column each.

    Parameters
    ----------
    graph : Graph
        Weighed; its cost model is named beside every cost.
    critical_path : Sequence[str]
        Operators on it, in order.
    slack_ms : Mapping[str, float]
        From `plan.distance.slack`.
    error_percent : Mapping[str, float], optional
        Predicted cost against measured, where both are known.
    """
    unit = graph.unit
    costs = [node.cost_ms for node in graph.nodes]
    slack = [slack_ms[node.name] for node in graph.nodes]
    kinds = [op for op, _ in Counter(node.op for node in graph.nodes).most_common()]
    values: dict[str, Sequence[float]] = {
        "cost": costs,
        "slack": slack,
        "send": [node.send_ms for node in graph.nodes],
    }
    scales = [_up("cost", "Cost", unit, costs, "sum"), _up("slack", "Slack", unit, slack, "min")]
    if error_percent is not None:
        values["error"] = [error_percent[node.name] for node in graph.nodes]
        scales.append(_error_scale())
    return Part.of(
        {
            "name": [node.name for node in graph.nodes],
            "op": [node.op for node in graph.nodes],
            "module": [node.module for node in graph.nodes],
            "about": [_about(node) for node in graph.nodes],
            "kind": [kinds.index(node.op) for node in graph.nodes],
            "kinds": kinds,
            "values": {key: [_short(v) for v in column] for key, column in values.items()},
            "scales": scales,
            "unit": unit,
            "costModel": graph.cost_model,
            "critical": [graph.index[name] for name in critical_path],
        }
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")  # more digits than anybody reads, a third of the bytes


def _about(node: OpNode) -> list[str]:
    """What a tooltip tells that is not a column: ``key: value`` texts."""
    told = {
        "output": ", ".join(str(spec) for spec in node.outputs if spec),
        "parameters": f"{node.parameters:,}" if node.parameters else "",
        "work": f"{node.flops:,} flops" if node.flops else "",
    }
    return [f"{key}: {value}" for key, value in told.items() if value]


def _up(key: str, label: str, unit: str, values: Sequence[float], gather: str) -> dict[str, Any]:
    """A scale from nothing upwards; steps grow, since most operators cost little."""
    most, colours = max(values, default=0.0), palette.RISING
    edges = [_short(most * (i / len(colours)) ** 2) for i in range(1, len(colours))]
    return _scale(key, label, unit, edges, colours, gather)


def _error_scale() -> dict[str, Any]:
    label = "Predicted against measured"
    edges = (-75.0, -50.0, -20.0, 20.0, 50.0, 100.0)
    return _scale("error", label, "%", edges, palette.DIVERGING, "mean")


def _scale(
    key: str, label: str, unit: str, edges: Sequence[float], colours: Sequence[str], gather: str
) -> dict[str, Any]:
    return {
        "key": key,
        "label": label,
        "unit": unit,
        "edges": list(edges),
        "fills": list(colours),
        "texts": [palette.text_on(colour) for colour in colours],
        "gather": gather,  # how a group's value comes from those of its operators
    }


def shape(drawing: Network, collapsed: Collapsed, index: Mapping[str, int]) -> Part:
    """Where the boxes stand and how the edges run.

    Parameters
    ----------
    drawing : pyvis.network.Network
        Of `collapsed.graph`, from `dag.network`.
    collapsed : Collapsed
        Which operators each box holds.
    index : Mapping[str, int]
        Of the operators, as in `facts`.
    """
    number = {node["id"]: i for i, node in enumerate(drawing.nodes)}
    return Part.of(
        {
            "box": [BOX_WIDTH, BOX_HEIGHT],
            "boxes": [
                {
                    "id": node["id"],
                    "x": node["x"],
                    "y": node["y"],
                    "members": [index[name] for name in collapsed.members[node["id"]]],
                    "label": collapsed.labels.get(node["id"]),
                    "clone": node["clone"],
                }
                for node in drawing.nodes
            ],
            "edges": [
                [number[edge["from"]], number[edge["to"]], int(edge["dropped"]), edge["route"]]
                for edge in drawing.edges
            ],
            "within": {str(index[name]): key for name, key in collapsed.within.items()},
        }
    )


def paint(
    graph: Graph,
    clusters: Mapping[int, Sequence[str]],
    worker_of: Mapping[str, int],
    kinds: Sequence[str],
    marked: Collection[str] = (),
    because: str = "",
) -> dict[str, Any]:
    """Who does each operator, and every colour that stands for a number.

    Parameters
    ----------
    graph : Graph
        As in `facts`.
    clusters : Mapping[int, Sequence[str]]
        Operators by the number of their cluster.
    worker_of : Mapping[str, int]
        Worker by operator.
    kinds : Sequence[str]
        From `facts`.
    marked : Collection[str]
        Operators to mark.
    because : str
        What a mark means, for the legend.
    """
    cluster_of = {name: i for i, names in clusters.items() for name in names}
    numbers = {*clusters, *worker_of.values(), *range(len(kinds))}
    fills = {number: palette.fill(number) for number in sorted(numbers)}
    return {
        "cluster": [cluster_of.get(node.name) for node in graph.nodes],
        "worker": [worker_of.get(node.name) for node in graph.nodes],
        "fills": {str(i): [fill, palette.text_on(fill)] for i, fill in fills.items()},
        "none": [palette.NO_CLUSTER, palette.text_on(palette.NO_CLUSTER)],
        "critical": palette.CRITICAL,
        "accent": palette.ACCENT,
        "marked": [graph.index[name] for name in marked],
        "because": because,
    }
