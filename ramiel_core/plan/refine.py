"""Refinement of a merged plan: who runs what, and in which order, section by section."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ramiel_core.plan.anneal import anneal
from ramiel_core.plan.tables import Tables

VISITS = 2_000_000  # operators and messages visited by all tries together, at about 0.3 µs each
SENDS_WORTH = 3  # an operator that costs so many sends starts a block of its own

State = tuple[list[int], list[int]]
"""A run order of numbered operators, and the worker of each. Neither is ever changed in place."""


@dataclass(frozen=True)
class Placement:
    """Run order and workers of numbered operators."""

    order: list[int]
    worker_of: list[int]

    def clusters(self, tables: Tables) -> tuple[tuple[str, ...], ...]:
        """Names by worker, in run order, the one with the earliest operator first."""
        by_worker: dict[int, list[str]] = {}
        for v in self.order:
            by_worker.setdefault(self.worker_of[v], []).append(tables.names[v])
        return tuple(tuple(names) for names in by_worker.values())


@dataclass(frozen=True)
class Refined(Placement):
    """A placement, what is predicted of it, and how many improvements led there."""

    makespan_ms: float
    moves: int = 0


def refine(
    tables: Tables,
    worker_of: Sequence[int],
    workers: int,
    visits: int = VISITS,
) -> Refined:
    """Move blocks between workers, and within the run order, while the prediction gets shorter.

    Merging only ever joins, so a chain that an early pass put in the busier cluster stays there,
    and decreasing distance makes a worker wait in line although a later operator is ready.
    Where a single value holds the whole graph together, what comes before cannot matter to what
    follows, so the graph falls into sections, each a small problem of its own: simulated
    annealing (with a fixed seed) moves a block, two blocks, or a block's place in the order, and
    keeps the best. Any order it tries is topological, so workers cannot wait for each other for
    ever. Sections that do not start from one value are judged alone, too; the whole is predicted
    at last, and dropped unless it is shorter.

    Good for chains of modules (Inception, GoogLeNet), where time grows linearly with their
    number: measured on Inception-v3 and two workers, predicted speedup 1.46 merged only, 1.52
    with moves in a fixed order, 1.54 so. Bad for one large section of many operators (random
    graphs): few tries, no annealing.

    Parameters
    ----------
    tables : Tables
        The graph.
    worker_of : sequence of int
        Where to start, by number of the operator.
    workers : int
        They are numbered from 0.
    visits : int
        Operators and messages visited by all tries together.

    Returns
    -------
    Refined
        Never longer than the start, where nobody slows others down.

    References
    ----------
    .. [1] P. J. M. van Laarhoven, E. H. L. Aarts, J. K. Lenstra, "Job shop scheduling by simulated
       annealing", Operations Research 40 (1992), doi:10.1287/opre.40.1.113 (sections, blocks and
       moves are ours).
    """
    count = len(tables.names)
    start_ms = tables.makespan_ms(worker_of, workers)
    start = Refined(list(range(count)), list(worker_of), start_ms)
    if workers < 2:
        return start
    draw = random.Random(0)  # noqa: S311 - the same plan every time, not a secret
    order: list[int] = list(range(min(1, count)))
    homes = list(worker_of)
    tries = visits // tables.visits(homes)
    moves = 0
    for first, last in tables.sections():
        part, placed = tables.part(first, last), list(worker_of[first : last + 1])
        found_order, found_homes, improvements = _improved(part, placed, workers, tries, draw)
        # Workers are alike: two change names where the section before ended on another one.
        swap = {worker_of[first]: homes[first], homes[first]: worker_of[first]}
        homes[first : last + 1] = [swap.get(worker, worker) for worker in found_homes]
        order += [first + v for v in found_order[1:]]
        moves += improvements
    found_ms = tables.makespan_ms(homes, workers, order)
    return Refined(order, homes, found_ms, moves) if found_ms < start_ms else start


def _improved(
    tables: Tables, worker_of: list[int], workers: int, tries: int, draw: random.Random
) -> tuple[list[int], list[int], int]:
    """Order and workers of one section, refined; and by how many improvements."""
    blocks = Blocks(tables, workers, draw)

    def predict(state: State) -> float:
        order, homes = state
        return tables.makespan_ms(homes, workers, order)

    start_ms = tables.makespan_ms(worker_of, workers)
    bound_ms = max(sum(tables.cost_ms) / workers, tables.path_ms())
    start: State = list(range(len(worker_of))), worker_of
    (order, homes), _, improvements = anneal(
        start, start_ms, blocks.moved, predict, len(blocks), tries, draw, bound_ms
    )
    return order, homes, improvements


@dataclass(frozen=True)
class _Block:
    """Operators that stay together, and those between which they can run."""

    members: tuple[int, ...]
    own: frozenset[int]
    before: tuple[int, ...]  # what they read from elsewhere, and what begins the section
    after: tuple[int, ...]  # who reads them elsewhere, and what ends the section


class Blocks:
    """Stretches of a section that stay together while it is refined, and ways to move them.

    The first operator of the section is in none, and stays where it is; the last one stays last.

    Parameters
    ----------
    tables : Tables
        The section.
    workers : int
        They are numbered from 0.
    draw : random.Random
        Decides which block goes where.
    """

    def __init__(self, tables: Tables, workers: int, draw: random.Random) -> None:
        self._last = len(tables.names) - 1
        self._blocks = [self._bounded(tables, members) for members in _stretches(tables)]
        self._workers = workers
        self._draw = draw

    def __len__(self) -> int:
        return len(self._blocks)

    def any_members(self) -> tuple[int, ...]:
        """The operators of one block or another."""
        return self._any().members

    def moved(self, state: State) -> State | None:
        """Another order and other workers: one block or two elsewhere, or one at another time.

        None where all of it stays as it is.
        """
        draw = self._draw.random
        before, homes = state
        order, kind, block = before, draw(), self._any()
        if kind < 0.7:
            homes = self._put(homes, block, int(draw() * self._workers))
        if kind < 0.3:
            homes = self._put(homes, self._any(), int(draw() * self._workers))
        if kind > 0.5:
            order = self._at_another_time(order, block)
        if order == before and homes == state[1]:
            return None
        return order, homes

    def _any(self) -> _Block:
        return self._blocks[int(self._draw.random() * len(self._blocks))]

    def _put(self, homes: list[int], block: _Block, worker: int) -> list[int]:
        homes = homes.copy()
        for v in block.members:
            homes[v] = worker
        return homes

    def _at_another_time(self, order: list[int], block: _Block) -> list[int]:
        """The order with a block at another place between its producers and its readers."""
        if block.members[-1] == self._last:
            return order
        rest = [v for v in order if v not in block.own]
        low = max(map(rest.index, block.before)) + 1
        high = min(map(rest.index, block.after))
        if high < low:  # cannot be for a chain in one piece; harmless if it were
            return order
        place = low + int(self._draw.random() * (high - low + 1))
        rest[place:place] = block.members
        return rest

    def _bounded(self, tables: Tables, members: Sequence[int]) -> _Block:
        own = frozenset(members)
        before = {p for v in members for p in tables.producers[v]} - own | {0}
        after = {r for v in members for r in tables.consumers[v]} - own | {self._last}
        return _Block(tuple(members), own, tuple(before), tuple(after))


def _stretches(tables: Tables) -> list[list[int]]:
    """Chains that are not worth cutting, each operator in one, without the first operator."""
    stretches: list[list[int]] = []
    number: dict[int, int] = {}
    for v in range(1, len(tables.names)):
        before = tables.producers[v]
        if (
            len(before) == 1
            and before[0] in number
            and len(tables.consumers[before[0]]) == 1
            and tables.cost_ms[v] <= SENDS_WORTH * tables.send_ms[before[0]]
        ):
            number[v] = number[before[0]]
            stretches[number[v]].append(v)
        else:
            number[v] = len(stretches)
            stretches.append([v])
    return stretches
