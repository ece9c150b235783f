"""The benchmark: settings, a run in a launcher of its own, and what it found."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.common import cards, frame, live, result, state
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Job
from ramiel_core.run import host, jobs
from ramiel_core.view import gantt

MOST_THREADS, MOST_REPEATS = 64, 1000
SIGNALS = {"fast": "semaphore", "queue": "queue"}
PLAIN = {"displayModeBar": False}


def settings(chosen: state.Choice, *, busy: bool) -> None:
    """Let the user choose what to run, warn of what will disturb it, and start it."""
    cores = len(host.cores())
    columns = st.columns([3, 2, 2, 3, 2], vertical_alignment="bottom")
    with columns[0]:
        st.selectbox(
            "Workers",
            [0, *range(1, max(2 * cores, 8, chosen.workers or 1) + 1)],
            format_func=lambda n: str(n) if n else "automatic: as many as pay",
            help="Processes that run clusters side by side.",
            **state.mirror(state.WORKERS, chosen.workers or 0, "bench-workers"),
        )
    job = Job(chosen.model, "bench", chosen.workers, *_rounds(columns[1:4]))
    columns[4].button(
        "Run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=busy,
        on_click=_start,
        args=(job,),
        width="stretch",
        help="Runs the model on random weights in processes of their own.",
    )
    _warn(job, cores)


def _rounds(columns: list[DeltaGenerator]) -> tuple[int, int, str]:
    """Threads, repeats and signals, as `remember` put them first."""
    threads = columns[0].number_input(
        "Threads",
        1,
        MOST_THREADS,
        key="bench-threads",
        persist_state="session",
        help="Inside each operator, in each worker.",
    )
    repeats = columns[1].number_input(
        "Repeats",
        1,
        MOST_REPEATS,
        key="bench-repeats",
        persist_state="session",
        help="Inferences of each configuration, taken in turns so that both meet the same "
        "disturbances.",
    )
    signals = columns[2].segmented_control(
        "Signals",
        list(SIGNALS),
        required=True,
        key="bench-signals",
        persist_state="session",
        format_func=SIGNALS.__getitem__,
        help="How workers tell each other that a value is ready: a semaphore (fast), or the "
        "published way, a queue of integers, to compare.",
    )
    return int(threads), int(repeats), signals


def _start(job: Job) -> None:
    state.put(state.JOB, pipeline.start(job))


def _warn(job: Job, cores: int) -> None:
    workers = job.workers or 1
    if workers > cores:
        cards.note(
            f"{workers} workers on {cards.plural(cores, 'core')}: workers will take turns, and "
            f"parallel will look slower than it is. It runs all the same.",
            "warning",
        )
    elif workers * job.threads > cores:
        cards.note(
            f"Oversubscribed: {cards.plural(workers, 'worker')} × "
            f"{cards.plural(job.threads, 'thread')} on {cards.plural(cores, 'core')}. Threads "
            f"will take turns, and times will be longer. It runs all the same.",
            "warning",
        )


def followed() -> tuple[str | None, list[jobs.Event]]:
    """The job that the address names and what it said; one sentence where it is gone."""
    job_id = st.query_params.get(state.JOB)
    if job_id is None:
        return None, []
    try:
        return job_id, jobs.events(job_id)
    except RamielError as error:
        cards.note(str(error), "error")
        return None, []


def remember(job: Job) -> None:
    """Begin with the settings of a job that was started elsewhere, or before F5."""
    asked = {
        "threads": min(job.threads, MOST_THREADS),
        "repeats": min(job.repeats, MOST_REPEATS),
        "signals": job.signals,
    }
    for name, value in asked.items():
        st.session_state.setdefault(f"bench-{name}", value)


def outcome(last: jobs.Event) -> None:
    """Show what a job ended with."""
    if last["kind"] == "error":
        cards.note(last["message"], "error")
    elif last["kind"] == "cancelled":
        cards.note("The benchmark was cancelled; nothing of it is left running.")
    elif last["kind"] == "report":
        result.show(last["record"])
    else:
        cards.note(
            "This job measured costs only; choose “measured on this host” on the left to use them."
        )


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Benchmark",
        "Runs the model as it is and as parallel clusters, in turns, and says which is faster on "
        "this machine, by how much, and how sure that is.",
    )
    job_id, said = followed()
    busy = job_id is not None and not state.ended(said)
    remember(Job(chosen.model) if job_id is None else jobs.job_of(job_id))
    settings(chosen, busy=busy)
    if job_id is not None and busy:
        live.follow(job_id)
    elif said:
        _of_another_model(job_id, chosen)
        outcome(said[-1])
    else:
        cards.note(
            "Nothing measured yet. Press Run: it takes from some seconds to a minute, in processes "
            "of their own. You may leave the page; its address finds the benchmark again."
        )
        forecast(graph, chosen)


def forecast(graph: Graph, chosen: state.Choice) -> None:
    """Show what is predicted for these workers, before anything runs."""
    plan = state.plan_of(graph, chosen.workers) if chosen.workers else state.best_plan(graph, 1)
    st.subheader("What is predicted")
    gain = plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0
    sequential = plan.workers == 1 or plan.rejected_makespan_ms is not None
    cards.sub(
        "Sequential: no plan for more workers is predicted to be faster."
        if sequential
        else f"{cards.plural(plan.workers, 'worker')}, {gain:.2f}× as fast as one, by the "
        f"“{graph.cost_model}” cost model. Running it measures real costs first."
    )
    if graph.cost_model != "unit":
        st.plotly_chart(gantt.gantt(pipeline.timeline_of(graph, plan)), config=PLAIN)


def _of_another_model(job_id: str | None, chosen: state.Choice) -> None:
    job = jobs.job_of(job_id) if job_id else None
    if job and job.model != chosen.model:
        cards.sub(f"This is a benchmark of {job.model}, not of {chosen.model}.")


main()
