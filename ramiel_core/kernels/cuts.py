"""Where a worker's operators are cut into segments: at its messages, and nowhere else that pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan

BORDER_MS = 0.03  # a call of a segment: the call itself, its threads woken, layouts converted
STUCK_MS = float("inf")


@dataclass(frozen=True)
class Part:
    """Neighbouring operators of one worker."""

    worker: int
    names: tuple[str, ...]


def cut(graph: Graph, plan: Plan) -> list[Part]:
    """Cut before each receive and after each send, then join again what nobody waits for.

    1. Cut wherever a worker receives or sends: this delays nothing and cannot deadlock.
    2. Join two neighbours if the predicted makespan, with `BORDER_MS` a segment, does not grow;
       a join that deadlocks is predicted to take for ever. Repeat until nothing can be joined.

    For graphs of some hundred cuts: each try simulates all segments. The parts of a worker come in
    its order.
    """
    worker_of = plan.worker_of()
    parts = [
        Part(worker, names)
        for worker, cluster in enumerate(plan.clusters)
        for names in _between_messages(graph, worker_of, cluster)
    ]
    best_ms = _makespan_ms(graph, parts)
    joined = True
    while joined:
        joined = False
        at = 0
        while at + 1 < len(parts):
            one, two = parts[at : at + 2]
            if one.worker == two.worker:
                tried = [*parts[:at], Part(one.worker, one.names + two.names), *parts[at + 2 :]]
                tried_ms = _makespan_ms(graph, tried)
                if tried_ms <= best_ms:
                    parts, best_ms, joined = tried, tried_ms, True
                    continue
            at += 1
    return parts


def _between_messages(
    graph: Graph, worker_of: Mapping[str, int], cluster: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    here: list[str] = []
    received: set[str] = set()
    for name in cluster:
        worker = worker_of[name]
        new = {p for p in graph.producers[name] if worker_of[p] != worker} - received
        if new and here:
            yield tuple(here)
            here = []
        received |= new
        here.append(name)
        if any(worker_of[reader] != worker for reader in graph.consumers[name]):
            yield tuple(here)
            here = []
    if here:
        yield tuple(here)


def _sweep(graph: Graph, parts: Sequence[Part]) -> Iterator[int]:
    """Parts in an order in which they can run; ends early where they wait for each other."""
    part_of = {name: at for at, part in enumerate(parts) for name in part.names}
    queues: dict[int, list[int]] = {}
    for at, part in enumerate(parts):
        queues.setdefault(part.worker, []).append(at)
    needs = [
        {part_of[p] for name in part.names for p in graph.producers[name]} - {at}
        for at, part in enumerate(parts)
    ]
    done: set[int] = set()
    moved = True
    while moved:
        moved = False
        for queue in queues.values():
            while queue and needs[queue[0]] <= done:
                done.add(queue[0])
                yield queue.pop(0)
                moved = True


def order_of(graph: Graph, parts: Sequence[Part]) -> list[int]:
    """Numbers of parts in an order in which they can run one after another.

    Raises
    ------
    PlanError
        Where there is none.
    """
    order = list(_sweep(graph, parts))
    if len(order) < len(parts):
        raise PlanError("the plan never ends: its workers wait for each other. Plan again.")
    return order


def _makespan_ms(graph: Graph, parts: Sequence[Part]) -> float:
    """When the last worker ends; infinite where workers wait for each other."""
    worker_of = {name: part.worker for part in parts for name in part.names}
    free: dict[int, float] = {}
    there: dict[str, float] = {}
    ran = 0
    for at in _sweep(graph, parts):
        part = parts[at]
        own = set(part.names)
        begin = free.get(part.worker, 0.0)
        for name in part.names:
            for producer in graph.producers[name]:
                if producer not in own:
                    late = graph[producer].send_ms if worker_of[producer] != part.worker else 0.0
                    begin = max(begin, there[producer] + late)
        end = begin + BORDER_MS + sum(graph[name].cost_ms for name in part.names)
        there.update(dict.fromkeys(part.names, end))
        sent = (
            name
            for name in part.names
            if any(worker_of[r] != part.worker for r in graph.consumers[name])
        )
        busy = sum(max(0.0, graph[name].send_ms - graph.signal_ms) for name in sent)
        free[part.worker] = end + busy
        ran += 1
    return max(free.values()) if ran == len(parts) else STUCK_MS
