"""A benchmark's JSON record, back as the Report that figures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ramiel_core.ir import Job, Plan, Report, Timeline
from ramiel_core.report.summarize import runs_from, timeline_from


def report_from(found: Mapping[str, Any]) -> Report:
    """Rebuild a report from its record.

    Its plan holds what the record keeps of it: clusters in run order, T1, T-infinity and the
    prediction; no chains and no merge steps.

    Parameters
    ----------
    found : Mapping
        From `ramiel_core.report.summarize.record`, perhaps by way of a file.
    """
    predicted = timeline_from(found["predicted"])
    plan = Plan(
        clusters=_clusters(predicted),
        fixpoint=found["clusters_merged"],
        t1_ms=found["t1_ms"],
        tinf_ms=found["tinf_ms"],
        makespan_ms=found["predicted_ms"],
    )
    job = Job(
        found["model"],
        workers=found["workers_asked"],
        threads=found["threads"],
        repeats=found["repeats"],
        signals=found["signals"],
    )
    same = ("model", "operators", "cost_model", "sequential_ms", "parallel_ms", "speedup", "bound")
    low, high = found["speedup_ci"]
    return Report(
        **{name: found[name] for name in same},
        plan=plan,
        job=job,
        runs=runs_from(found),
        speedup_ci=(low, high),
        equal=found["equal"],
        predicted=predicted,
        measured=timeline_from(found["measured"]),
        verdict=found["verdict"],
        host=found["host"],
        warnings=tuple(found["warnings"]),
    )


def _clusters(timeline: Timeline) -> tuple[tuple[str, ...], ...]:
    """Operators of each worker, in the order in which it computes them."""
    workers: dict[int, list[str]] = {}
    for bar in sorted(timeline.bars, key=lambda bar: bar.start_ms):
        if bar.kind == "compute":
            workers.setdefault(bar.worker, []).append(bar.name)
    return tuple(tuple(workers[number]) for number in sorted(workers))
