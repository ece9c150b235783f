"""A benchmark while it runs: how far it is, its latest times, and a way to stop it."""

from __future__ import annotations

import statistics
from typing import Any

import streamlit as st

from pages.common import cards, state
from ramiel_core.errors import RamielError
from ramiel_core.run import jobs

POLL_S = 1.0  # often enough to watch, seldom enough not to disturb the timing
NAMES = {"sequential": "Sequential", "parallel": "Parallel", "threads": "Threads inside operators"}
POINTS = 60  # of the small line in each card


@st.fragment(run_every=POLL_S)
def follow(job_id: str) -> None:
    """Show a running benchmark, again and again; then let the page show its result.

    Parameters
    ----------
    job_id : str
        Of a job that has not ended when the page is drawn.
    """
    try:
        said = jobs.events(job_id)
    except RamielError as error:
        cards.note(str(error), "error")
        return
    if state.ended(said):
        st.rerun()
    with st.container(border=True):
        _how_far(said)
        planned = next((event for event in said if event["kind"] == "planned"), None)
        if planned:
            _plan(planned)
        _latest([event["last_ms"] for event in said if event["kind"] == "progress"])
        st.button(
            "Cancel",
            icon=":material/stop_circle:",
            key="cancel",
            on_click=jobs.cancel,
            args=(job_id,),
            help="Ends the benchmark and all its workers at once.",
        )


def _how_far(said: list[jobs.Event]) -> None:
    stage = next((e["text"] for e in reversed(said) if e["kind"] == "stage"), "Starting")
    if said and said[-1]["kind"] == "queued":
        stage = "Waiting: another benchmark runs on this host, and two at once would falsify both"
    timed = next((e for e in reversed(said) if e["kind"] == "progress"), None)
    if timed is None:
        st.progress(0.0, text=f"{stage} …")
        return
    done, total = timed["done"], timed["total"]
    text = f"{stage} …" if done == total else f"{stage}: {done} of {total} done"
    st.progress(done / total, text=text)


def _plan(planned: dict[str, Any]) -> None:
    predicted = planned["t1_ms"] / planned["predicted_ms"] if planned["predicted_ms"] else 1.0
    cards.sub(
        f"Plan: {cards.plural(planned['workers'], 'worker')}, predicted "
        f"{cards.ms(planned['predicted_ms'])}, {predicted:.2f}× as fast as one "
        f"({planned['cost_model']} costs)."
    )
    for warning in planned["warnings"]:
        cards.note(warning, "warning")


def _latest(rounds: list[dict[str, float]]) -> None:
    """Show the latest time of each configuration, and the median so far below it."""
    if not rounds:
        return
    for column, label in zip(st.columns(len(rounds[-1])), rounds[-1], strict=True):
        times = [last[label] for last in rounds if label in last]
        column.metric(
            NAMES.get(label, label),
            cards.ms(times[-1]),
            f"median so far {cards.ms(statistics.median(times))}",
            delta_color="off",
            delta_arrow="off",
            border=True,
            chart_data=times[-POINTS:],
            help="The latest inference, and the median of all so far.",
        )
