"""A page with nothing but lanes, or a Gantt chart, for test_lanes_component.py to drive."""

from __future__ import annotations

import streamlit as st

from pages.common import address
from pages.common.gantt_component import gantt_view
from pages.common.lanes_component import lanes_view
from ramiel_core.ir import Bar, Graph, OpNode, Plan, Timeline
from ramiel_core.plan.by_hand import placed, reassigned
from ramiel_core.plan.compare import moved
from ramiel_core.plan.simulate import simulate
from ramiel_core.view.lanes import lanes

HOSTILE = "<img/src=x/onerror=document.title='owned'>"
PARSED = Graph.parse("a:2 b:5<a c:4<a d:3<c e:2<b,d")
GRAPH = Graph((*PARSED.nodes, OpNode(HOSTILE, HOSTILE, ("e",), 3.0)))
CHAINS = (("a", "b", "e", HOSTILE), ("c", "d"))
BARS = (
    Bar(0, "a", "compute", 0.0, 4.0),
    Bar(0, "a", "copy", 4.0, 5.0),
    Bar(1, "a", "wait", 0.0, 5.0),
    Bar(1, HOSTILE, "compute", 5.0, 10.0),
)


def go(plan: Plan) -> None:
    st.session_state["plans"].append(plan)


def edit() -> None:
    plans = st.session_state.setdefault("plans", [placed(GRAPH, (tuple(GRAPH.index),))])
    plan = plans[-1]
    st.button("choose d", on_click=lambda: st.session_state.update(chosen=["d"]))
    lanes_view(
        lanes(GRAPH, plan, simulate(GRAPH, plan.clusters), CHAINS, moved(GRAPH, plans[0], plan)),
        key="lanes",
        planned_ms=plans[0].makespan_ms,
        chosen=st.session_state.get("chosen", []),
        may_undo=len(plans) > 1,
        may_add=True,
        on_choose=lambda names: st.session_state.update(chosen=names),
        on_move=lambda names, worker: go(reassigned(GRAPH, plan, dict.fromkeys(names, worker))),
        on_undo=plans.pop,
    )
    st.write("plan:", " / ".join(" ".join(name[:1] for name in names) for names in plan.clusters))
    st.write("chosen:", " ".join(name[:1] for name in st.session_state.get("chosen", [])))


def timelines() -> None:
    st.button("select a", on_click=address.select, args=("a",))
    late = Timeline((Bar(0, "a", "dispatch", 0.0, 2.0), Bar(0, "a", "compute", 2.0, 20.0)), 20.0)
    gantt_view(
        {"predicted": Timeline(BARS, 10.0), "measured": late},
        key="gantt",
        outlined={"predicted": [BARS[3]]},
        because="on the critical path",
    )
    st.write("selected:", (address.operator() or "none")[:4])


if __name__ == "__main__":  # pytest imports every file in search of doctests
    if "gantt" in st.query_params:
        timelines()
    else:
        edit()
