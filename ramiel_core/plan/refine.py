"""Refinement of a merged plan: who runs what, and in which order, section by section."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ramiel_core.plan.simulate import Tables

VISITS = 1_600_000  # operators visited by all tries together; a visit takes about 0.5 µs
HOT, COLD = 0.01, 0.0002  # what may be lost in a try, of a section's time: at first, at last
WIDENS = 0.4  # of the tries, where that is asked for: make a block wide, or no longer
TRIES_A_BLOCK = 20  # with fewer, there is no time to recover from a loss: none is allowed
MOST_TRIES_A_BLOCK = 400  # more do not pay in small sections
CLOSE = 1e-3  # a section this near to a bound that none can beat is not worked on any more
SENDS_WORTH = 3  # an operator that costs so many sends starts a block of its own


@dataclass(frozen=True)
class Placement:
    """Run order and workers of numbered operators, and how many improvements led there."""

    order: list[int]
    worker_of: list[int]
    makespan_ms: float
    moves: int = 0
    wide: frozenset[int] = frozenset()  # operators that run with all threads, nobody beside them
    awaits: tuple[tuple[int, int], ...] = ()  # pairs; the second begins when the first is over

    def clusters(self, tables: Tables) -> tuple[tuple[str, ...], ...]:
        """Names by worker, in run order, the one with the earliest operator first."""
        by_worker: dict[int, list[str]] = {}
        for v in self.order:
            by_worker.setdefault(self.worker_of[v], []).append(tables.names[v])
        return tuple(tuple(names) for names in by_worker.values())


Predict = Callable[[list[int], list[int], frozenset[int]], Placement]
"""An order, the worker of each operator and the wide ones -> what that would be."""


def refine(
    tables: Tables,
    worker_of: Sequence[int],
    workers: int,
    visits: int = VISITS,
) -> Placement:
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
        Operators visited by all tries together.

    Returns
    -------
    Placement
        Never longer than the start, where nobody slows others down.
    """
    count = len(tables.names)
    start = Placement(list(range(count)), list(worker_of), tables.makespan_ms(worker_of, workers))
    draw = random.Random(0)  # noqa: S311 - the same plan every time, not a secret
    order: list[int] = list(range(min(1, count)))
    homes = list(worker_of)
    moves = 0
    for first, last in tables.sections():
        part = tables.part(first, last)
        found = _beside(part, worker_of[first : last + 1], workers, visits // count, draw)
        # Workers are alike: two change names where the section before ended on another one.
        swap = {worker_of[first]: homes[first], homes[first]: worker_of[first]}
        homes[first : last + 1] = [swap.get(worker, worker) for worker in found.worker_of]
        order += [first + v for v in found.order[1:]]
        moves += found.moves
    found = Placement(order, homes, tables.makespan_ms(homes, workers, order), moves)
    return min(start, found, key=lambda placement: placement.makespan_ms)


def _blocks(tables: Tables) -> list[list[int]]:
    """Stretches that stay together, without the first operator, which stays where it is."""
    blocks: list[list[int]] = []
    block_of: dict[int, int] = {}
    for v in range(1, len(tables.names)):
        before = tables.producers[v]
        if (
            len(before) == 1
            and before[0] in block_of
            and len(tables.consumers[before[0]]) == 1
            and tables.cost_ms[v] <= SENDS_WORTH * tables.send_ms[before[0]]
        ):
            block_of[v] = block_of[before[0]]
            blocks[block_of[v]].append(v)
        else:
            block_of[v] = len(blocks)
            blocks.append([v])
    return blocks


def _beside(
    tables: Tables, worker_of: Sequence[int], workers: int, tries: int, draw: random.Random
) -> Placement:
    """One section refined, nothing of it wide."""

    def predict(order: list[int], homes: list[int], _: frozenset[int]) -> Placement:
        return Placement(order, homes, tables.makespan_ms(homes, workers, order))

    start = predict(list(range(len(worker_of))), list(worker_of), frozenset())
    bound_ms = max(sum(tables.cost_ms) / workers, tables.path_ms())
    return anneal(tables, start, workers, tries, draw, predict, bound_ms)


def anneal(
    tables: Tables,
    start: Placement,
    workers: int,
    tries: int,
    draw: random.Random,
    predict: Predict,
    bound_ms: float,
    *,
    widens: bool = False,
) -> Placement:
    """Refine one section; its last operator stays last.

    Parameters
    ----------
    tables : Tables
        The section.
    start : Placement
        Predicted as all others are.
    workers, tries : int
        `tries` at most; fewer in small sections, and when the bound is reached.
    draw : random.Random
        Decides what is tried.
    predict : callable
        Of an order, the workers and the wide operators.
    bound_ms : float
        That no placement can beat.
    widens : bool
        Whether to try other operators as the wide ones, too.
    """
    now = best = start
    blocks, moves = _blocks(tables), start.moves
    if len(blocks) < 2 or workers < 2:
        return best
    tries = min(tries, MOST_TRIES_A_BLOCK * len(blocks))
    hot = tries >= TRIES_A_BLOCK * len(blocks)
    for done in range(tries):
        if best.makespan_ms <= bound_ms * (1 + CLOSE):
            break
        if widens and draw.random() < WIDENS:
            block = blocks[int(draw.random() * len(blocks))]
            tried = predict(now.order, now.worker_of, now.wide ^ frozenset(block))
        else:
            tried = predict(*_moved(tables, now, blocks, workers, draw), now.wide)
        loss_ms = tried.makespan_ms - now.makespan_ms
        allowed_ms = now.makespan_ms * HOT * (COLD / HOT) ** (done / tries)
        if loss_ms <= 0 or (hot and draw.random() < math.exp(-loss_ms / allowed_ms)):
            now = tried
            if tried.makespan_ms < best.makespan_ms * (1 - 1e-6):
                moves += 1
                best = replace(tried, moves=moves)
    return best


def _moved(
    tables: Tables,
    now: Placement,
    blocks: Sequence[Sequence[int]],
    workers: int,
    draw: random.Random,
) -> tuple[list[int], list[int]]:
    """Another order and other workers: one block or two elsewhere, or one at another time."""
    homes, order, kind = list(now.worker_of), now.order, draw.random()
    block = blocks[int(draw.random() * len(blocks))]
    if kind < 0.7:
        _put(homes, block, int(draw.random() * workers))
    if kind < 0.3:
        other = blocks[int(draw.random() * len(blocks))]
        _put(homes, other, int(draw.random() * workers))
    if kind > 0.5:
        order = _elsewhere(tables, order, block, draw)
    return order, homes


def _put(homes: list[int], block: Sequence[int], worker: int) -> None:
    for v in block:
        homes[v] = worker


def _elsewhere(
    tables: Tables, order: list[int], block: Sequence[int], draw: random.Random
) -> list[int]:
    """The order with `block` at another place between its producers and its readers."""
    if block[-1] == len(order) - 1:
        return order
    moved = set(block)
    rest = [v for v in order if v not in moved]
    before = {p for v in block for p in tables.producers[v]} - moved | {0}
    after = {r for v in block for r in tables.consumers[v]} - moved | {len(order) - 1}
    low = next(i for i in range(len(rest) - 1, -1, -1) if rest[i] in before) + 1
    high = next(i for i, v in enumerate(rest) if v in after)
    if high < low:  # cannot be for a chain in one piece; harmless if it were
        return order
    place = low + int(draw.random() * (high - low + 1))
    return rest[:place] + list(block) + rest[place:]
