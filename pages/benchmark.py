"""The benchmark: settings, a run in a launcher of its own, and what it found."""

from __future__ import annotations

import json
import statistics
from typing import Any

import streamlit as st

from pages.common import cards, frame, live, records, state
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Job, Report, Run
from ramiel_core.run import host, jobs
from ramiel_core.view import gantt, speedup

MOST_THREADS, MOST_REPEATS = 64, 1000
PLAIN = {"displayModeBar": False}
RUN_NAMES = {
    "sequential": "sequential",
    "parallel": "parallel clusters",
    "threads": "threads inside operators",
}


def settings(chosen: state.Choice, *, busy: bool) -> None:
    """Let the user choose what to run, warn of what will disturb it, and start it."""
    cores = len(host.cores())
    workers, threads, repeats, signals, run = st.columns(
        [3, 2, 2, 3, 2], vertical_alignment="bottom"
    )
    with workers:
        st.selectbox(
            "Workers",
            [0, *range(1, max(2 * cores, 8, chosen.workers or 1) + 1)],
            format_func=lambda n: str(n) if n else "automatic: as many as pay",
            help="Processes that run clusters side by side.",
            **state.mirror(state.WORKERS, chosen.workers or 0, "bench-workers"),
        )
    kept = {"persist_state": "session"}
    per_worker = threads.number_input(
        "Threads",
        1,
        MOST_THREADS,
        1,
        key="bench-threads",
        help="Inside each operator, in each worker.",
        **kept,
    )
    rounds = repeats.number_input(
        "Repeats",
        1,
        MOST_REPEATS,
        30,
        key="bench-repeats",
        help="Inferences of each configuration, taken in turns so that both meet the same "
        "disturbances.",
        **kept,
    )
    way = signals.segmented_control(
        "Signals",
        ["fast", "queue"],
        default="fast",
        required=True,
        key="bench-signals",
        format_func={"fast": "semaphore", "queue": "queue"}.__getitem__,
        help="How workers tell each other that a value is ready: a semaphore (fast), or the "
        "published way, a queue of integers, to compare.",
        **kept,
    )
    job = Job(chosen.model, "bench", chosen.workers, int(per_worker), int(rounds), way or "fast")
    run.button(
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


def result(last: jobs.Event) -> None:
    """Show what a job ended with."""
    if last["kind"] == "error":
        cards.note(last["message"], "error")
    elif last["kind"] == "cancelled":
        cards.note("The benchmark was cancelled; nothing of it is left running.")
    elif last["kind"] == "report":
        found(last["record"])
    else:
        cards.note(
            "This job measured costs only; choose “measured on this host” on the left to use them."
        )


def found(record: dict[str, Any]) -> None:
    """Show a benchmark's record, the verdict first."""
    report = records.report_from(record)
    cards.verdict(report.verdict, good=report.speedup_ci[0] > 1 and report.plan.workers > 1)
    for warning in (*report.warnings, *disturbed(report)):
        cards.note(warning, "warning")
    equality(report)
    numbers(report)
    left, right = st.columns(2)
    with left:
        st.subheader("Speedup over sequential")
        cards.sub("Dashed: the most that this graph allows to so many workers.")
        st.plotly_chart(speedup.speedup(report), config=PLAIN)
    with right:
        st.subheader("Latency of each inference")
        cards.sub("Every point is one timed inference; the box holds the middle half.")
        st.plotly_chart(speedup.latencies(report.runs), config=PLAIN)
    st.subheader("Who did what when")
    cards.sub(
        "One row for each worker. Above as predicted from measured operator costs, below as "
        "traced in a run of its own. Hover for names."
    )
    st.plotly_chart(gantt.gantt(report.predicted, report.measured), config=PLAIN)
    st.subheader("All runs")
    st.dataframe([row(run) for run in report.runs], hide_index=True)
    with st.expander("Host and settings", expanded=True):
        surroundings(report)
    st.download_button(
        "Download results.json",
        lambda: json.dumps([record], indent=1),
        "results.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
        help="A list with this one record: every time, both timelines, the host's facts.",
    )


def disturbed(report: Report) -> list[str]:
    """Say so where other work ran beside the benchmark, as far as the load tells."""
    load, cores = report.host["load_1min"], report.host["cores"]
    if load <= cores + 0.5:  # the benchmark itself keeps the cores busy
        return []
    busy = f"a load of {load:.1f} on {cards.plural(cores, 'core')}"
    return [f"Other work was running: {busy}. Times are unsure; run it again on a quiet host."]


def equality(report: Report) -> None:
    """Say whether every output was the reference's, bit for bit."""
    compared = [run for run in report.runs if run.label in ("sequential", "parallel")]
    total = sum(len(run.times_ms) for run in compared)
    if report.equal:
        cards.note(f"Bit for bit equal in {total} of {total} inferences.", "good")
        return
    difference = max(run.max_difference for run in compared)
    wrong = " and ".join(run.label for run in compared if not run.equal)
    cards.note(
        f"Outputs differ from the reference in the {wrong} runs, by up to {difference:.3g}: do "
        f"not trust these times, and please report this model.",
        "error",
    )


def numbers(report: Report) -> None:
    """Show the figures that the verdict rests on."""
    low, high = report.speedup_ci
    cells = st.columns(5)
    cells[0].metric(
        "Sequential",
        cards.ms(report.sequential_ms),
        border=True,
        height="stretch",
        help="Median time of one inference with one worker.",
    )
    cells[1].metric(
        "Parallel",
        cards.ms(report.parallel_ms),
        border=True,
        height="stretch",
        help=f"Median time of one inference with {cards.plural(report.plan.workers, 'worker')}.",
    )
    cells[2].metric(
        "Speedup",
        f"{report.speedup:.2f}×",
        f"95 %: {low:.2f} to {high:.2f}",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help="Sequential over parallel, and the range in which it lies with 95 % certainty "
        "(bootstrap over rounds).",
    )
    cells[3].metric(
        "Bound",
        f"{report.bound:.2f}×",
        f"{100 * report.speedup / report.bound:.0f} % reached",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help="The smaller of the number of workers and T1/T∞: no plan can gain more.",
    )
    predicted = report.predicted.makespan_ms
    cells[4].metric(
        f"Predicted · {report.cost_model}",
        cards.ms(predicted),
        f"measured {100 * report.parallel_ms / predicted - 100:+.0f} %" if predicted else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help="Time of one parallel inference as simulated from measured operator costs, and how "
        "far the measured median lies from it.",
    )


def row(run: Run) -> dict[str, Any]:
    """One line of the table of runs."""
    low, middle, high = (
        statistics.quantiles(run.times_ms, n=4, method="inclusive")
        if len(run.times_ms) > 1
        else (run.times_ms[0],) * 3
    )
    return {
        "configuration": RUN_NAMES.get(run.label, run.label),
        "workers": run.workers,
        "threads each": run.threads,
        "inferences": len(run.times_ms),
        "median, ms": round(middle, 3),
        "lower quartile, ms": round(low, 3),
        "upper quartile, ms": round(high, 3),
        "fastest, ms": round(min(run.times_ms), 3),
        "slowest, ms": round(max(run.times_ms), 3),
        "memory, MB": round(run.memory_bytes / 1e6, 1),
        "output": "bit-equal" if run.equal else f"differs by {run.max_difference:.2g}",
    }


def surroundings(report: Report) -> None:
    """Show what these times were taken on, and with which settings."""
    facts, job = report.host, report.job
    left, right = st.columns(2)
    with left:
        cards.facts(
            {
                "Processor": str(facts["processor"]),
                "Cores": str(facts["cores"]),
                "Load": f"{facts['load_1min']:.1f} processes in the last minute",
                "Host": str(facts["host"]),
                "Kernel": str(facts["kernel"]),
            }
        )
    with right:
        cards.facts(
            {
                "Model": report.model,
                "Workers asked for": "automatic" if job.workers is None else str(job.workers),
                "Threads each": str(job.threads),
                "Signals": job.signals,
                "Versions": ", ".join(
                    f"{name} {facts[name]}" for name in ("python", "torch", "torchvision", "numpy")
                ),
            }
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
    settings(chosen, busy=busy)
    if job_id is not None and busy:
        live.follow(job_id)
    elif said:
        _of_another_model(job_id, chosen)
        result(said[-1])
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
