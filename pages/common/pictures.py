"""Pictures of a graph: where its operators stand, what is collapsed, and how it is painted.

Every part is kept by what it depends on, so that a new plan or colour draws nothing else anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.common.kept import BY_COST, plan_of
from ramiel_core import pipeline
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end, slack
from ramiel_core.plan.merge import replay
from ramiel_core.plan.simulate import simulate
from ramiel_core.view import collapse, dag, layout, playback, scene

_BY_SHAPE = {Graph: lambda graph: graph.fingerprint}


@st.cache_resource(
    max_entries=32, show_spinner="Graphviz places the operators…", hash_funcs=_BY_SHAPE
)
def layout_of(graph: Graph) -> layout.Layout:
    """Where each operator is drawn; the same for every cost model and every plan."""
    return layout.lay_out(graph)


def clusters_after(plan: Plan, steps: int) -> dict[int, tuple[str, ...]]:
    """Clusters after so many merges, by the number of the chain that names them."""
    return replay(plan, steps)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=BY_COST)
def facts_of(graph: Graph, error_percent: Mapping[str, float] | None) -> scene.Part:
    """`scene.facts`."""
    path = critical_path(graph, distance_to_end(graph))
    return scene.facts(graph, path, slack(graph), error_percent)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_COST)
def collapsed(
    graph: Graph,
    by: collapse.By | None,
    clusters: Mapping[int, tuple[str, ...]],
    expanded: tuple[str, ...],
) -> tuple[collapse.Collapsed, scene.Part]:
    """The boxes that stand for a graph, and where they stand."""
    boxes = collapse.collapse(graph, collapse.hierarchy(graph, by, clusters), expanded)
    drawing = dag.network(boxes.graph, {}, (), layout_of(boxes.graph))
    return boxes, scene.shape(drawing, boxes, graph.index)


def errors_of(graph: Graph) -> dict[str, float] | None:
    """How far estimated costs are from measured ones, in percent; none where none were measured.

    What takes no measurable time cannot be off by a share of it, and counts as 0.
    """
    if not pipeline.is_measured(graph):
        return None
    measured, estimated = pipeline.weigh(graph, "measured"), pipeline.weigh(graph, "flops")
    return {
        node.name: 100 * (node.cost_ms / took - 1) if (took := measured[node.name].cost_ms) else 0.0
        for node in estimated.nodes
    }


def picture(
    graph: Graph,
    clusters: Mapping[int, tuple[str, ...]],
    plan: Plan,
    *,
    by: collapse.By | None = None,
    expanded: Sequence[str] = (),
) -> scene.Scene:
    """What the graph component draws.

    Parameters
    ----------
    graph : Graph
        Weighed.
    clusters : Mapping
        Operators by the number of their cluster.
    plan : Plan
        Of this very graph, clones and parts included: which worker does what.
    by : {"chain", "module", "cluster"}, optional
        What is collapsed, except the groups `expanded`.
    """
    groups = clusters if by == "cluster" else {}
    view = collapsed(graph, by, groups, tuple(sorted(expanded)))
    return _painted(graph, clusters, plan.worker_of(), view)


def picture_of(
    graph: Graph, clusters: Mapping[int, tuple[str, ...]], marked: Sequence[str], because: str
) -> scene.Scene:
    """What the graph component draws of a plan whose workers are called by these numbers.

    Parameters
    ----------
    graph : Graph
        Weighed.
    clusters : Mapping
        Operators by the number of their worker.
    marked : Sequence[str]
        Operators to mark.
    because : str
        What a mark means.
    """
    worker_of = {name: worker for worker, names in clusters.items() for name in names}
    view = collapsed(graph, None, {}, ())
    return _painted(graph, clusters, worker_of, view, marked, because)


def _painted(
    graph: Graph,
    clusters: Mapping[int, tuple[str, ...]],
    worker_of: Mapping[str, int],
    view: tuple[collapse.Collapsed, scene.Part],
    marked: Sequence[str] = (),
    because: str = "",
) -> scene.Scene:
    """What was collapsed, in the colours of clusters and workers, with marks."""
    facts = facts_of(graph, errors_of(graph))
    boxes, shape = view
    paint = scene.paint(graph, clusters, worker_of, facts.value["kinds"], marked, because)
    return scene.Scene(facts, shape, paint, boxes)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=BY_COST)
def playback_of(graph: Graph, workers: int | None) -> scene.Part:
    """`playback.playback` of `plan_of(graph, workers)`."""
    plan = plan_of(graph, workers)
    linear_ms = simulate(graph, plan.linear).makespan_ms
    return playback.playback(graph, plan, distance_to_end(graph), linear_ms)
