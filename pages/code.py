"""The emitted program: what is shown is what runs."""

from __future__ import annotations

import streamlit as st

from pages.common import address, cards, frame, kept
from pages.common.code_component import code_view
from ramiel_core.ir import CALLER, Plan, Program
from ramiel_core.view import listing
from ramiel_core.words import plural

WHOLE, ONE_WORKER = "whole", "sequential"
HEIGHT = 680  # px
KEY = "program"


def pick_part(program: Program) -> str:
    """Let the user choose a cluster's function, the whole text, or the sequential program."""
    parts = [WHOLE, *(str(i) for i in range(program.workers)), ONE_WORKER]
    asked = address.get(address.PART, WHOLE)
    asked = asked if asked in parts else WHOLE
    names = {WHOLE: "Whole program", ONE_WORKER: "Sequential, to compare"}
    st.pills(
        "Part",
        parts,
        required=True,
        format_func=lambda part: names.get(part, f"cluster_{part}"),
        label_visibility="collapsed",
        **address.mirror(address.PART, asked, "part-picker"),
    )
    return asked


def counts(plan: Plan, program: Program, part: str, *, in_parts: bool) -> str:
    """Say how much there is to read, in a sentence."""
    more = " and parts of them" if in_parts else ""
    if part in (WHOLE, ONE_WORKER):
        sent = sum(len([r for r in c.receivers if r != CALLER]) for c in program.channels)
        return (
            f"{plural(sum(map(len, plan.clusters)), 'operator')}{more} in "
            f"{plural(plan.workers, 'function')}, {plural(sent, 'value')} handed from "
            f"one worker to another."
        )
    worker = int(part)
    received = len(program.received_by(worker))
    sent = sum(c.sender == worker for c in program.channels)
    return (
        f"{plural(len(plan.clusters[worker]), 'operator')}{more}; receives "
        f"{plural(received, 'value')}, sends {plural(sent, 'value')}."
    )


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Code",
        "One plain Python function for each cluster: it receives what other workers made, calls "
        "its operators, sends what others need, and deletes each value after its last use. This "
        "very text is compiled and run.",
    )
    natural = kept.plan_of(graph)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        frame.workers_picker(natural, chosen)
    ran, plan = kept.planned(graph, chosen.workers, **chosen.after)
    program = kept.program_of(graph, chosen.workers, **chosen.after)
    if plan.rejected_makespan_ms is not None:
        cards.note(
            f"More than one worker is predicted to be slower here ({graph.cost_model} costs), so "
            f"the program is sequential."
        )
    part = pick_part(program)
    if part == ONE_WORKER:
        plan, program = kept.plan_of(graph, 1), kept.program_of(graph, 1)
    whole = part in (WHOLE, ONE_WORKER)
    text = program.source if whole else program.functions[int(part)]
    cards.sub(counts(plan, program, part, in_parts=bool(ran.split) and part != ONE_WORKER))
    label = f"{graph.model}_{program.workers}" + ("" if whole else f"_cluster_{part}")
    right.download_button(
        "Download .py",
        text,
        f"{label}.py",
        "text/x-python",
        icon=":material/download:",
        on_click="ignore",
        help="The text below as a file.",
    )
    selected = address.operator()
    lines = listing.listing(text, graph.index)
    code_view(lines, key=KEY, height=HEIGHT, selected=selected, on_select=address.select)
    if selected in graph.index and all(line[0] != selected for line in lines.value["lines"]):
        where = plan.worker_of()[selected]
        cards.note(f"{selected} is computed in cluster_{where}, which is not shown here.")
    cards.sub("Click a line to select its operator on every page.")


main()
