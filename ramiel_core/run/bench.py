"""Time several teams in turn, round by round, and check every output on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ramiel_core.ir import Run, Timeline
from ramiel_core.run.forked import Team
from ramiel_core.run.profile import GAP_S, operator_shares

WARM_UPS = 4
TRACES = 7
TRACE_EVERY = 2  # rounds
BESIDE = "beside"


def interleave(
    teams: Mapping[str, Team],
    reference: Any,
    repeats: int,
    tell: Callable[[int, Mapping[str, float]], None],
    tolerances: Mapping[str, float] | None = None,
    traced: Sequence[str] = ("sequential",),
    beside: Team | None = None,
) -> tuple[tuple[Run, ...], dict[str, dict[str, float]]]:
    """Run A B C, A B C, ...: whatever disturbs the host disturbs all of them.

    Hosts change their speed by half and more within a minute, so costs that were measured before
    the rounds predict another host. Some teams are traced between rounds as well, and their
    operators' costs are those of the very minutes in which everything was timed.

    Parameters
    ----------
    teams : mapping
        By label; each has run nothing yet.
    reference : nested tensors
        What the outputs must equal, bit for bit.
    repeats : int
        Rounds.
    tell : callable
        Gets the number of rounds done and each team's last time in ms.
    tolerances : mapping, optional
        By label, how far outputs may be from the reference, as a share of its largest value; 0,
        which is usual, asks for equal bits.
    traced : sequence of str
        Labels of teams whose operators' costs are wanted.
    beside : Team, optional
        Traced between rounds as well, and not timed.

    Returns
    -------
    runs : tuple of Run
        In the order of `teams`.
    cost_ms : dict
        By label and operator, from the traces (`operator_shares`); of `beside` under `BESIDE`.
    """
    allowed = {label: (tolerances or {}).get(label, 0.0) for label in teams}
    followed = {label: teams[label] for label in traced}
    if beside is not None:
        followed[BESIDE] = beside
    traces: dict[str, list[Timeline]] = {label: [] for label in followed}
    for team in {**teams, **followed}.values():
        for _ in range(WARM_UPS):
            team.run()
    times: dict[str, list[float]] = {label: [] for label in teams}
    differences = dict.fromkeys(teams, 0.0)
    equal = dict.fromkeys(teams, True)
    for done in range(1, repeats + 1):
        for label, team in teams.items():
            time.sleep(GAP_S)
            times[label].append(team.run())
            output = team.output()
            agrees, difference = agreement(output, reference, allowed[label])
            equal[label] &= agrees
            differences[label] = max(differences[label], difference)
        if done % TRACE_EVERY == 0 or done == repeats:
            for label, team in followed.items():
                time.sleep(GAP_S)
                traces[label].append(team.trace())
        tell(done, {label: found[-1] for label, found in times.items()})
    runs = tuple(
        Run(
            label=label,
            workers=team.program.workers,
            threads=team.threads,
            times_ms=tuple(times[label]),
            equal=equal[label],
            max_difference=differences[label],
            tolerance=allowed[label],
            memory_bytes=team.memory_bytes(),
            shared_bytes=team.program.layout.bytes,
            apart_bytes=team.program.layout.apart_bytes,
        )
        for label, team in teams.items()
    )
    return runs, {label: operator_shares(found) for label, found in traces.items()}


def median_trace(team: Team) -> Timeline:
    """The traced inference of median makespan, of `TRACES`."""
    traces = sorted((team.trace() for _ in range(TRACES)), key=lambda t: t.makespan_ms)
    return traces[TRACES // 2]


def agreement(output: Any, reference: Any, tolerance: float) -> tuple[bool, float]:
    """Whether an output is the reference's, and the largest difference as a share of its values."""
    if same_bits(output, reference):
        return True, 0.0
    if pytree.tree_structure(output) != pytree.tree_structure(reference):
        return False, float("inf")
    difference = largest_difference(output, reference)
    return tolerance > 0 and difference <= tolerance, difference


def same_bits(output: Any, reference: Any) -> bool:
    """Whether two nested outputs have equal structure, shapes, types and bits (NaN included)."""
    found, shape = pytree.tree_flatten(output)
    wanted, wanted_shape = pytree.tree_flatten(reference)
    return shape == wanted_shape and all(map(_same_tensor, found, wanted))


def largest_difference(output: Any, reference: Any) -> float:
    """Largest absolute difference of two nested outputs, as a share of the largest value."""
    pairs = zip(pytree.tree_leaves(output), pytree.tree_leaves(reference), strict=True)
    tensors = [(a, b) for a, b in pairs if isinstance(a, torch.Tensor) and a.numel()]
    return max((_difference(a, b) for a, b in tensors), default=0.0)


def _same_tensor(a: Any, b: Any) -> bool:
    if not isinstance(a, torch.Tensor):
        return bool(a == b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    plain = (t.resolve_conj().resolve_neg().contiguous().reshape(-1) for t in (a, b))
    return torch.equal(*(t.view(torch.uint8) for t in plain))


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Infinite where only one of two numbers is NaN or infinite, or the shapes differ."""
    if a.shape != b.shape:
        return math.inf
    wide = torch.complex128 if a.is_complex() else torch.float64
    a, b = a.to(wide), b.to(wide)
    other = (a != b) & ~(a.isnan() & b.isnan())
    gap = (a - b).abs()[other].nan_to_num(nan=math.inf)
    finite = b.abs()[b.isfinite()]
    scale = float(finite.max()) if finite.numel() else 0.0
    return float(gap.max()) / (scale or 1.0) if gap.numel() else 0.0
