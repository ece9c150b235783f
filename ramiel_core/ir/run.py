"""Timed inferences of a program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Timed inferences of one configuration."""

    label: str  # "sequential", "parallel", "threads"; at times "clusters", "eager"
    workers: int
    threads: int  # inside each operator
    times_ms: tuple[float, ...]
    equal: bool  # to the reference after every one of them: bit for bit, or within `tolerance`
    max_difference: float  # from it, the largest of all outputs and inferences
    tolerance: float = 0.0  # as a share of the largest value; 0 means bit for bit
    memory_bytes: int = 0  # of all its workers together (proportional set size)
    shared_bytes: int = 0  # for values that cross workers, or go to the caller
    apart_bytes: int = 0  # the same, if no two of these values used the same memory
