"""The tuner: which configuration is fastest on this host, found by racing them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import streamlit as st

from pages.common import address, cards, choice, frame, leaderboard, live
from ramiel_core import outcomes
from ramiel_core.ir import Job
from ramiel_core.report import tuned
from ramiel_core.run import jobs
from ramiel_core.view import tuning
from ramiel_core.words import plural

DEFAULT_S, MOST_S = 60, 3600
PLAIN = {"displayModeBar": False}


def settings(chosen: choice.Choice, *, busy: bool) -> None:
    """Let the user choose how long it may take, and start it."""
    left, middle, _ = st.columns([2, 2, 5], vertical_alignment="bottom")
    left.number_input(
        "Budget, seconds",
        1,
        MOST_S,
        key="tune-budget",
        persist_state="session",
        help="For everything, roughly: each kernel family alone and the most promising plan are "
        "tried whatever it takes. More seconds try more plans and tell near ones apart.",
    )
    middle.button(
        "Tune",
        type="primary",
        icon=":material/play_arrow:",
        disabled=busy,
        on_click=_start,
        args=(chosen,),
        width="stretch",
        help="Runs the model in processes of their own.",
    )


def _start(chosen: choice.Choice) -> None:
    """The budget is read here: a click may come before the page has met its last change."""
    budget_s = float(st.session_state["tune-budget"])
    live.start(Job(chosen.model, "tune", budget_s=budget_s, **chosen.loading))


def remember(followed: live.Followed | None) -> None:
    """Begin with the budget of a tuning that was started elsewhere, or before F5."""
    asked = min(max(1, round(followed.job.budget_s)), MOST_S) if followed else DEFAULT_S
    st.session_state.setdefault("tune-budget", asked)


def outcome(last: jobs.Event, model: str) -> None:
    """Show what a tuning of a model ended with."""
    if last["kind"] == "error":
        cards.note(last["message"], "error")
    elif last["kind"] == "cancelled":
        cards.note("The tuning was cancelled; nothing of it is left running.")
    else:
        show(last["record"], model)


def show(found: dict[str, Any], model: str) -> None:
    """Show what a tuner found for a model, the winner first."""
    cards.verdict(tuned.verdict(found), good=True)
    cards.sub(tuned.why(found))
    _onward(found, model)
    rows = found["standings"]
    st.subheader("Leaderboard")
    cards.sub(
        f"{plural(len(rows), 'configuration')}, timed in turns. One worker by every kernel "
        f"family, with one thread, with all cores and between, is always among them (inductor "
        f"with all cores, where the budget pays for compiling); what cannot win is not tried."
    )
    leaderboard.show(rows, over=True)
    named = [{**row, "label": tuned.in_words(row["configuration"])} for row in rows]
    left, right = st.columns(2)
    with left:
        st.subheader("What each choice bought")
        cards.sub("From eager kernels on one thread to the fastest, choice by choice.")
        if len(found["steps"]) > 1:
            words = {row["label"]: tuned.in_words(row["configuration"]) for row in rows}
            steps = [{**step, "label": words[step["label"]]} for step in found["steps"]]
            st.plotly_chart(tuning.waterfall(steps), config=PLAIN, key="waterfall")
        else:
            cards.note("No choice bought anything: the plainest configuration is the fastest.")
    with right:
        st.subheader("Predicted against measured")
        cards.sub("On the line both agree; dotted: 10 % off. Libraries are not predicted.")
        st.plotly_chart(tuning.predicted_against_measured(named), config=PLAIN, key="scatter")
    _surroundings(found)


def _onward(found: dict[str, Any], model: str) -> None:
    """Offer the winner to the Benchmark page, and everything as JSON."""
    asked = {address.MODEL: model} | {
        name: str(found["winner"][name]) for name in address.CONFIGURATION
    }
    cost = address.get(address.COST)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/benchmark.py",
            label="Benchmark this configuration",
            icon=":material/speed:",
            query_params=asked | ({address.COST: cost} if cost else {}),
            help="Kernels “auto” there, and `--kernels auto` in a shell, mean this configuration "
            "from now on.",
        )
        st.download_button(
            "Download tuning.json",
            lambda: json.dumps(found, indent=1),
            "tuning.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
            help="Winner, every standing, what each choice bought, the host's facts.",
        )


def _surroundings(found: dict[str, Any]) -> None:
    """Show what these times were taken on, and when."""
    facts = found["host"]
    names = ("python", "torch", "torchvision", "numpy")
    with st.expander("Host and settings", expanded=True):
        cards.facts(
            {
                "Found": _when(found["found_at"]) if "found_at" in found else "just now",
                "Budget": f"{found['budget_s']:g} s",
                "Processor": str(facts["processor"]),
                "Cores": str(facts["cores"]),
                "Load": f"{facts['load_1min']:.1f} processes in the last minute",
                "Host": str(facts["host"]),
                "Kernel": str(facts["kernel"]),
                "Versions": ", ".join(f"{name} {facts[name]}" for name in names),
            }
        )


def _when(found_at: str) -> str:
    return f"{datetime.fromisoformat(found_at):%Y-%m-%d %H:%M} UTC"


def known(model: str) -> None:
    """Show what was found before, or what tuning would do."""
    found = outcomes.tuned_for(model)
    if found is None:
        cards.note(
            "Not tuned on this host yet. Press Tune: every kernel family alone with every thread "
            "count, and every way to share the cores among workers, race each other in processes "
            "of their own. You may leave the page; its address finds the race again."
        )
        return
    cards.sub(
        f"Found on {_when(found['found_at'])} within {found['budget_s']:g} s, for this model on "
        f"{found['host']['processor']}, {plural(int(found['host']['cores']), 'core')}."
    )
    show(found, model)


def main() -> None:
    """Draw the page."""
    _, chosen = frame.opened(
        "Tune",
        "Finds the fastest way to run the model on this machine: kernels, workers, threads and "
        "plan race each other, round by round, until the budget is spent.",
    )
    followed = live.named("tune")
    remember(followed)
    settings(chosen, busy=followed is not None and followed.busy)
    if followed is None:
        known(chosen.model)
    elif followed.busy:
        live.follow(followed.job_id)
    else:
        live.of_another_model(followed, chosen.model)
        outcome(followed.said[-1], followed.job.model)
        if followed.said[-1]["kind"] != "tuned":
            known(chosen.model)


main()
