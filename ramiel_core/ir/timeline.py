"""One inference in time: predicted of a plan, or measured of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BarKind = Literal["compute", "copy", "wait", "dispatch"]
"""`dispatch`: the worker wakes, Python gets to the next line, or the thread count changes."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What one worker did, or is predicted to do, from one instant to another."""

    worker: int
    name: str  # the operator computed, copied out, waited for or got to
    kind: BarKind
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """One inference, predicted or measured; time 0 is its start."""

    bars: tuple[Bar, ...]
    makespan_ms: float

    def total_ms(self, kind: BarKind, worker: int | None = None) -> float:
        """Time spent on `kind`, by one worker or by all."""
        return sum(
            b.end_ms - b.start_ms
            for b in self.bars
            if b.kind == kind and (worker is None or b.worker == worker)
        )
