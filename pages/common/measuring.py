"""Measuring a model's operators on this host, from the sidebar of any page."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from pages.common import address, cards, choice, live
from ramiel_core import client
from ramiel_core.errors import RamielError
from ramiel_core.ir import Job
from ramiel_core.run import jobs


def offer(model: str) -> None:
    """Show the way to measured costs where there are none: a button, or how far it has come."""
    job_id = address.get(address.MEASURING)
    if job_id is None:
        st.button(
            "Measure on this host",
            icon=":material/timer:",
            on_click=_start,
            args=(model,),
            width="stretch",
            help="Times every operator of this model once, in a process of its own: some seconds. "
            "Costs are then real milliseconds of this host.",
        )
        return
    _follow(job_id)


def _start(model: str) -> None:
    job = Job(model, task="profile", **asdict(choice.read().rewrites))
    address.put(address.MEASURING, client.start(job))


def _stop(job_id: str) -> None:
    jobs.cancel(job_id)
    address.put(address.MEASURING, None)


@st.fragment(run_every=1.0)
def _follow(job_id: str) -> None:
    try:
        said = jobs.events(job_id)
    except RamielError as error:
        said = [{"kind": "error", "message": str(error)}]
    last = said[-1] if said else {"kind": "stage", "text": "Starting"}
    if last["kind"] == "error":
        cards.note(last["message"], "error")
        st.button("Close", on_click=address.put, args=(address.MEASURING, None), width="stretch")
    elif live.ended(said):
        address.put(address.MEASURING, None)
        if last["kind"] == "profiled":
            address.put(address.COST, "measured")
        st.rerun()
    else:
        waiting = last["kind"] == "queued"
        cards.sub("Another benchmark runs; waiting." if waiting else f"{last['text']} …")
        st.button("Stop measuring", on_click=_stop, args=(job_id,), width="stretch")
