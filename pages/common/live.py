"""A benchmark or a tuning while it runs: how far it is, its latest times, and a way to stop it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.common import address, cards, choice, leaderboard
from ramiel_core import client, pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Job, Plan
from ramiel_core.plan.by_hand import BY_HAND
from ramiel_core.run import jobs
from ramiel_core.words import plural, times

REPEATS = 20  # of a plan by hand
POLL_S = 1.0  # often enough to watch, seldom enough not to disturb the timing
NAMES = {
    "sequential": "Sequential",
    "parallel": "Parallel",
    "threads": "Threads inside operators",
    "clusters": "Clusters, none of it wide",
    "eager": "Eager, one thread",
}
POINTS = 60  # of the small line in each card
PAGE_OF = {"tune": ("pages/tune.py", "Tune"), "bench": ("pages/benchmark.py", "Benchmark")}


@dataclass(frozen=True)
class Followed:
    """A job that the address names, and everything that it has said so far."""

    job_id: str
    job: Job
    said: list[jobs.Event]

    @property
    def busy(self) -> bool:
        """Whether it runs, or waits to."""
        return not ended(self.said)


def named(*tasks: str) -> Followed | None:
    """The job that the address names, if it is one of these tasks; says why where it is gone.

    A running job of another task is shown by another page: then there is a link to it.
    """
    job_id = address.get(address.JOB)
    if job_id is None:
        return None
    try:
        found = Followed(job_id, jobs.job_of(job_id), jobs.events(job_id))
    except RamielError as error:
        cards.note(str(error), "error")
        return None
    if found.job.task in tasks:
        return found
    page, label = PAGE_OF.get(found.job.task, PAGE_OF["bench"])
    if found.busy:
        cards.note(
            f"A job of {pipeline.label(found.job.model)} is running; the page {label} shows it."
        )
        st.page_link(
            page, label=label, icon=":material/arrow_forward:", query_params=address.carried()
        )
    return None


def start(job: Job) -> None:
    """Start a job, which the address then names; the same one is not started again while it runs.

    A second click may come before the page has met the first.
    """
    job_id = address.get(address.JOB)
    if job_id is None or not _runs(job_id, job):
        address.put(address.JOB, client.start(job))


def _runs(job_id: str, job: Job) -> bool:
    try:
        return jobs.job_of(job_id) == job and not ended(jobs.events(job_id))
    except RamielError:  # it is gone
        return False


def start_by_hand(plan: Plan) -> None:
    """Benchmark a plan by hand of the model that the address names."""
    chosen = choice.read()
    asked = {"planner": BY_HAND, "workers": plan.workers, "plan": str(plan)}
    start(Job(chosen.model, repeats=REPEATS, **asked, **chosen.loading))


def ended(said: list[jobs.Event]) -> bool:
    """Whether a job has told its last event."""
    return bool(said) and said[-1]["kind"] in jobs.FINAL


def last_record(model: str) -> dict[str, Any] | None:
    """What the benchmark found that the address names, or else the latest of a model."""
    named, latest = address.get(address.JOB), None
    for job_id, record in jobs.reports(model):
        if named is None or job_id == named:
            return record
        latest = latest or record
    return latest


def of_another_model(found: Followed, model: str) -> None:
    """Say so where the address names a job of another model than the one chosen."""
    kind = "tuning" if found.job.task == "tune" else "benchmark"
    if found.job.model != model:
        other = pipeline.label(found.job.model)
        cards.sub(f"This is a {kind} of {other}, not of {pipeline.label(model)}.")


@st.fragment(run_every=POLL_S)
def follow(job_id: str) -> None:
    """Show a running job, again and again; then let the page show its result.

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
    if ended(said):
        st.rerun()
    with st.container(border=True):
        _how_far(said)
        planned = next((event for event in said if event["kind"] == "planned"), None)
        standings = next((e for e in reversed(said) if e["kind"] == "standings"), None)
        if planned:
            _plan(planned)
        elif standings:
            leaderboard.show(standings["rows"])
        _latest([event["last_ms"] for event in said if event["kind"] == "progress"])
        st.button(
            "Cancel",
            icon=":material/stop_circle:",
            key="cancel",
            on_click=jobs.cancel,
            args=(job_id,),
            help="Ends it and all its workers at once.",
        )


def _how_far(said: list[jobs.Event]) -> None:
    stage = next((e["text"] for e in reversed(said) if e["kind"] == "stage"), "Starting")
    if said and said[-1]["kind"] == "queued":
        stage = "Waiting: another benchmark runs on this host, and two at once would falsify both"
    far = next((e for e in reversed(said) if e["kind"] in ("progress", "standings")), None)
    if far is None:
        st.progress(0.0, text=f"{stage} …")
        return
    done, total = _met(far["rows"]) if "rows" in far else (far["done"], far["total"])
    text = f"{stage} …" if done == total else f"{stage}: {done} of {total} done"
    if done == total and "rows" in far:
        text = "All have been timed; the fastest run on, in turns …"
    st.progress(done / total, text=text)


def _met(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """How many configurations have had their first rounds, of how many."""
    return sum(row["state"] not in ("waiting", "measuring") for row in rows), len(rows)


def _plan(planned: dict[str, Any]) -> None:
    predicted = planned["t1_ms"] / planned["predicted_ms"] if planned["predicted_ms"] else 1.0
    cards.sub(
        f"Plan: {plural(planned['workers'], 'worker')}, predicted "
        f"{cards.ms(planned['predicted_ms'])}, {times(predicted)} as fast as one "
        f"({planned['cost_model']} costs)."
    )
    for warning in planned["warnings"]:
        cards.note(cards.sentence(warning), "warning")


def _latest(rounds: list[dict[str, float]]) -> None:
    """Show the latest time of each configuration, and the median so far below it."""
    if not rounds:
        return
    for column, label in zip(st.columns(len(rounds[-1])), rounds[-1], strict=True):
        took_ms = [last[label] for last in rounds if label in last]
        column.metric(
            NAMES.get(label, label),
            cards.ms(took_ms[-1]),
            f"median so far {cards.ms(statistics.median(took_ms))}",
            delta_color="off",
            delta_arrow="off",
            border=True,
            chart_data=took_ms[-POINTS:],
            help="The latest inference, and the median of all so far.",
        )
