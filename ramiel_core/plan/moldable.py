"""Moldable plans: each section of a graph wide, side by side, or in turns of both."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from types import MappingProxyType

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import critical_path, distance_to_end
from ramiel_core.plan.ended import ended, fixpoint_of
from ramiel_core.plan.planner import revalued
from ramiel_core.plan.refine import Placement, refine
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables
from ramiel_core.plan.turns import Molded, Section, in_turns

NOBODY: Mapping[str, tuple[str, ...]] = MappingProxyType({})
MIXING_PAYS = 1.03
"""Least predicted gain over the better end. Mixtures of 13 models took 1 % less to 8 % more than
predicted, 3 % more at the median, the same program on one worker 1 %: what is best of many by
costs that are measured is better by luck too. With 1.01 Inception-v3 by `fused` was mixed on some
days, and then took 43.0 ms instead of 41.7."""
TURN_VISITS = 150_000  # operators and messages visited by all tries of turns, at about 1 µs each


def moldable_ways(
    narrow: Graph,
    wide: Graph,
    workers: int,
    threads: int,
    wide_threads: int,
    switch_ms: float = 0.0,
    other: tuple[Graph, Plan] | None = None,
) -> list[tuple[Graph, Plan]]:
    """Cut the graph where one value holds it together, and mold each section to its own best.

    Stems and joins scale well over threads, modules of many small operators over workers. A
    section is run wide, by one worker with `wide_threads` threads while the others sleep; or as
    clusters side by side, which slow each other by their `crowding`; or in turns, large operators
    wide and what is left of it side by side; or, where nothing of that helps, by one worker with
    `threads` threads. Sequential with all threads and pure task parallelism are
    the two ends of it. A mixture has to be predicted faster than both by `MIXING_PAYS`.

    Parameters
    ----------
    narrow, wide : Graph
        The same operators, weighed with `threads` and with `wide_threads` threads inside each;
        their calls may differ, since kernels are chosen for a thread count.
    workers : int
        Side by side; `workers * threads` should not exceed `wide_threads`.
    threads, wide_threads : int
        Inside each operator.
    switch_ms : float
        What a wide section between two others costs, beside its operators.
    other : tuple of Graph and Plan, optional
        Another way of pure task parallelism, as with slow operators cut into parts.

    Returns
    -------
    list of tuple of Graph and Plan
        The two ends, the one of shorter makespan first, and before them the mixture where it pays.
        In a graph each operator has the cost and the call of the way it runs, and it `awaits` what
        must be over so that nobody computes beside a wide one. `wide` names a plan's operators that
        run with all threads. The first is predicted never to be slower than `wide` on one worker,
        nor than what `make_plan` makes of `narrow`, nor than `other`.

    References
    ----------
    .. [1] J. Turek, J. Wolf, P. Yu, "Approximate Algorithms for Scheduling Parallelizable
       Tasks", SPAA 1992 (moldable tasks; sections and the choice between two widths are ours).

    Notes
    -----
    Good for chains of modules (Inception, GoogLeNet, ResNet). Where no value holds the graph
    together (NASNet, whose cells read the two before them) it is all wide or all side by side.
    """
    merging = fixpoint_of(narrow, record=True)
    merging.to_workers(workers)
    tables = merging.tables
    beside = refine(tables, merging.worker_of(), len(merging.members))
    plan = Plan(
        beside.clusters(tables),
        steps=tuple(merging.steps),
        planner="moldable",
        threads=threads,
        wide_threads=wide_threads,
        moves=beside.moves,
    )
    task_parallel = ended(plan, narrow, merging)
    facts = replace(task_parallel, rejected_makespan_ms=None)
    sections = _sections(narrow, wide, tables, beside, switch_ms)
    placed = _mixture(sections, beside, switch_ms)
    mixture = replace(facts, clusters=placed.clusters(tables))
    names = {tables.names[v] for v in placed.wide}
    awaits = _awaits(tables, placed)
    order = [tables.names[v] for v in placed.order] if awaits else list(narrow.index)
    graph, mixed = _molded(narrow, wide, order, mixture, names, switch_ms, awaits)
    beside_graph, side_by_side = narrow, task_parallel
    if other is not None and other[1].makespan_ms < task_parallel.makespan_ms:
        beside_graph, side_by_side = other[0], replace(other[1], planner=plan.planner)
    order = list(narrow.index)
    one_worker = replace(facts, clusters=(tuple(order),), moves=0)
    ends = [(beside_graph, side_by_side), _molded(narrow, wide, order, one_worker, order)]
    ends.sort(key=lambda end: end[1].makespan_ms)
    pays = mixed.makespan_ms * MIXING_PAYS <= ends[0][1].makespan_ms
    return [(graph, mixed), *ends] if pays else ends


def _awaits(tables: Tables, placed: Molded) -> dict[str, tuple[str, ...]]:
    """Operators that must be over before others that do not read them, by those others."""
    found: dict[str, tuple[str, ...]] = {}
    for before, after in placed.awaits:
        name = tables.names[after]
        found[name] = (*found.get(name, ()), tables.names[before])
    return found


def _molded(
    narrow: Graph,
    wide: Graph,
    order: Sequence[str],
    plan: Plan,
    names: Collection[str],
    switch_ms: float = 0.0,
    awaits: Mapping[str, tuple[str, ...]] = NOBODY,
) -> tuple[Graph, Plan]:
    """The plan with the operators `names` wide, and the graph that it is predicted from.

    Its operators stand in `order`, a topological one that knows of `awaits`.
    """
    switched = {
        name
        for cluster in plan.clusters
        for before, name in pairwise(cluster)
        if name in names and before not in names
    }
    molded = {
        name: replace(wide[name], switch_ms=switch_ms if name in switched else 0.0)
        for name in names
    }
    chosen = (molded.get(name, narrow[name]) for name in order)
    nodes = tuple(replace(node, awaits=awaits.get(node.name, ())) for node in chosen)
    graph = replace(narrow, nodes=nodes)
    plan = replace(
        plan,
        wide=tuple(n.name for n in nodes if n.name in names),
        critical_path=critical_path(graph, distance_to_end(graph)),
    )
    return graph, revalued(plan, graph)


@dataclass(frozen=True, slots=True)
class _Section:
    """What only one value reaches from before, up to the next such value, and its times."""

    span: range  # of its operators, by number
    narrow_ms: float  # on one worker, with the threads of a worker
    wide_ms: float  # on one worker, with all threads
    beside_ms: float  # as clusters side by side
    turns_ms: float = math.inf  # in turns, where that could be shorter
    turns: Molded | None = None  # numbered from the last operator of the section before

    @property
    def not_wide_ms(self) -> float:
        """The shortest of the other ways."""
        return min(self.narrow_ms, self.beside_ms, self.turns_ms)


def _sections(
    narrow: Graph, wide: Graph, tables: Tables, beside: Placement, switch_ms: float
) -> list[_Section]:
    """Times of all sections; the very first operator is one, which stands before the others.

    Only one value passes from a section to the next, so a section takes as long whatever the
    others do, and all times side by side, contention included, are read from one timeline.
    """
    timeline = simulate(narrow, beside.clusters(tables))
    ended_ms = {bar.name: bar.end_ms for bar in timeline.bars if bar.kind == "compute"}
    done_ms = [0.0, *accumulate((ended_ms[name] for name in tables.names), max)]
    spans = [range(1), *(range(first + 1, last + 1) for first, last in tables.sections())]
    wide_ms = [wide[name].cost_ms for name in tables.names]
    crowded_ms = [narrow[n].cost_ms * (1 + narrow[n].crowding) for n in tables.names]
    place = {v: at for at, v in enumerate(beside.order)}
    workers, tries = 1 + max(beside.worker_of), TURN_VISITS // tables.visits(beside.worker_of)

    def timed(span: range) -> _Section:
        section = _Section(
            span,
            sum(narrow[tables.names[v]].cost_ms for v in span),
            sum(wide_ms[v] for v in span),
            done_ms[span.stop] - done_ms[span.start],
        )
        if len(span) == 1:
            return section
        first, whole = span.start - 1, slice(span.start - 1, span.stop)
        part = tables.part(first, span.stop - 1).molded([0.0, *crowded_ms[span.start : span.stop]])
        problem = Section(part, workers, wide_ms[whole], switch_ms)
        if section.not_wide_ms <= problem.bound_ms():
            return section
        order = [0, *(v - first for v in sorted(span, key=place.__getitem__))]
        turns, turns_ms = in_turns(problem, order, beside.worker_of[whole], tries)
        return replace(section, turns_ms=turns_ms, turns=turns)

    return [timed(span) for span in spans]


def _widths(sections: Sequence[_Section], switch_ms: float) -> list[bool]:
    """Which sections to run wide, so that all of them and the switches take the shortest time.

    By dynamic programming: the best way to the end of each section, once if it is not wide, once
    if it is.
    """
    narrow_ms = wide_ms = 0.0
    was_wide: list[tuple[bool, bool]] = []  # the section before, on the best way to either
    for section in sections:
        switched_ms = narrow_ms + (switch_ms if was_wide else 0.0)  # before the first is nothing
        was_wide.append((wide_ms < narrow_ms, wide_ms <= switched_ms))
        narrow_ms, wide_ms = (
            min(narrow_ms, wide_ms) + section.not_wide_ms,
            min(switched_ms, wide_ms) + section.wide_ms,
        )
    widths = []
    is_wide = wide_ms < narrow_ms
    for before in reversed(was_wide):
        widths.append(is_wide)
        is_wide = before[is_wide]
    return widths[::-1]


def _mixture(sections: Sequence[_Section], beside: Placement, switch_ms: float) -> Molded:
    """Each section the way that is shortest."""
    homes: list[int] = []
    order: list[int] = []
    wide: set[int] = set()
    awaits: list[tuple[int, int]] = []
    for section, is_wide in zip(sections, _widths(sections, switch_ms), strict=True):
        span, turns = section.span, section.turns
        first = max(0, span.start - 1)
        placed = beside.worker_of[span.start : span.stop]
        home = homes[-1] if homes else placed[0]
        if is_wide or section.narrow_ms == section.not_wide_ms:
            homes += [home] * len(span)
            order += span
            wide.update(span if is_wide else ())
            continue
        if turns and section.turns_ms < section.beside_ms:
            placed = turns.worker_of[1:]
            order += [first + v for v in turns.order[1:]]
            wide.update(first + v for v in turns.wide)
            awaits += [(first + before, first + after) for before, after in turns.awaits]
        else:
            order += beside.order[span.start : span.stop]
        # Workers are alike: two change names where the section before ended on another one.
        before = beside.worker_of[first]
        swap = {before: home, home: before}
        homes += [swap.get(worker, worker) for worker in placed]
    return Molded(order, homes, frozenset(wide), tuple(awaits))
