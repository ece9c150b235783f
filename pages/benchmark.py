"""The benchmark: settings, a run in a launcher of its own, and what it found."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.common import address, cards, choice, frame, kept, live, result
from pages.common.gantt_component import gantt_view
from ramiel_core import outcomes, pipeline
from ramiel_core.ir import AUTO, KERNELS, MOLDABLE, Configuration, Graph, Job
from ramiel_core.plan.exact import largest_section
from ramiel_core.plan.planner import DEFAULT, PLANNERS
from ramiel_core.report import tuned
from ramiel_core.run import host, jobs
from ramiel_core.words import plural, times

MOST_REPEATS = 1000
SIGNALS = {"fast": "semaphore", "queue": "queue"}
CONTROLS = ("kernels", "planner", "runtime", "workers", "threads", "repeats", "signals")
KERNELS_SAY = {
    "eager": "torch's own operators, one by one, as the model's code calls them. With one "
    "thread each, outputs are equal bit for bit.",
    "fused": "operator by operator, with batch norms folded into convolutions, activations and "
    "additions fused into them, compiled by oneDNN, inside torch, for the thread count.",
    "onednn": "what a worker does between two messages is one graph of oneDNN, inside torch, with "
    "weights frozen in. Needs nothing but torch.",
    "inductor": "what a worker does between two messages is compiled to C++ by torch.compile, "
    "weights frozen in. Needs g++, and half a minute or more before the first inference.",
    "onnxruntime": "what a worker does between two messages is one ONNX graph, run by ONNX "
    "Runtime.",
    "openvino": "what a worker does between two messages is one ONNX graph, run by OpenVINO.",
    AUTO: "whatever the page Tune found to be fastest here: kernels, planner, run-time, workers "
    "and threads. Where nothing was found yet, it tunes first: a minute or two.",
}
RUNTIMES_SAY = {
    "processes": "a process for each worker; values are copied through shared memory",
    "threads": "one process with a thread for each worker: no copies, but Python itself runs one "
    "thread at a time",
}


def asked_for(chosen: choice.Choice, followed: live.Followed | None) -> Configuration:
    """What the address asks for; where it is silent, what the job that it names ran.

    Workers: 0 means as many as pay.
    """
    job = followed.job if followed else Job(chosen.model)
    return Configuration(
        chosen.kernels or job.kernels,
        chosen.planner or (DEFAULT if job.plan else job.planner),
        "threads" if (chosen.runtime or job.runtime) == "threads" else "processes",
        chosen.workers or 0,
        chosen.threads or min(job.threads, choice.MOST_THREADS),
    )


def settings(model: str, graph: Graph, asked: Configuration, *, busy: bool) -> Job:
    """Let the user choose what to run, warn of what will disturb it, and start it."""
    above, below = (
        st.columns(4, vertical_alignment="bottom"),
        st.columns(4, vertical_alignment="bottom"),
    )
    settled = asked.kernels == AUTO  # by the tuner
    _configuration(above, asked, settled=settled)
    _rounds(below[1:3], asked, below[0], settled=settled)
    job = shown(model)
    refused = refusal(job, graph)
    below[3].button(
        "Run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=busy or bool(refused),
        on_click=_start,
        args=(model,),
        width="stretch",
        help="Runs the model in processes of their own.",
    )
    _explain(job)
    if refused:
        cards.note(refused, "error")
    elif not settled:
        _warn(job, len(host.cores()))
    return job


def _configuration(columns: list[DeltaGenerator], asked: Configuration, *, settled: bool) -> None:
    """Kernels, planner, run-time and workers; the address remembers them."""
    told = "\n\n".join(f"**{name}**: {says}" for name, says in KERNELS_SAY.items())
    columns[0].selectbox(
        "Kernels",
        [*KERNELS, AUTO],
        help=f"What computes the operators.\n\n{told}",
        **address.mirror(address.KERNELS, asked.kernels, "bench-kernels"),
    )
    columns[1].selectbox(
        "Planner",
        choice.planners(),
        disabled=settled,
        help="Who decides which worker runs what; the page Planners compares them. "
        f"**{MOLDABLE}**: {choice.MOLDABLE_SAYS}",
        **address.mirror(address.PLANNER, asked.planner, "bench-planner"),
    )
    columns[2].segmented_control(
        "Run-time",
        list(RUNTIMES_SAY),
        required=True,
        disabled=settled,
        help="\n\n".join(f"**{name}**: {says}." for name, says in RUNTIMES_SAY.items()),
        **address.mirror(address.RUNTIME, asked.runtime, "bench-runtime"),
    )
    most = max(2 * len(host.cores()), 8, asked.workers)
    columns[3].selectbox(
        "Workers",
        range(most + 1),
        disabled=settled,
        format_func=lambda n: str(n) if n else "automatic: as many as pay",
        help="Processes, or threads, that run clusters side by side.",
        **address.mirror(address.WORKERS, asked.workers, "bench-workers"),
    )


def _rounds(
    columns: list[DeltaGenerator], asked: Configuration, first: DeltaGenerator, *, settled: bool
) -> None:
    """Threads, mirrored by the address; repeats and signals, as `remember` put them first."""
    first.number_input(
        "Threads",
        1,
        choice.MOST_THREADS,
        disabled=settled,
        help="Inside each operator, in each worker.",
        **address.mirror(address.THREADS, asked.threads, "bench-threads"),
    )
    columns[0].number_input(
        "Repeats",
        1,
        MOST_REPEATS,
        key="bench-repeats",
        persist_state="session",
        help="Inferences of each configuration, taken in turns so that both meet the same "
        "disturbances.",
    )
    columns[1].segmented_control(
        "Signals",
        list(SIGNALS),
        required=True,
        key="bench-signals",
        persist_state="session",
        format_func=SIGNALS.__getitem__,
        help="How workers tell each other that a value is ready: a semaphore (fast), or the "
        "published way, a queue of integers, to compare.",
    )


def shown(model: str) -> Job:
    """What the controls show, once they are there."""
    values = {name: st.session_state[f"bench-{name}"] for name in CONTROLS}
    values["workers"] = values["workers"] or None
    wanted = choice.read()
    clonable = values["kernels"] in ("eager", "fused") and values["planner"] != MOLDABLE
    return Job(
        model,
        "bench",
        **values,
        **asdict(wanted.rewrites),
        split=wanted.split,
        clone=wanted.clone and clonable,
        **wanted.loading,
    )


def _start(model: str) -> None:
    """What is shown is read here: a click may come before the page has met the last change."""
    live.start(shown(model))


def _explain(job: Job) -> None:
    """Say in a sentence what the chosen kernels are, and what `auto` will be."""
    found = outcomes.tuned_for(job.model) if job.kernels == AUTO else None
    if found:
        cards.sub(f"auto: {tuned.in_words(found['winner'])}, as the page Tune found.")
    else:
        cards.sub(f"{job.kernels}: {KERNELS_SAY[job.kernels]}")


def refusal(job: Job, graph: Graph) -> str:
    """Why this cannot run at all, or nothing; fused graphs are smaller, and say so themselves."""
    if job.planner == MOLDABLE and job.kernels in pipeline.LIBRARIES and job.workers != 1:
        return (
            f"The moldable planner changes the thread count from section to section, which "
            f"{tuned.KERNEL_NAMES[job.kernels]} cannot: choose eager or fused kernels, or another "
            f"planner."
        )
    planner = PLANNERS.get(job.planner)
    if planner is None or job.kernels in ("fused", AUTO) or not planner.refuses(graph):
        return ""
    return (
        f"The planner {job.planner} takes sections of at most {planner.most_operators} operators, "
        f"and {graph.model} has one of {largest_section(graph)}: choose another planner."
    )


def unfit(job: Job) -> list[str]:
    """Which settings do nothing beside the others, each in a sentence."""
    found = []
    if job.workers == 1:
        if job.planner == MOLDABLE:
            found.append(
                "The moldable planner shares the cores between wide sections and workers side by "
                "side: with one worker there is nothing to share, and the model runs sequentially. "
                "Choose 2 workers or more."
            )
        elif job.planner != DEFAULT or job.runtime == "threads":
            found.append("With one worker, planner and run-time make no difference.")
    if job.runtime == "threads" and job.workers != 1 and job.kernels in pipeline.LIBRARIES:
        found.append(
            f"{tuned.KERNEL_NAMES[job.kernels]} keeps threads of its own for each worker; in one "
            f"process they share its cores. It runs, but processes are the usual choice."
        )
    return found


def _warn(job: Job, cores: int) -> None:
    for sentence in unfit(job):
        cards.note(sentence, "warning")
    workers = job.workers or 1
    if workers > cores:
        cards.note(
            f"{workers} workers on {plural(cores, 'core')}: workers will take turns, and "
            f"parallel will look slower than it is. It runs all the same.",
            "warning",
        )
    elif workers * job.threads > cores:
        cards.note(
            f"Oversubscribed: {plural(workers, 'worker')} × "
            f"{plural(job.threads, 'thread')} on {plural(cores, 'core')}. Threads "
            f"will take turns, and times will be longer. It runs all the same.",
            "warning",
        )


def remember(job: Job) -> None:
    """Begin with the rounds and signals of a job that was started elsewhere, or before F5."""
    st.session_state.setdefault("bench-repeats", min(job.repeats, MOST_REPEATS))
    st.session_state.setdefault("bench-signals", job.signals)


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
    followed = live.named("bench", "profile")
    remember(followed.job if followed else Job(chosen.model))
    busy = followed is not None and followed.busy
    job = settings(chosen.model, graph, asked_for(chosen, followed), busy=busy)
    if followed is None:
        cards.note(
            "Nothing measured yet. Press Run: it takes from some seconds to a minute, in processes "
            "of their own. You may leave the page; its address finds the benchmark again."
        )
        forecast(graph, job)
    elif busy:
        live.follow(followed.job_id)
    else:
        live.of_another_model(followed, chosen.model)
        outcome(followed.said[-1])


def forecast(graph: Graph, job: Job) -> None:
    """Show what is predicted for these settings, before anything runs."""
    if job.kernels == AUTO or job.planner == MOLDABLE or refusal(job, graph):
        return  # the tuner's own, or costs at two thread counts: both are measured first
    st.subheader("What is predicted")
    if job.workers is None:
        plan = kept.best_plan(graph, job.threads)
        if job.planner != DEFAULT:
            plan, _ = kept.timed_plan(graph, plan.workers, job.planner)
    else:
        plan, _ = kept.timed_plan(graph, job.workers, job.planner)
    gain = plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0
    sequential = plan.workers == 1 or plan.rejected_makespan_ms is not None
    kernels = "" if job.kernels == "eager" else " Costs are those of eager kernels."
    cards.sub(
        f"Sequential: no plan for more workers is predicted to be faster.{kernels}"
        if sequential
        else f"{plural(plan.workers, 'worker')}, {times(gain)} as fast as one, by the "
        f"“{graph.cost_model}” cost model.{kernels} Running it measures real costs first."
    )
    if graph.cost_model != "unit":
        gantt_view({"predicted": pipeline.timeline_of(graph, plan)}, key="gantt")


main()
