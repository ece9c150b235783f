"""What a benchmark found: runs, their statistics, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ramiel_core.ir.job import Job
from ramiel_core.ir.plan import Plan
from ramiel_core.ir.run import Run
from ramiel_core.ir.timeline import Timeline


@dataclass(frozen=True)
class Report:
    """What a benchmark found; `report.summarize.record` turns it into JSON."""

    model: str
    operators: int
    plan: Plan
    job: Job
    cost_model: str
    runs: tuple[Run, ...]  # sequential, parallel; more as cores and plan allow
    sequential_ms: float
    parallel_ms: float
    speedup: float
    speedup_ci: tuple[float, float]  # 95 %, bootstrap over rounds
    bound: float  # min(workers asked for, T1 / T-infinity), of whole operators
    equal: bool
    operator_ms: Mapping[str, float]  # of each alone, in the very minutes of the runs
    predicted: Timeline
    measured: Timeline  # the traced inference of median length
    verdict: str
    host: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    removed_constants: tuple[str, ...] = ()
    removed_repeats: tuple[str, ...] = ()
    removed_dead: tuple[str, ...] = ()
    cloned: tuple[str, ...] = ()  # clones by their own names
    split: Mapping[str, int] = field(default_factory=dict)  # operators in parts, and in how many
    crowding: Mapping[str, float] = field(default_factory=dict)  # as `operator_ms`; unnamed: 0
    crowd: int = 1  # workers side by side when `crowding` was measured; 1: it was not

    def run(self, label: str) -> Run | None:
        """The run with this label, if it was made."""
        return next((r for r in self.runs if r.label == label), None)
