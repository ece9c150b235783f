"""Channels -> Layout: which values may lie in the same shared memory, one after the other.

No worker ever waits for memory to be free. Two values share memory only where the order of each
worker's operators and the messages that the plan sends anyway prove that everybody has done with
the earlier value before anybody writes the later one, however slow any worker is. Predicted times
prove nothing and are not looked at.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ramiel_core.ir import CALLER, Channel, Graph, Layout, OpNode, Plan

Counts = NDArray[np.int64]
ENDLESS = np.iinfo(np.int64).max
_SHARED = re.compile(r'shared\("(\w+)"\)')


def lay_out(graph: Graph, plan: Plan, channels: Sequence[Channel]) -> Layout:
    """Place every value that crosses workers; takes time quadratic in their number.

    What the caller reads is never written over, since it is copied out after the last worker has
    ended. The next inference begins after that as well, so it may write everywhere.

    Parameters
    ----------
    graph, plan
        Fitting each other.
    channels : sequence of Channel
        Of their program; a whole comes after its parts.

    References
    ----------
    .. [1] Y. Pisarchyk, J. Lee, "Efficient Memory Management for Deep Neural Net Inference",
       2020, arXiv:2001.03288 (greedy by size, with lifetimes of one worker; ours are orders).
    """
    lives = _lives(graph, plan, channels)
    starts = _starts(lives)
    return Layout.of(channels, {name: int(starts[i]) for name, i in lives.index.items()})


@dataclass(frozen=True)
class _Lives:
    """From when to when each buffer is used; a row a buffer, a column a worker."""

    index: Mapping[str, int]  # row by the value that has a buffer of its own
    sizes: Counts  # bytes
    begins: Counts  # how many operators of each worker are over before anybody writes it
    ends: Counts  # how many must be over until nobody uses it any more


def _lives(graph: Graph, plan: Plan, channels: Sequence[Channel]) -> _Lives:
    owners = _owners(channels)
    own = [channel for channel in channels if channel.place is None]
    index = {channel.value: row for row, channel in enumerate(own)}
    begins = np.full((len(own), plan.workers), ENDLESS)
    ends = np.zeros((len(own), plan.workers), np.int64)
    holders = _holders(graph, owners)
    for worker, name, known in _clocks(graph, plan):
        written = _written(graph[name], owners)
        values = (name, *graph[name].inputs, *graph[name].awaits)
        used = written.union(*(holders.get(v, ()) for v in values))
        for owner in written:
            np.minimum(begins[index[owner]], known, out=begins[index[owner]])
        for owner in used:
            ends[index[owner], worker] = known[worker] + 1
    for channel in channels:
        if CALLER in channel.receivers:
            ends[index[owners[channel.value]]] = ENDLESS
    return _Lives(index, np.array([c.bytes for c in own], np.int64), begins, ends)


def _owners(channels: Sequence[Channel]) -> dict[str, str]:
    """In whose buffer each value lies: its own, or that of the whole around it."""
    owners: dict[str, str] = {}
    for channel in reversed(channels):  # a whole comes after its parts
        owners[channel.value] = owners[channel.place.whole] if channel.place else channel.value
    return owners


def _holders(graph: Graph, owners: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The buffers in which each value may lie, under any name, on any worker.

    Its receivers count as its sender does: between threads of one process a value is handed over
    as it is, perhaps a view of another buffer.
    """
    holders: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        found = _written(node, owners).union(*(holders.get(alias, ()) for alias in node.aliases))
        if found:
            holders[node.name] = frozenset(found)
    return holders


def _written(node: OpNode, owners: Mapping[str, str]) -> set[str]:
    """The buffers that an operator, or the send after it, writes: its own and those it names."""
    values = {node.name, *_SHARED.findall(node.call), *_SHARED.findall(node.into)}
    return {owners[value] for value in values if value in owners}


def _clocks(graph: Graph, plan: Plan) -> Iterator[tuple[int, str, Counts]]:
    """Every operator, with how many of each worker's are over for certain when it begins.

    References
    ----------
    .. [1] F. Mattern, "Virtual Time and Global States of Distributed Systems", 1989 (vector
       clocks).
    """
    worker_of = plan.worker_of()
    left = [deque(cluster) for cluster in plan.clusters]
    now = np.zeros((plan.workers, plan.workers), np.int64)  # what each worker knows
    over: dict[str, Counts] = {}  # what is known to whoever receives a value
    while any(left):
        for worker, queue in enumerate(left):
            while queue and over.keys() >= set(graph.producers[queue[0]]):
                name = queue.popleft()
                for producer in graph.producers[name]:
                    if worker_of[producer] != worker:
                        np.maximum(now[worker], over[producer], out=now[worker])
                yield worker, name, now[worker].copy()
                now[worker, worker] += 1
                over[name] = now[worker].copy()


def _starts(lives: _Lives) -> Counts:
    """First bytes: largest first, each in the smallest gap between those used at the same time."""
    starts = np.zeros(len(lives.sizes), np.int64)
    order = np.argsort(-lives.sizes, kind="stable")
    for count, row in enumerate(order):
        placed = order[:count]
        before = (lives.ends[placed] <= lives.begins[row]).all(axis=1)
        after = (lives.ends[row] <= lives.begins[placed]).all(axis=1)
        taken = placed[~(before | after)]
        starts[row] = _gap(starts[taken], lives.sizes[taken], lives.sizes[row])
    return starts


def _gap(starts: Counts, sizes: Counts, wanted: np.int64) -> np.int64:
    """Where the smallest free gap of at least `wanted` bytes begins; the last one is endless."""
    order = np.argsort(starts)
    begins = np.append(0, np.maximum.accumulate(starts[order] + sizes[order]))
    lengths = np.append(starts[order], ENDLESS) - begins
    return np.int64(begins[np.argmin(np.where(lengths >= wanted, lengths, ENDLESS))])
