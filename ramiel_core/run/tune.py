"""Find the fastest of many configurations within a time budget, by interleaved measurement.

A host changes its speed within seconds, so no time is compared with one that was taken elsewhere:
every candidate is timed in turn with the fastest one found so far (the leader), round by round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np

from ramiel_core.agreement import agreement
from ramiel_core.bootstrap import paired_ratio
from ramiel_core.errors import RamielError
from ramiel_core.run import host
from ramiel_core.run.profile import GAP_S, steady_ms, warm_up
from ramiel_core.words import times

FIRST_ROUNDS = 4  # of a candidate against the leader
ENOUGH_ROUNDS = 2  # of one whose best time is `FAR_BEHIND` times the leader's
FAR_BEHIND = 2.5
STAGE_ROUNDS = 6  # between two halvings
MOST_ROUNDS = 120  # of the last ones, who may be level; fewer where it is decided earlier
FINAL_SHARE = 1 / 6
"""Of the budget, for the final even where building took all of it: in one last round, and four
first ones within half a second, a disturbed host named a plan that takes 1.25 times the best."""
HOPELESS = 1.25
"""Times the leader's: such a candidate is closed after its first rounds. Its best time counts as
well as its median: a neighbour on one core doubles three inferences of four at two threads (so
OpenVINO at one thread once won a race on HRNet that it loses by 1.8), and rarely all."""
SHORT_MS = 50.0
"""A shorter inference does not count in its turn, but others after it do: its weights fit into the
caches, which whoever ran before has filled with its own, and a paused core is slow at first."""

NO_ROOM = (
    "it would take some {:.1f} GB of memory and {:.1f} GB are left: close other programs first."
)

State = Literal["waiting", "measuring", "slower", "finalist", "best", "skipped", "failed"]


class NotTriedError(RamielError):
    """A candidate need not run; says why."""


class Runner(Protocol):
    """What can be timed: `run.forked.Team`."""

    def run(self) -> float:
        """One inference; its time in ms."""

    def output(self) -> Any:
        """What it returned."""

    def memory_bytes(self) -> int:
        """Of its workers."""

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Entrant:
    """A candidate that has come to the start."""

    label: str
    runner: Runner
    tolerance: float  # of its outputs, as a share of the largest value; 0 asks for equal bits
    predicted_ms: float | None = None
    processes: int = 1


Room = Callable[[int], None]
"""Makes room in memory for so many processes; raises NotTriedError where there is not enough."""


def first_of_all() -> float:
    """A promise that nobody beats."""
    return 0.0


@dataclass(frozen=True)
class Candidate:
    """One thing to try."""

    label: str  # until it is open, when its entrant's takes over
    open: Callable[[Room], Entrant]  # raises NotTriedError where it cannot win
    promise: Callable[[], float] = first_of_all
    """What share of the leader's time it may take, as far as is known now: the least goes next."""


@dataclass
class Standing:
    """How a candidate stands: its times are those of rounds that the leader shared."""

    label: str
    predicted_ms: float | None = None
    median_ms: float | None = None
    ratio: float | None = None  # its time over the best's, median of rounds that both ran
    ratio_ci: tuple[float, float] | None = None  # 95 %
    rounds: int = 0
    state: State = "waiting"
    max_difference: float = 0.0
    memory_bytes: int = 0
    reason: str = ""  # why it failed, was not tried, or was closed before it was known to be slower
    against: str = ""  # who led when it was timed last


@dataclass(eq=False)
class _Open:
    """A candidate that runs now, with its times by round number."""

    runner: Runner
    tolerance: float
    standing: Standing
    times_ms: dict[int, float] = field(default_factory=dict)


def fastest(
    candidates: Sequence[Candidate],
    reference: Any,
    budget_s: float,
    tell: Callable[[Sequence[Standing]], None],
) -> list[Standing]:
    """Time candidates against each other; the fastest comes first in what is returned.

    First each meets the leader for `FIRST_ROUNDS` rounds, or fewer where it is far behind; one that
    is `HOPELESS` is closed. Then all that are left run in turn, and after every `STAGE_ROUNDS`
    rounds those whose confidence interval against the leader lies above 1 are closed, and the
    slower half of the rest where more than two are left (successive halving).

    Parameters
    ----------
    candidates : sequence of Candidate
        Opened one after the other; all that open get their first rounds, whatever the budget.
    reference : nested tensors
        What every output has to agree with; a candidate that does not is out.
    budget_s : float
        Roughly, for everything together; the final may go on for `FINAL_SHARE` of it beyond that.
    tell : callable
        Gets all standings whenever they change, with ratios against the leader of that moment.

    References
    ----------
    .. [1] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
       Optimization", AISTATS 2016 (successive halving; the leader and the pairing are ours).
    """
    return _Race(candidates, reference, budget_s, tell).run()


class _Race:
    """One tuning: who runs, who leads, and every time so far."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        reference: Any,
        budget_s: float,
        tell: Callable[[Sequence[Standing]], None],
    ) -> None:
        self.candidates, self.reference, self.tell = candidates, reference, tell
        self.budget_s, self.began = budget_s, time.monotonic()
        self.standings = [Standing(c.label) for c in candidates]
        self.open: list[_Open] = []
        self.leader: _Open | None = None
        self.round = 0
        self.largest_bytes = 0  # of a process, so far

    def run(self) -> list[Standing]:
        try:
            left = list(zip(self.candidates, self.standings, strict=True))
            while left:
                self._told()  # promises are made of what is told
                following = min(left, key=lambda each: each[0].promise())
                left.remove(following)
                self._challenge(*following)
            if self.leader is None:
                raise RamielError(self._why_none())
            self._halve()
            if not self.open:
                raise RamielError(self._why_none())
            self.leader = min(self.open, key=self._ratio_now)
            self._write_standings()
            self.leader.standing.state = "best"
            self._told()
        finally:
            for opened in self.open:
                opened.runner.close()
        return self._against_leader()

    def _against_leader(self) -> list[Standing]:
        """All standings, ratios against leaders of earlier times turned into those against this.

        Who beat a leader was timed against it, so each ratio leads on to a later leader.
        """
        if self.leader is None:
            return sorted(self.standings, key=_place)
        by_label = {standing.label: standing for standing in self.standings}
        shares = {self.leader.standing.label: 1.0}

        def of(label: str) -> float:
            if label not in shares:
                shares[label] = 1.0  # ends a circle, should there ever be one
                standing = by_label[label]
                shares[label] = (standing.ratio or 1.0) * of(standing.against)
            return shares[label]

        return sorted(
            (
                standing
                if standing.ratio is None
                else _at(standing, standing.ratio * of(standing.against))
                for standing in self.standings
            ),
            key=_place,
        )

    def _challenge(self, candidate: Candidate, standing: Standing) -> None:
        standing.state = "measuring"
        self._told()
        try:
            entrant = candidate.open(self._make_room)
        except NotTriedError as error:
            standing.state, standing.reason = "skipped", str(error)
            return
        except RamielError as error:
            standing.state, standing.reason = "failed", str(error)
            return
        standing.label, standing.predicted_ms = entrant.label, entrant.predicted_ms
        opened = _Open(entrant.runner, entrant.tolerance, standing)
        self.open.append(opened)
        self.leader = self.leader or opened
        warm_up(lambda: self._one_round([opened]))
        opened.times_ms.clear()
        for done in range(FIRST_ROUNDS):
            if opened not in self.open:
                return  # it failed
            if done == ENOUGH_ROUNDS and self._is_far_behind(opened):
                break
            self._one_round([o for o in self.open if o in (self.leader, opened)])
        if opened not in self.open:
            return
        standing.memory_bytes = opened.runner.memory_bytes()
        each_bytes = standing.memory_bytes // entrant.processes
        self.largest_bytes = max(self.largest_bytes, each_bytes)
        ratio = self._ratio_now(opened)
        self._write_standings()
        standing.state = "finalist"
        if self._is_hopeless(opened):
            self._drop(opened, "slower")
        elif ratio < 1:
            self._lead(opened)

    def _make_room(self, processes: int) -> None:
        """Close the slowest while memory is left for less than these, each as large as the largest.

        A host whose memory is full comes to a halt, since it reads programs anew from disk: PNASNet
        was tuned for 18 minutes where a budget of one was asked for.

        Raises
        ------
        NotTriedError
            Where that would not suffice; then nothing is closed for it.
        """
        needed = processes * self.largest_bytes
        while (left := host.memory_left()) < needed:
            others = [o for o in self.open if o is not self.leader]
            left += sum(o.standing.memory_bytes for o in others)
            if not others or left < needed:
                raise NotTriedError(NO_ROOM.format(needed / 1e9, left / 1e9))
            slowest = max(others, key=self._ratio_now)
            took = f"{times(self._ratio_now(slowest))} the leader's time"
            self._drop(slowest, "slower", f"memory was short when it took {took}.")

    def _lead(self, opened: _Open) -> None:
        """A new leader; the others stay as long as they are not hopeless against it."""
        before = self.leader
        self.leader = opened
        self._write_standings()
        if before is not None and before is not opened and self._is_hopeless(before):
            self._drop(before, "slower")

    def _halve(self) -> None:
        last = self.round + MOST_ROUNDS
        ends = max(self.began + self.budget_s, time.monotonic() + FINAL_SHARE * self.budget_s)
        while len(self.open) > 1 and self.round < last:
            for _ in range(STAGE_ROUNDS):
                self._one_round(list(self.open))
                if time.monotonic() > ends:
                    break
            if not self.open:
                return
            self.leader = min(self.open, key=self._median_ms)
            self._write_standings()
            ranked = sorted(self.open, key=self._ratio_now)
            half = max(2, (len(ranked) + 1) // 2)
            for place, opened in enumerate(ranked):
                interval = opened.standing.ratio_ci
                beaten = interval is not None and interval[0] > 1
                if opened is not self.leader and (beaten or place >= half):
                    self._drop(opened, "slower")
            self._told()
            if time.monotonic() > ends:
                return

    def _one_round(self, runners: Sequence[_Open]) -> None:
        self.round += 1
        for opened in runners:
            if opened not in self.open:
                continue
            time.sleep(GAP_S)
            try:
                time_ms = opened.runner.run()
                if time_ms < SHORT_MS:
                    time_ms = steady_ms(opened.runner.run, time_ms)
                opened.times_ms[self.round] = time_ms
                self._check(opened)
            except RamielError as error:
                self._drop(opened, "failed", str(error))

    def _check(self, opened: _Open) -> None:
        agrees, difference = agreement(opened.runner.output(), self.reference, opened.tolerance)
        opened.standing.max_difference = max(opened.standing.max_difference, difference)
        if not agrees:
            raise RamielError(
                f"its output differs from eager by {difference:.2g} of the largest value, more "
                f"than {opened.tolerance:g}."
            )

    def _drop(self, opened: _Open, state: State, reason: str = "") -> None:
        opened.runner.close()
        opened.standing.state, opened.standing.reason = state, reason
        self.open.remove(opened)
        if opened is self.leader:
            self.leader = min(self.open, key=self._median_ms, default=None)

    def _shared(self, opened: _Open) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Times of a candidate and of the leader in the rounds that both ran."""
        assert self.leader is not None  # noqa: S101 - nobody asks before there is one
        rounds = sorted(opened.times_ms.keys() & self.leader.times_ms.keys())
        own = np.array([opened.times_ms[r] for r in rounds])
        return own, np.array([self.leader.times_ms[r] for r in rounds])

    def _ratio_now(self, opened: _Open) -> float:
        own, leader = self._shared(opened)
        return float(np.median(own / leader)) if len(own) else float("inf")

    def _is_hopeless(self, opened: _Open) -> bool:
        own, leader = self._shared(opened)
        if not len(own):
            return False
        best = min(opened.times_ms.values())  # of all its rounds: who led has had quieter ones
        return bool(np.median(own / leader) > HOPELESS and best > HOPELESS * leader.min())

    def _is_far_behind(self, opened: _Open) -> bool:
        own, leader = self._shared(opened)
        return bool(len(own)) and bool(own.min() > FAR_BEHIND * leader.min())

    @staticmethod
    def _median_ms(opened: _Open) -> float:
        latest = sorted(opened.times_ms)[-2 * STAGE_ROUNDS :]
        return float(np.median([opened.times_ms[r] for r in latest]))

    def _write_standings(self) -> None:
        for opened in self.open:
            own, leader = self._shared(opened)
            if not len(own):
                continue
            standing = opened.standing
            standing.against = self.leader.standing.label if self.leader else ""
            standing.rounds = len(opened.times_ms)
            standing.median_ms = float(np.median(list(opened.times_ms.values())))
            standing.ratio, standing.ratio_ci = paired_ratio(own, leader)

    def _told(self) -> None:
        self.tell(self._against_leader())

    def _why_none(self) -> str:
        reasons = {s.reason for s in self.standings if s.reason}
        return f"no configuration could run: {' '.join(sorted(reasons))}"


ORDER: Mapping[State, int] = {
    "best": 0,
    "finalist": 1,
    "measuring": 2,
    "slower": 2,
    "waiting": 3,
    "skipped": 4,
    "failed": 5,
}


def _at(standing: Standing, ratio: float) -> Standing:
    """The same with its ratio moved, and its interval alike."""
    interval = standing.ratio_ci
    if interval is not None and standing.ratio:
        low, high = (end * ratio / standing.ratio for end in interval)
        interval = low, high
    return replace(standing, ratio=ratio, ratio_ci=interval)


def _place(standing: Standing) -> tuple[int, float, str]:
    """Fastest first; those without a time last."""
    known = standing.median_ms if standing.median_ms is not None else float("inf")
    return ORDER[standing.state], known, standing.label
