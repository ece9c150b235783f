"""Runs -> Report: medians, a confidence interval for their ratio, and one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ramiel_core.bootstrap import ratio_of_medians
from ramiel_core.ir import Bar, Graph, Job, Plan, Report, Run, Step, Timeline
from ramiel_core.report.verdict import verdict

# Missing in records of older versions.
REWRITTEN = ("removed_constants", "removed_repeats", "removed_dead", "cloned")


def summarize(
    graph: Graph,
    plan: Plan,
    job: Job,
    *,
    runs: Sequence[Run],
    timelines: tuple[Timeline, Timeline],
    host: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> Report:
    """Everything a benchmark found, in one record.

    Parameters
    ----------
    graph, plan, job
        What ran, and as what.
    runs : sequence of Run
        "sequential" and "parallel" among them, timed in the same rounds.
    timelines : pair of Timeline
        Predicted and measured.
    host : mapping
        From `run.host.facts`.
    warnings : sequence of str
        Shown with the report.
    """
    by_label = {run.label: run for run in runs}
    sequential, parallel = by_label["sequential"], by_label["parallel"]
    speedup, interval = ratio_of_medians(sequential.times_ms, parallel.times_ms)
    asked = job.workers or plan.workers
    found: dict[str, Any] = {
        "model": graph.model,
        "operators": graph.operators,
        "plan": plan,
        "job": job,
        "cost_model": graph.cost_model,
        "runs": tuple(runs),
        "sequential_ms": float(np.median(sequential.times_ms)),
        "parallel_ms": float(np.median(parallel.times_ms)),
        "speedup": speedup,
        "speedup_ci": interval,
        "bound": _bound(plan, asked),
        "equal": sequential.equal and parallel.equal,
        "operator_ms": {node.name: node.cost_ms for node in graph.nodes},
        "crowding": {node.name: node.crowding for node in graph.nodes if node.crowding},
        "crowd": graph.crowd,
        "predicted": timelines[0],
        "measured": timelines[1],
        "host": host,
        "warnings": tuple(warnings),
        "removed_constants": graph.removed_constants,
        "removed_repeats": graph.removed_repeats,
        "removed_dead": graph.removed_dead,
        "cloned": graph.clones,
        "split": graph.split,
    }
    return Report(**found, verdict=verdict(Report(**found, verdict="")))


def _bound(plan: Plan, asked: int) -> float:
    """The most that a plan can gain whose operators are whole.

    Where some run wide, or several workers compute parts of one, the critical path does not bind.
    """
    if plan.wide:
        return plan.wide_threads / plan.threads
    return min(float(asked), plan.parallelism)


def quartiles_ms(run: Run) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of a run's times."""
    low, middle, high = np.percentile(run.times_ms, (25, 50, 75))
    return float(low), float(middle), float(high)


def record(report: Report) -> dict[str, Any]:
    """A report as JSON takes it, under the published keys."""
    plan = report.plan
    return {
        "model": report.model,
        "operators": report.operators,
        "workers": plan.workers,
        "workers_asked": report.job.workers,
        "threads": report.job.threads,
        "repeats": report.job.repeats,
        "signals": report.job.signals,
        "cost_model": report.cost_model,
        "sequential_ms": report.sequential_ms,
        "parallel_ms": report.parallel_ms,
        "speedup": report.speedup,
        "speedup_ci": list(report.speedup_ci),
        "predicted_ms": report.predicted.makespan_ms,
        "t1_ms": plan.t1_ms,
        "tinf_ms": plan.tinf_ms,
        "parallelism": plan.parallelism,
        "bound": report.bound,
        "equal": report.equal,
        "verdict": report.verdict,
        "clusters_linear": len(plan.linear),
        "clusters_merged": plan.fixpoint,
        "runs": [{**asdict(run), "quartiles_ms": list(quartiles_ms(run))} for run in report.runs],
        "operator_ms": dict(report.operator_ms),
        "crowding": dict(report.crowding),
        "crowd": report.crowd,
        "predicted": _timeline(report.predicted),
        "measured": _timeline(report.measured),
        "host": dict(report.host),
        "warnings": list(report.warnings),
        "removed_constants": list(report.removed_constants),
        "removed_repeats": list(report.removed_repeats),
        "removed_dead": list(report.removed_dead),
        "cloned": list(report.cloned),
        "split": dict(report.split),
        "job": asdict(report.job),
        "plan": asdict(plan),
    }


def report_from(found: Mapping[str, Any]) -> Report:
    """The Report that `record` wrote."""
    return Report(
        model=found["model"],
        operators=found["operators"],
        plan=_plan_from(found["plan"]),
        job=Job(**found["job"]),
        cost_model=found["cost_model"],
        runs=runs_from(found),
        sequential_ms=found["sequential_ms"],
        parallel_ms=found["parallel_ms"],
        speedup=found["speedup"],
        speedup_ci=tuple(found["speedup_ci"]),
        bound=found["bound"],
        equal=found["equal"],
        operator_ms=found["operator_ms"],
        predicted=timeline_from(found["predicted"]),
        measured=timeline_from(found["measured"]),
        verdict=found["verdict"],
        host=found["host"],
        warnings=tuple(found["warnings"]),
        crowding=found.get("crowding", {}),  # missing in records of older versions, too
        crowd=found.get("crowd", 1),
        split=found.get("split", {}),
        **{name: tuple(found.get(name, ())) for name in REWRITTEN},
    )


def _plan_from(found: Mapping[str, Any]) -> Plan:
    steps = [
        Step(**{**step, "spans": tuple(tuple(span) for span in step["spans"])})
        for step in found["steps"]
    ]
    chains = {k: tuple(map(tuple, found[k])) for k in ("clusters", "linear")}
    return Plan(
        **{
            **found,
            **chains,
            "steps": tuple(steps),
            "critical_path": tuple(found["critical_path"]),
            "wide": tuple(found.get("wide", ())),
        }
    )


def timeline_from(found: Mapping[str, Any]) -> Timeline:
    """The Timeline of a `record`'s "predicted" or "measured" entry."""
    return Timeline(tuple(Bar(*bar) for bar in found["bars"]), found["makespan_ms"])


def runs_from(found: Mapping[str, Any]) -> tuple[Run, ...]:
    """The Runs of a `record`."""
    runs = []
    for run in found["runs"]:
        fields: dict[str, Any] = {k: v for k, v in run.items() if k != "quartiles_ms"}
        runs.append(Run(**{**fields, "times_ms": tuple(run["times_ms"])}))
    return tuple(runs)


def _timeline(timeline: Timeline) -> dict[str, Any]:
    bars = [
        [b.worker, b.name, b.kind, round(b.start_ms, 4), round(b.end_ms, 4)] for b in timeline.bars
    ]
    return {"makespan_ms": timeline.makespan_ms, "bars": bars}
