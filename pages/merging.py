"""The merge player: from chains to clusters, one step at a time."""

from __future__ import annotations

import streamlit as st

from pages.common import address, cards, frame, kept, lists, pictures
from pages.common.graph_component import CHOSEN, FRAME, graph_view
from ramiel_core.ir import Graph, Plan
from ramiel_core.words import plural

HEIGHT = 760  # px
KEY = "merge-graph"  # of the component


def frame_asked(plan: Plan) -> int:
    """The player's frame that the address names: so many chains, or all of them and some merges."""
    chains = len(plan.linear)
    if address.get(address.CHAIN) is not None:
        return address.whole_number(address.CHAIN, chains)
    return chains + address.whole_number(address.STEP, len(plan.steps))


def keep(number: int, plan: Plan) -> None:
    """Write the frame at which the player rests into the address."""
    step = number - len(plan.linear)
    address.put(address.CHAIN, number if step < 0 else None)
    address.put(address.STEP, step if step > 0 else None)


def play(graph: Graph, plan: Plan, workers: int | None) -> None:
    """Show the player; it plays in the browser, and tells where it rests."""
    chains = dict(enumerate(plan.linear))
    graph_view(
        pictures.picture(graph, chains, kept.plan_of(graph, workers)),
        key=KEY,
        height=HEIGHT,
        selected=address.operator(),
        playback=pictures.playback_of(graph, workers),
        frame=frame_asked(plan),
        on={CHOSEN: address.select, FRAME: lambda number: keep(number, plan)},
    )


def all_steps(plan: Plan, unit: str) -> None:
    """List every merge with its reason; a ticked row goes to its step."""
    with st.expander("All merges", key="merges-open", on_change="rerun") as opened:
        if not opened.open:
            return
        cards.sub("Tick a row to see it, and why it was done, in the player above.")
        makespan = f"predicted time, {unit}"
        rows = [
            {
                "step": number,
                "pass": step.iteration,
                "cluster": step.gone,
                "joins": step.kept,
                makespan: step.makespan_ms,
                "cut edges": step.cut_edges,
                "clusters": step.clusters,
                "because": step.reason,
            }
            for number, step in enumerate(plan.steps, start=1)
        ]
        lists.show(
            rows,
            {
                "step": 50,
                "cluster": 65,
                "joins": 55,
                makespan: 145,
                "cut edges": 75,
                "clusters": 62,
            },
            "Merges",
            key="merge-table",
            on_select=_go_to_row,
            selection_mode="single-row",
        )


def _go_to_row() -> None:
    rows = st.session_state["merge-table"]["selection"]["rows"]
    if rows:
        address.put(address.CHAIN, None)
        address.put(address.STEP, rows[0] + 1)


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Merging",
        "First the graph is cut into chains, the heaviest path first. Two chains that never have "
        "to run at the same time can share one worker: merging finds such pairs again and again, "
        "until none is left. Press Play and watch the colours.",
    )
    natural = kept.plan_of(graph)
    plan = kept.plan_of(graph, chosen.workers)
    if len(natural.linear) == 1:
        cards.note(
            f"{graph.model} is one single chain of {len(graph)} operators: each needs the one "
            f"before it. There is nothing to merge, and nothing that could run side by side."
        )
        return
    with st.columns([1, 2])[0]:
        frame.workers_picker(natural, chosen, "Merge until")
    if not plan.steps:
        cards.note(
            f"The {len(plan.linear)} chains of {graph.model} all have to run at the same time as "
            f"another, so no two can share a worker: there is no step to show."
        )
    play(graph, plan, chosen.workers)
    cards.sub(cards.COST_HELP[graph.cost_model])
    if plan.moves:
        cards.sub(
            f"After the last merge, operators changed their cluster "
            f"{plural(plan.moves, 'time')} to balance the workers; the player shows the "
            f"clusters before that, the Graph page after it."
        )
    if plan.steps:
        all_steps(plan, graph.unit)


main()
