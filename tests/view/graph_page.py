"""A page with nothing but the graph component, for test_graph_component.py to drive."""

from __future__ import annotations

import streamlit as st

from pages.common.graph_component import CHOSEN, COLOUR, FRAME, VIEWPORT, expanded, graph_view
from ramiel_core.ir import Graph, OpNode, Plan
from ramiel_core.plan.distance import distance_to_end, slack
from ramiel_core.plan.planner import make_plan
from ramiel_core.view import dag, playback, scene
from ramiel_core.view.collapse import collapse, hierarchy
from ramiel_core.view.layout import lay_out
from tests.graphs import SHAPES

HOSTILE = "<img src=x onerror=document.title='owned'>"
LONG = "<script>document.title='owned'</script>\"'" + "x" * 460


@st.cache_resource
def chain() -> Graph:
    names = (HOSTILE, LONG, *(f"op_{i}" for i in range(2, 200)))
    return Graph(
        tuple(
            OpNode(
                name,
                HOSTILE if i == 0 else ("conv2d", "relu")[i % 2],
                names[max(0, i - 1) : i],
                cost_ms=i / 100,
                module=f"part{i // 50}.inner{i // 10}",
            )
            for i, name in enumerate(names)
        ),
        cost_model="flops",
    )


@st.cache_resource
def merged() -> tuple[Graph, Plan]:
    graph = Graph.parse(SHAPES["inception"])
    return graph, make_plan(graph)


def picture(graph: Graph, clusters: dict[int, tuple[str, ...]], by: str | None) -> scene.Scene:
    boxes = collapse(graph, hierarchy(graph, by, clusters), expanded("graph"))
    drawing = dag.network(boxes.graph, {}, (), lay_out(boxes.graph))
    late = slack(graph)
    facts = scene.facts(graph, [name for name in graph.index if not late[name]], late)
    worker_of = dict.fromkeys(graph.index, 0)
    paint = scene.paint(graph, clusters, worker_of, facts.value["kinds"])
    return scene.Scene(facts, scene.shape(drawing, boxes, graph.index), paint, boxes)


def explore() -> None:
    graph = chain()
    names = tuple(graph.index)
    split = 100 if st.checkbox("two clusters") else len(names)
    clusters = {0: names[:split]} | ({1: names[split:]} if split < len(names) else {})
    by = "module" if st.checkbox("modules") else None
    if st.checkbox("no graph"):
        return
    st.button("choose op_150", on_click=lambda: st.session_state.update(chosen="op_150"))
    graph_view(
        picture(graph, clusters, by),
        key="graph",
        height=500,
        selected=st.session_state.get("chosen"),
        on={
            CHOSEN: lambda name: st.session_state.update(chosen=name),
            COLOUR: lambda by: st.session_state.update(colour=by),
            VIEWPORT: lambda at: st.session_state.update(scale=at["scale"]),
        },
    )
    st.write("chosen:", repr(st.session_state.get("chosen")))
    st.write("colour:", st.session_state.get("colour", "cluster"))
    st.write("view at:", repr(st.session_state.get("scale")))


def play() -> None:
    graph, plan = merged()
    chains = dict(enumerate(plan.linear))
    graph_view(
        picture(graph, chains, None),
        key="graph",
        height=600,
        playback=playback.playback(graph, plan, distance_to_end(graph), 30.0),
        frame=st.session_state.get("frame", 0),
        on={FRAME: lambda number: st.session_state.update(frame=number)},
    )
    st.write("rests at:", st.session_state.get("frame", 0), "of", len(plan.steps))


if __name__ == "__main__":  # pytest imports every file in search of doctests
    if "play" in st.query_params:
        play()
    else:
        explore()
