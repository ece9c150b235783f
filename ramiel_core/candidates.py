"""What a tuner tries on a model, in which order, and what it need not try."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import Any

from ramiel_core.ir import KERNELS, MOLDABLE, Configuration
from ramiel_core.kernels.tolerance import tolerance_of
from ramiel_core.pipeline import LIBRARIES, weigh
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run import host
from ramiel_core.run.tune import (
    HOPELESS,
    Candidate,
    Entrant,
    NotTriedError,
    Room,
    Standing,
    fastest,
)
from ramiel_core.workshop import Built, Tell, Workshop

COMPILE_S = 0.4  # of inductor, for an operator that it has not compiled before, on such a core
PLANNERS_TRIED = ("ramiel", "heft")
TORCH_KERNELS = ("eager", "fused")  # whose operators run one by one
BUILDING_SHARE = 2 / 3  # of the budget, after which no plan for several workers is begun

CANNOT_WIN = "even if its workers never waited, it would take longer than the fastest."
SLOW_PLAN = "its plan is predicted to take over a quarter longer than the fastest."
NO_PLAN = "no plan for several workers is predicted to be faster than one worker."
TOO_LONG = "compiling {} operators takes some {:.0f} s; a budget of {:.0f} s would try it."
NO_TIME = "most of the budget was spent; more seconds would try it."


def race(
    workshop: Workshop, budget_s: float, tell: Tell, kernels: Sequence[str] = KERNELS
) -> list[dict[str, Any]]:
    """Time all configurations of some kernel families that could be fastest; the fastest first.

    First every family alone with every thread count (inductor at all cores, and where the budget
    allows), so that the winner is never slower than any of these; what does not fit into the
    memory that is left is told, and not tried. Then plans for several workers, those of fast
    families first. Left out is what cannot win: a plan on K workers takes at least a K-th of what
    one worker takes, and is not expected to beat its prediction by a quarter. Of several planners
    the one of the best prediction enters.

    Parameters
    ----------
    workshop : Workshop
        Builds them.
    budget_s : float
        For everything together, roughly: families alone are tried however long it takes, and so is
        the most promising plan.
    tell : callable
        Gets stages and standings.
    kernels : sequence of str
        Families to try.

    Returns
    -------
    list of dict
        Standings (`run.tune.Standing`) with their `configuration`.
    """
    return _Field(workshop, budget_s, tell, kernels).race()


def affordable(c: Configuration, operators: int, budget_s: float) -> bool:
    """Whether a tuner has the time to build this: inductor compiles for longer than others race.

    So only the whole model at all cores, and where compiling takes no more than half the budget.
    """
    if c.kernels != "inductor":
        return True
    whole = c.workers == 1 and c.threads == len(host.cores())
    return whole and COMPILE_S * operators <= budget_s / 2


class _Field:
    """The candidates of one race, who know how the others stand."""

    def __init__(
        self, workshop: Workshop, budget_s: float, tell: Tell, kernels: Sequence[str]
    ) -> None:
        self.workshop, self.budget_s, self.tell = workshop, budget_s, tell
        self.builds_until = time.monotonic() + BUILDING_SHARE * budget_s
        self.standings: dict[str, Standing] = {}
        self.began_side_by_side = False
        self.configurations: dict[str, Configuration] = {}
        self.candidates: list[Candidate] = []
        operators = len(workshop.parcel.graph)
        for c in _alone(host.thread_counts(), kernels):
            if affordable(c, operators, math.inf):
                self._add(c, Candidate(str(c), partial(self._open_alone, c)))
        for options in _side_by_side(host.thread_counts(), kernels):
            if affordable(c := options[0], operators, budget_s):
                opened = partial(self._open_side_by_side, options)
                self._add(c, Candidate(str(c), opened, partial(self._promise, c)))

    def _add(self, c: Configuration, candidate: Candidate) -> None:
        self.configurations[candidate.label] = c
        self.candidates.append(candidate)

    def race(self) -> list[dict[str, Any]]:
        def told(now: Sequence[Standing]) -> None:
            self.standings = {standing.label: standing for standing in now}
            self.tell("standings", rows=list(map(self._row, now)))

        ranked = fastest(self.candidates, self.workshop.parcel.reference, self.budget_s, told)
        return list(map(self._row, ranked))

    def _row(self, standing: Standing) -> dict[str, Any]:
        return {**asdict(standing), "configuration": asdict(self.configurations[standing.label])}

    def _alone(self, c: Configuration) -> Standing | None:
        """How one worker of the same kernels and threads stands, if it has run."""
        standing = self.standings.get(str(Configuration(c.kernels, threads=c.threads)))
        return standing if standing is not None and standing.ratio_ci is not None else None

    @cached_property
    def path_share(self) -> float:
        """T∞ / T1 by operations: measured costs may not be worth measuring."""
        plan = sequential_plan(weigh(self.workshop.parcel.graph, "flops"))
        return plan.tinf_ms / plan.t1_ms if plan.t1_ms else 1.0

    def _promise(self, c: Configuration) -> float:
        alone = self._alone(c)
        return (alone.ratio or 1.0) * max(1 / c.workers, self.path_share) if alone else 1.0

    def _at_once(self, c: Configuration) -> int:
        """Processes that opening it takes: its own, or those that measure what it is planned by."""
        return max(_processes(c), self.workshop.measuring(c))

    def _open_alone(self, c: Configuration, room: Room) -> Entrant:
        operators = len(self.workshop.parcel.graph)
        if not affordable(c, operators, self.budget_s):
            takes_s = COMPILE_S * operators
            raise NotTriedError(TOO_LONG.format(operators, takes_s, 2 * takes_s))
        room(self._at_once(c))
        self.tell("stage", text=f"Building {c}")
        return self._entrant(self.workshop.build(c))

    def _open_side_by_side(self, options: Sequence[Configuration], room: Room) -> Entrant:
        alone = self._alone(options[0])
        low = alone.ratio_ci[0] if alone and alone.ratio_ci else 0.0
        if low > options[0].workers:
            raise NotTriedError(CANNOT_WIN)
        if self.began_side_by_side and time.monotonic() > self.builds_until:
            raise NotTriedError(NO_TIME)
        room(self._at_once(options[0]))
        self.began_side_by_side = True
        self.tell("stage", text=f"Planning {options[0]}")
        planned = [b for b in map(self._planned, options) if b is not None]
        if not planned:
            raise NotTriedError(NO_PLAN)
        best = min(planned, key=lambda b: b.plan.makespan_ms)
        narrow = self.workshop.weighed(best.configuration.kernels, best.configuration.threads)
        if low * best.plan.makespan_ms > HOPELESS * narrow.t1_ms:
            raise NotTriedError(SLOW_PLAN)
        c = replace(best.configuration, kernels=options[0].kernels)
        built = best if c == best.configuration else self.workshop.build_if_sensible(c)
        if built is None:
            raise NotTriedError(NO_PLAN)
        return self._entrant(built)

    def _planned(self, c: Configuration) -> Built | None:
        """Libraries run what was planned over eager costs; to export it takes them seconds."""
        return self.workshop.build_if_sensible(
            replace(c, kernels="eager") if c.kernels in LIBRARIES else c
        )

    def _entrant(self, built: Built) -> Entrant:
        c = built.configuration
        self.configurations[str(c)] = c
        predicted = built.plan.makespan_ms if c.kernels in TORCH_KERNELS else 0.0
        team = self.workshop.team(built)
        return Entrant(str(c), team, tolerance_of(c), predicted or None, _processes(c))


def _processes(c: Configuration) -> int:
    return c.workers if c.runtime == "processes" else 1


def _alone(threads: Sequence[int], kernels: Sequence[str]) -> Iterator[Configuration]:
    """One worker: what is mostly fast first, so that what is slow is soon known to be."""
    for family in reversed(kernels):
        for count in reversed(threads):
            yield Configuration(family, threads=count)


def _side_by_side(threads: Sequence[int], kernels: Sequence[str]) -> Iterator[list[Configuration]]:
    """Splits of the cores among workers; each list holds what differs in its planner only.

    Of all cores, and of half of them: operators of small models gain little by many threads.
    """
    for workers, family in itertools.product(threads[1:], kernels):
        most = max(1, threads[-1] // workers)
        for count in sorted({most, max(1, most // 2)}, reverse=True):
            splits = [Configuration(family, p, "processes", workers, count) for p in PLANNERS_TRIED]
            yield splits
            if family in TORCH_KERNELS:
                yield [replace(c, runtime="threads") for c in splits]
                yield [Configuration(family, MOLDABLE, "processes", workers, count)]
