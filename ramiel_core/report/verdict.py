"""What a benchmark means, in plain sentences: faster or not, why, and what is fastest here."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from ramiel_core.ir import KERNELS, MOLDABLE, Graph, Plan, Report
from ramiel_core.words import plural, times

NOISE = 0.02
"""Ratios nearer to 1 than this are called equal, whatever their interval."""

TOO_WIDE = 0.15
"""A confidence interval wider than this, with 1 in it or near it, says nothing either way."""

MIXING = KERNELS[:2]  # whose operators may each have threads of their own number


def verdict(report: Report) -> str:
    """Whether parallel pays on this model and host, and why (not), for a reader in a hurry."""
    said = _tuned(report), _parallel(report), _fastest(report), _mixed(report)
    return " ".join(filter(None, said))


def expectation(graph: Graph, plan: Plan, cores: int) -> str:
    """What to expect before anything was measured, from the graph alone.

    Parameters
    ----------
    graph, plan
        The plan for as many workers as would run.
    cores : int
        Of this host.
    """
    name, parallelism = graph.model, plan.parallelism
    if len(plan.linear) == 1:
        return (
            f"{name} is one chain of {graph.operators} operators: each needs the one before it, so "
            f"nothing can run side by side. Expect no gain from workers, only from threads."
        )
    if plan.rejected_makespan_ms is not None or plan.workers == 1:
        return (
            f"{name} has branches, but nearly all of its time lies on one path (T1/T∞ = "
            f"{parallelism:.2f}): expect sequential to be as fast as any parallel plan."
        )
    if cores == 1:
        return f"{name} could gain up to {times(parallelism)}, but this host has only one core."
    predicted = plan.t1_ms / plan.makespan_ms
    if graph.split:
        return (
            f"Expect about {times(predicted)} from {plan.workers} workers, with "
            f"{_poolings(len(graph.split))} cut into parts among them: whole operators could gain "
            f"{times(parallelism)} at most, since {1 / parallelism:.0%} of the work lies on the "
            f"critical path."
        )
    return (
        f"Expect about {times(predicted)} from {plan.workers} workers: {1 / parallelism:.0%} of "
        f"the work lies on the critical path, so no number of workers can beat "
        f"{times(parallelism)} as long as operators stay whole."
    )


def _named(report: Report) -> str:
    """The model, and the kernels that both sides of the comparison ran where not eager's."""
    kernels = report.job.kernels
    return report.model if kernels == "eager" else f"{report.model} with {kernels} kernels"


def _tuned(report: Report) -> str:
    """What a tuner's choice, benchmarked again, gains over what goes without one."""
    ms = _medians_ms(report)
    an_end = report.job.planner == MOLDABLE and not report.plan.mixed  # of what the tuner chose
    if not report.job.tuned or "eager" not in ms or an_end:
        return ""
    return (
        f"What the tuner chose, {report.job.kernels} kernels with "
        f"{plural(report.plan.workers, 'worker')} of {plural(report.job.threads, 'thread')}, takes "
        f"{ms['parallel']:.1f} ms, {times(ms['eager'] / ms['parallel'])} as fast as eager kernels "
        f"on one thread."
    )


def _parallel(report: Report) -> str:
    plan, name = report.plan, _named(report)
    if plan.workers == 1:
        return _all_wide(report) if plan.wide else _sequential(report)
    low, high = report.speedup_ci
    said = f"{times(report.speedup)} (95 % interval {low:.2f} to {high:.2f})"
    if report.speedup > 1 + NOISE and low > 1:
        return f"{plan.workers} workers run {name} {said} as fast as one, {_beside_bound(report)}."
    if report.speedup < 1 - NOISE and high < 1:
        return f"Parallel is slower on {name}: {said}. {_why(report)}"
    if high - low > TOO_WIDE:
        return (
            f"Too noisy to tell whether parallel pays on {name}: {said}. Run more repeats, with "
            f"nothing else running."
        )
    return (
        f"Parallel makes no difference beyond noise on {name}: {said}; at most "
        f"{times(report.bound)} would be possible{' with whole operators' * bool(report.split)}. "
        f"{_why(report)}"
    )


def _beside_bound(report: Report) -> str:
    """How much of the possible was reached; parts of operators are not bound to that."""
    if report.split:
        return (
            f"with {_poolings(len(report.split))} cut into parts among them; whole operators "
            f"could gain {times(report.bound)} at most"
        )
    reached = report.speedup / report.bound
    return f"{reached:.0%} of the most that is possible ({times(report.bound)})"


def _poolings(count: int) -> str:
    return f"{count} slow pooling{'s' * (count != 1)}"


def _all_wide(report: Report) -> str:
    """A moldable plan that found no section worth more than one worker."""
    (low, high), plan = report.speedup_ci, report.plan
    every = f"{len(plan.wide)} operators run" if plan.mixed else "every operator runs"
    said = (
        f"No clusters side by side beat threads alone on {_named(report)}: {every} alone with "
        f"{plan.wide_threads} threads, {times(report.speedup)} (95 % interval {low:.2f} to "
        f"{high:.2f}) as fast as with {plan.threads}."
    )
    if plan.mixed or report.run("threads") is None:
        return said
    return f"{said} “threads” runs the very same: what lies between the two is noise."


def _sequential(report: Report) -> str:
    """Why the plan has one worker."""
    plan, name = report.plan, _named(report)
    if report.job.workers == 1 and report.job.tuned:
        return f"One worker of that kind was faster than all plans of several on {name}."
    if len(plan.linear) == 1:
        return (
            f"Parallel does not pay on {name}, and Ramiel runs it sequentially: its "
            f"{report.operators} operators form one chain (T1/T∞ = {plan.parallelism:.2f}), each "
            f"waiting for the one before, so there is nothing to run side by side."
        )
    if plan.rejected_makespan_ms is not None:
        return (
            f"Ramiel runs {name} sequentially: the best parallel plan is predicted at "
            f"{times(plan.t1_ms / plan.rejected_makespan_ms)}, because "
            f"{plan.tinf_ms / plan.t1_ms:.0%} of the work lies on one path "
            f"(T1/T∞ = {plan.parallelism:.2f})."
        )
    if report.job.workers == 1:
        return f"One worker was asked for, so {name} ran sequentially."
    return (
        f"Parallel does not pay on {name}, and Ramiel runs it sequentially: its branches never "
        f"overlap in time, so one worker does them all in turn."
    )


def _why(report: Report) -> str:
    """The largest loss against the prediction, from the traced inference."""
    measured, predicted = report.measured, report.predicted
    lost = {
        "operators ran slower side by side than alone": measured.total_ms("compute")
        - report.plan.t1_ms,
        "copying values between workers took longer than predicted": measured.total_ms("copy")
        - predicted.total_ms("copy"),
        "workers waited for each other": measured.total_ms("wait") - predicted.total_ms("wait"),
    }
    cause, ms = max(lost.items(), key=lambda item: item[1])
    crowd = report.job.threads * report.plan.workers > int(report.host["cores"])
    if crowd:
        return "Workers and threads outnumber the cores, so they take turns."
    if busy := was_busy(report.host):
        return f"{busy}: try again when it is idle."
    if ms <= 0:
        return "The gain is too small to be seen."
    return f"The main reason: {cause} ({ms:.1f} ms over all workers)."


def was_busy(host: Mapping[str, Any], own_load: float = 0.0) -> str:
    """That others kept the host busy, in words; "" where they did not.

    `own_load` is what whoever asks brings itself, beyond that of all cores.
    """
    load, cores = float(host["load_1min"]), int(host["cores"])
    if load <= cores + own_load:
        return ""
    return f"The host was busy (load {load:.1f} on {cores} cores)"


def _fastest(report: Report) -> str:
    """Which of everything that was timed a user should take, by its median."""
    found, alone = _medians_ms(report), report.plan.workers == 1
    names = {
        "sequential": "one worker",
        "parallel": "one worker by this plan" if alone else f"{report.plan.workers} workers",
        "threads": "more threads inside each operator",
        "clusters": "clusters that are never wide",
        "eager": "eager kernels on one thread",
    }
    if alone and not report.plan.mixed:  # the same program as another, timed twice
        found.pop("parallel", None)
    best, *others = sorted(found, key=found.__getitem__)
    if not others:
        return ""
    told = ", ".join(f"{found[label]:.1f} ms with {names[label]}" for label in others)
    if found[others[0]] < found[best] * (1 + NOISE):
        return f"Fastest here, by less than noise: {names[best]}, {found[best]:.1f} ms; {told}."
    return f"Fastest here: {names[best]}, {found[best]:.1f} ms; {told}."


def _mixed(report: Report) -> str:
    """Where workers and threads both pay, that there are plans of both."""
    found = _medians_ms(report)
    enough = found["sequential"] * (1 - NOISE)
    if (
        report.plan.workers == 1
        or report.job.planner == MOLDABLE
        or report.job.kernels not in MIXING
        or max(found["parallel"], found.get("threads", enough)) >= enough
    ):
        return ""
    return "Workers and threads both pay here: the planner moldable mixes them."


def _medians_ms(report: Report) -> dict[str, float]:
    return {run.label: statistics.median(run.times_ms) for run in report.runs}
