"""The merge player: from chains to clusters, one step at a time."""

from __future__ import annotations

from html import escape

import streamlit as st

from pages.common import cards, frame, state
from pages.common.graph_component import graph_view
from ramiel_core.ir import Graph, Plan, Step
from ramiel_core.view import palette, speedup

HEIGHT = 560  # px


def player(plan: Plan) -> int:
    """Let the user choose a step; returns it, 0 before the first merge."""
    last = len(plan.steps)
    step = state.whole_number(state.STEP, last)
    back, slider, on = st.columns([2, 12, 2], vertical_alignment="bottom")
    back.button(
        "Previous",
        icon=":material/skip_previous:",
        disabled=step == 0,
        on_click=state.put,
        args=(state.STEP, step - 1),
        width="stretch",
    )
    with slider:
        st.slider(
            f"Merge step, 0 to {last}",
            0,
            last,
            help="0 shows the chains of linear clustering; each further step merges two clusters.",
            **state.mirror(state.STEP, step, "step-slider"),
        )
    on.button(
        "Next",
        icon=":material/skip_next:",
        disabled=step == last,
        on_click=state.put,
        args=(state.STEP, step + 1),
        width="stretch",
        type="primary",
    )
    return step


def figures(graph: Graph, plan: Plan, number: int) -> None:
    """Show what the graph has come to after so many steps."""
    step = plan.steps[number - 1] if number else None
    makespan = step.makespan_ms if step else None
    too_large = "" if step is None or makespan else " This graph is too large to predict each step."
    cards.figures(
        (
            "Clusters",
            str(step.clusters if step else len(plan.linear)),
            "How many are left: one a worker.",
        ),
        (
            "Cut edges",
            str(step.cut_edges if step else _cut_edges(graph, plan)),
            "Values handed from one cluster to another: each has to be copied and signalled.",
        ),
        (
            f"Predicted makespan · {graph.cost_model}",
            "–" if makespan is None else cards.cost(makespan, graph.cost_model),
            "Time of one inference if every cluster had a worker of its own, from a simulation."
            + too_large,
        ),
        ("Pass", str(step.iteration) if step else "–", _pass_help(plan, step)),
    )


def _pass_help(plan: Plan, step: Step | None) -> str:
    if step is not None and step.clusters < plan.fixpoint:
        return "After the natural fixpoint: merged on, to the number of workers asked for."
    return "Merging goes over all clusters again and again, until a pass merges nothing."


def _cut_edges(graph: Graph, plan: Plan) -> int:
    chain = {name: i for i, names in enumerate(plan.linear) for name in names}
    return sum(chain[a] != chain[b] for a, b in graph.edges)


def explain(plan: Plan, number: int, unit: str) -> None:
    """Say which two clusters the step merged, and why."""
    if number == 0:
        cards.note(
            f"Before the first merge: linear clustering has cut the graph into "
            f"{cards.plural(len(plan.linear), 'chain')}. Press Next to merge the first two."
        )
        return
    step = plan.steps[number - 1]
    kept, gone = cards.chip(step.kept, str(step.kept)), cards.chip(step.gone, str(step.gone))
    st.html(
        f'<div class="rv-note"><b>Step {number}</b>: {gone} joins {kept}. '
        f"{escape(cards.sentence(step.reason))}</div>"
    )
    spans(step, max(plan.tinf_send_ms, plan.tinf_ms), unit)
    if number == len(plan.steps) and plan.moves:
        cards.sub(
            f"After this last merge, operators changed their cluster "
            f"{cards.plural(plan.moves, 'time')} to balance the workers; the picture shows the "
            f"clusters before that, the Graph page after it."
        )


def spans(step: Step, longest_ms: float, unit: str) -> None:
    """Draw the two merged clusters' spans on the axis of distance to the end."""
    rows = []
    for cluster, (start, end) in zip((step.kept, step.gone), step.spans, strict=True):
        left = 100 * (1 - start / longest_ms)
        width = 100 * (start - end) / longest_ms
        title = escape(f"from {start:.3g} to {end:.3g} {unit} before the end")
        rows.append(
            f"{cards.chip(cluster, f'cluster {cluster}')}"
            f'<div class="track"><div class="bar" title="{title}" style="left:{left:.2f}%;'
            f'width:{width:.2f}%;background:{palette.fill(cluster)}"></div></div>'
        )
    axis = f"{longest_ms:.3g} {unit} before the end"
    st.html(
        f'<div class="rv-spans">{"".join(rows)}'
        f'<div class="ends"><span>{axis}</span><span>the end</span></div></div>'
    )


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Merging",
        "Two chains that never have to run at the same time can share one worker. Merging finds "
        "such pairs again and again, until none is left. Step through it and watch the colours.",
    )
    natural = state.plan_of(graph)
    plan = state.plan_of(graph, chosen.workers)
    if len(natural.linear) == 1:
        cards.note(
            f"{graph.model} is one single chain of {len(graph)} operators: each needs the one "
            f"before it. There is nothing to merge, and nothing that could run side by side."
        )
        return
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        frame.workers_picker(natural, chosen, "Merge until")
    follow = right.toggle(
        "Follow the merge",
        value=True,
        key="follow",
        persist_state="session",
        help="Moves the picture to the cluster that joins another.",
    )
    if not plan.steps:
        cards.note(
            f"The {len(plan.linear)} chains of {graph.model} all have to run at the same time as "
            f"another, so no two can share a worker: there is no step to show."
        )
        number = 0
    else:
        number = player(plan)
        explain(plan, number, "units" if graph.cost_model == "unit" else "ms")
    figures(graph, plan, number)
    clusters = state.clusters_after(plan, number)
    shown = plan.linear[plan.steps[number - 1].gone][0] if number and follow else None
    graph_view(state.picture(graph, clusters), key="merge-graph", height=HEIGHT, selected=shown)
    if plan.steps:
        st.subheader("All steps")
        cards.sub(cards.COST_HELP[graph.cost_model])
        figure = speedup.merging(plan, number)
        st.plotly_chart(figure, config={"displayModeBar": False})


main()
