"""Time several teams in turn, round by round, and check every output on the way."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ramiel_core.agreement import agreement
from ramiel_core.ir import Run, Timeline
from ramiel_core.run.forked import Team
from ramiel_core.run.profile import computed_ms, operator_shares, warmed

WARM_UPS = 4
TRACES = 7
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
    """Run A B C, B A C, ...: whatever disturbs the host disturbs all of them.

    The order is drawn anew in each round, since who comes after one worker finds the other cores
    fallen asleep: a plan that was always there took up to 2 % longer than the same one elsewhere.

    Hosts change their speed by half and more within a minute, so costs that were measured before
    the rounds predict another host. Some teams are traced after each round as well, and their
    operators' costs are those of the very minutes in which everything was timed. After each: where
    a host has two speeds in turn, medians of half as many may lie on the other side of the half.

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
        Traced after each round as well, and not timed; then the first of `traced` has one worker.

    Returns
    -------
    runs : tuple of Run
        In the order of `teams`.
    cost_ms : dict
        By label and operator, from the traces (`operator_shares`); of `beside` under `BESIDE`.
        Those of a team of one worker add up to its median timed inference, since what a prediction
        is compared with is timed and not traced.
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
    labels, draw = list(teams), random.Random(0)  # noqa: S311 - an order, not a secret
    for done in range(1, repeats + 1):
        draw.shuffle(labels)
        for label in labels:
            team = teams[label]
            times[label].append(warmed(team).run())
            output = team.output()
            agrees, difference = agreement(output, reference, allowed[label])
            equal[label] &= agrees
            differences[label] = max(differences[label], difference)
        for label, team in followed.items():
            traces[label].append(warmed(team).trace())
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
    inference_ms = {
        label: statistics.median(times[label])
        for label in traced
        if teams[label].program.workers == 1
    }
    if beside is not None:  # beside what the first of them took at those same moments
        pairs = zip(traces[BESIDE], traces[traced[0]], strict=True)
        longer = statistics.median(computed_ms(many) / computed_ms(one) for many, one in pairs)
        inference_ms[BESIDE] = longer * inference_ms[traced[0]]
    return runs, {
        label: operator_shares(found, inference_ms.get(label)) for label, found in traces.items()
    }


def median_trace(team: Team) -> Timeline:
    """The traced inference of median makespan, of `TRACES`."""
    traces = sorted((team.trace() for _ in range(TRACES)), key=lambda t: t.makespan_ms)
    return traces[TRACES // 2]
