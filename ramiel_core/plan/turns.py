"""A section in turns: its large operators with all threads, what is left of it side by side."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ramiel_core.plan.anneal import anneal
from ramiel_core.plan.refine import Blocks, Placement
from ramiel_core.plan.tables import Tables

HEAVY = 4  # operators that are tried, one by one, as the only wide one to begin with
WIDENS = 0.4  # of the tries: make a block wide, or no longer

State = tuple[list[int], list[int], frozenset[int]]
"""A run order, the worker of each operator, and those that run wide."""


@dataclass(frozen=True)
class Molded(Placement):
    """A placement where some operators run with all threads, nobody beside them."""

    wide: frozenset[int]
    awaits: tuple[tuple[int, int], ...]  # pairs; the second begins when the first is over


@dataclass(frozen=True)
class Section:
    """One section of a graph, whose first operator is over before it begins.

    Parameters
    ----------
    tables : Tables
        What an operator costs side by side, contention included.
    workers : int
        Numbered from 0.
    wide_ms : sequence of float
        What each operator costs with all threads.
    switch_ms : float
        To change the thread count, and back.
    """

    tables: Tables
    workers: int
    wide_ms: Sequence[float]
    switch_ms: float

    def bound_ms(self) -> float:
        """What no turns can beat."""
        pairs = list(zip(self.tables.cost_ms, self.wide_ms, strict=True))
        least = self.tables.molded([min(pair) for pair in pairs])
        shared_ms = sum(min(own / self.workers, wide) for own, wide in pairs)
        return max(shared_ms, least.path_ms())

    def makespan_ms(self, order: list[int], worker_of: list[int], wide: frozenset[int]) -> float:
        """Of a placement whose wide operators wait until all others rest, and those for them."""
        if not wide:
            return self.tables.makespan_ms(worker_of, self.workers, order)
        cost_ms = list(self.tables.cost_ms)
        was_wide: dict[int, bool] = {}
        for v in order:
            worker = worker_of[v]
            if v in wide:
                cost_ms[v] = self.wide_ms[v] + (0.0 if was_wide.get(worker) else self.switch_ms)
            was_wide[worker] = v in wide
        molded = self.tables.molded(cost_ms, alone(self.tables, order, worker_of, wide))
        return molded.makespan_ms(worker_of, self.workers, order)


def in_turns(
    section: Section, order: list[int], worker_of: list[int], tries: int
) -> tuple[Molded, float]:
    """Let a section change between one wide operator and several narrow ones side by side.

    In an Inception module one branch holds half of the work: side by side the other workers idle
    at its end, wide the small operators gain nothing. In turns both are at their best.

    Parameters
    ----------
    section : Section
        The problem.
    order, worker_of : list of int
        How it runs side by side: where to start.
    tries : int
        At most.

    Returns
    -------
    placement : Molded
        The shortest found; its `awaits` see to it that nobody computes beside a wide operator.
    makespan_ms : float
        What is predicted of it.
    """
    tables, wide_ms = section.tables, section.wide_ms
    draw, bound_ms = random.Random(0), section.bound_ms()  # noqa: S311 - the same plan every time
    blocks = Blocks(tables, section.workers, draw)
    parts = len(blocks) if section.workers > 1 else 0

    def propose(state: State) -> State | None:
        order, homes, wide = state
        if draw.random() < WIDENS:
            return order, homes, wide.symmetric_difference(blocks.any_members())
        moved = blocks.moved((order, homes))
        return moved and (*moved, wide)

    def predict(state: State) -> float:
        return section.makespan_ms(*state)

    saved_ms = [own - wide for own, wide in zip(tables.cost_ms, wide_ms, strict=True)]
    heavy = sorted(range(1, len(wide_ms)), key=lambda v: (-saved_ms[v], v))[:HEAVY]
    wides = [frozenset[int](), frozenset(range(1, len(wide_ms))), *(frozenset({v}) for v in heavy)]
    found: list[tuple[State, float, int]] = []
    for wide in wides:
        start: State = order, worker_of, wide
        start_ms = section.makespan_ms(*start)
        tried = tries // len(wides)
        found.append(anneal(start, start_ms, propose, predict, parts, tried, draw, bound_ms))
    (order, worker_of, wide), makespan_ms, _ = min(found, key=lambda one: one[1])
    awaits = alone(tables, order, worker_of, wide)
    return Molded(order, worker_of, wide, awaits), makespan_ms


def alone(
    tables: Tables, order: Sequence[int], worker_of: Sequence[int], wide: frozenset[int]
) -> tuple[tuple[int, int], ...]:
    """Who must await whom so that nobody computes beside a wide operator.

    It awaits what every other worker does last before it in `order`, and these await it before
    what they do next, except where the values that they read say so anyhow.
    """
    awaits = []
    place = dict(zip(order, range(len(order)), strict=True))
    latest: dict[int, int] = {}  # of each worker, what a wide one on another has yet to await
    fence, passed = 0, {*worker_of}  # the last wide one, and who began something after it
    for v in order[1:]:  # the value of the first is there before the section begins
        worker = worker_of[v]
        if v in wide:
            for other in [w for w in latest if w != worker]:
                before = latest.pop(other)
                readers = tables.consumers[before]
                if not any(worker_of[r] == worker and place[r] <= place[v] for r in readers):
                    awaits.append((before, v))
            fence, passed = v, {worker}
        elif worker not in passed:
            passed.add(worker)
            if all(place[p] < place[fence] for p in tables.producers[v]):
                awaits.append((fence, v))
        latest[worker] = v
    return tuple(awaits)
