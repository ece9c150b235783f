"""What a benchmark found, from its record: the verdict, its figures, and where they are from."""

from __future__ import annotations

import json
import statistics
from typing import Any

import streamlit as st

from pages.common import cards, table, timelines
from pages.common.table import Column
from ramiel_core.ir import Report, Run
from ramiel_core.report import tuned
from ramiel_core.report.summarize import report_from
from ramiel_core.view import speedup
from ramiel_core.words import plural, times

PLAIN = {"displayModeBar": False}
RUN_NAMES = {
    "sequential": "sequential",
    "parallel": "parallel clusters",
    "threads": "threads inside operators",
    "clusters": "clusters, none of it wide",
    "eager": "eager, one thread",
}
COLUMNS = {
    "configuration": Column("Configuration"),
    "workers": Column("Workers", "Processes, or threads, side by side.", "d"),
    "threads": Column("Threads each", "Inside every operator.", "d"),
    "inferences": Column("Inferences", "Timed ones.", ",d"),
    "median": Column("Median, ms", "", ",.3f"),
    "middle": Column("Middle half, ms", "From the lower quartile to the upper."),
    "all": Column("All, ms", "From the fastest inference to the slowest."),
    "memory": Column("Memory, MB", "Of all workers, shared pages counted once.", ",.1f"),
    "output": Column("Output", "Beside the reference’s."),
}


def show(record: dict[str, Any]) -> None:
    """Show a benchmark's record, the verdict first."""
    report = report_from(record)
    cards.verdict(report.verdict, good=report.speedup_ci[0] > 1 and report.plan.workers > 1)
    for warning in (*report.warnings, *disturbed(report)):
        cards.note(cards.sentence(warning), "warning")
    equality(report)
    imported(record.get("import_check"))
    if "weights" in record:
        cards.sub(" ".join(record["weights"]["said"]))
    numbers(report)
    left, right = st.columns(2)
    with left:
        st.subheader("Speedup over sequential")
        cards.sub(f"Dashed: {bound_is(report)}.")
        st.plotly_chart(speedup.speedup(report), config=PLAIN)
    with right:
        st.subheader("Latency of each inference")
        cards.sub("Every point is one timed inference; the box holds the middle half.")
        st.plotly_chart(speedup.latencies(report.runs), config=PLAIN)
    timelines.show(report, record)
    st.subheader("All runs")
    table.show(COLUMNS, [row(run) for run in report.runs], "All runs")
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


def bound_is(report: Report) -> str:
    """What the bound of a speedup rests on."""
    if report.plan.wide:
        return "the cores of the plan, which runs some operators with all of them"
    return "the most that this graph allows to so many workers" + (
        ", its operators whole" if report.split else ""
    )


def disturbed(report: Report) -> list[str]:
    """Say so where other work ran beside the benchmark, as far as the load tells."""
    load, cores = report.host["load_1min"], report.host["cores"]
    if load <= cores + 0.5:  # the benchmark itself keeps the cores busy
        return []
    busy = f"a load of {load:.1f} on {plural(cores, 'core')}"
    return [f"Other work was running: {busy}. Times are unsure; run it again on a quiet host."]


def equality(report: Report) -> None:
    """Say whether every output was the reference's: bit for bit, or how near."""
    compared = [run for run in report.runs if run.label in ("sequential", "parallel")]
    total = sum(len(run.times_ms) for run in compared)
    tolerance = max(run.tolerance for run in compared)
    difference = max(run.max_difference for run in compared)
    if report.equal and tolerance == 0:
        cards.note(f"Bit for bit equal in {total} of {total} inferences.", "good")
    elif report.equal:
        cards.note(
            f"Within {tolerance:g} of eager in {total} of {total} inferences, largest difference "
            f"{difference:.2g}; both as shares of the largest output.",
            "good",
        )
    else:
        wrong = " and ".join(run.label for run in compared if not run.equal)
        allowed = f", where {tolerance:g} is allowed" if tolerance else ""
        cards.note(
            f"Outputs differ from the reference in the {wrong} runs, by up to {difference:.3g} of "
            f"the largest output{allowed}: do not trust these times, and please report this model.",
            "error",
        )


def imported(check: dict[str, Any] | None) -> None:
    """Say how an imported file's outputs compare with ONNX Runtime's, if there was a file."""
    if check is None:
        return
    if "error" in check:
        cards.note(f"The import could not be compared: {check['error']}", "warning")
    else:
        cards.note(
            f"Imported rightly: outputs are within {check['max_difference']:.1g} of ONNX Runtime's "
            f"on the same file, of {check['tolerance']:g} allowed; both as shares of the largest.",
            "good",
        )


def agreement(run: Run) -> str:
    """How one run's outputs compare with the reference, in a few words."""
    if run.equal and run.tolerance == 0:
        return "bit-equal"
    if run.equal:
        return f"within {run.tolerance:g} (by {run.max_difference:.1g})"
    return f"differs by {run.max_difference:.2g}"


def numbers(report: Report) -> None:
    """Show the figures that the verdict rests on."""
    low, high = report.speedup_ci
    predicted, workers = report.predicted.makespan_ms, report.plan.workers
    parallel = ("Parallel", f"Median time of one inference with {workers} workers.")
    if workers == 1:
        parallel = (
            "As planned: sequential",
            "The plan is sequential, so this is the same program again: any difference is noise.",
        )
    if report.plan.wide:
        threads = report.plan.wide_threads
        parallel = (
            "Moldable" if report.plan.mixed else "As planned: all threads",
            (
                f"Median time of one inference where {len(report.plan.wide)} of {report.operators} "
                f"operators run alone with {threads} threads, the others on "
                f"{plural(workers, 'worker')}."
            ),
        )
    cards.figures(
        (
            "Sequential",
            cards.ms(report.sequential_ms),
            "Median time of one inference with one worker.",
        ),
        (parallel[0], cards.ms(report.parallel_ms), parallel[1]),
        (
            "Speedup",
            times(report.speedup),
            (
                "Sequential over parallel, and the range in which it lies with 95 % certainty "
                "(bootstrap over rounds)."
            ),
            f"95 %: {low:.2f} to {high:.2f}",
        ),
        (
            "Bound",
            times(report.bound),
            (
                "A moldable plan is bound by its cores alone."
                if report.plan.wide
                else "The smaller of the number of workers and T1/T∞: no plan of whole operators "
                "can gain more."
            ),
            f"{100 * report.speedup / report.bound:.0f} % reached",
        ),
        (
            f"Predicted · {report.cost_model}",
            cards.ms(predicted),
            (
                "Time of one parallel inference as simulated from measured operator costs, and how "
                "far the measured median lies from it."
            ),
            f"measured {100 * report.parallel_ms / predicted - 100:+.0f} %",
        ),
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
        "threads": run.threads,
        "inferences": len(run.times_ms),
        "median": middle,
        "middle": f"{low:,.3f} to {high:,.3f}",
        "all": f"{min(run.times_ms):,.3f} to {max(run.times_ms):,.3f}",
        "memory": run.memory_bytes / 1e6,
        "output": agreement(run),
    }


def shared_memory(report: Report) -> str:
    """How much values between workers take, and would take; empty in records without it."""
    run = report.run("parallel")
    if run is None or not run.apart_bytes:
        return ""
    taken, apart = cards.size(run.shared_bytes), cards.size(run.apart_bytes)
    return f"{taken} for values between workers; {apart} if each had memory of its own"


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
                "Kernels": tuned.KERNEL_NAMES.get(job.kernels, job.kernels),
                "Planner": report.plan.planner or job.planner,
                "Run-time": "one process" if job.runtime == "threads" else "processes",
                "Workers asked for": "automatic" if job.workers is None else str(job.workers),
                "Threads each": str(job.threads),
                "Signals": job.signals,
                "Shared memory": shared_memory(report),
                "Versions": ", ".join(
                    f"{name} {facts[name]}" for name in ("python", "torch", "torchvision", "numpy")
                ),
            }
        )
