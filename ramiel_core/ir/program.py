"""The emitted program of a plan, and the memory that its workers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from ramiel_core.ir.graph import TensorSpec

ALIGN_BYTES = 4096
"""Where a shared buffer may begin: at a page, so that no two of them share a cache line."""

CALLER = -1
"""The receiver number of whoever called the program, beside the workers 0, 1, 2, ..."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies inside another one's buffer."""

    whole: str
    first_byte: int  # its own first one, counted in the other's buffer


@dataclass(frozen=True, slots=True)
class Channel:
    """One value with a buffer in shared memory, and one signal for each receiver.

    Without receivers it stays in its worker, where others have written parts of it, or is itself
    a part.
    """

    value: str
    sender: int
    receivers: tuple[int, ...]  # workers, or CALLER
    outputs: tuple[TensorSpec | None, ...]
    is_tuple: bool = False
    place: Place | None = None  # None: in a buffer of its own

    @property
    def sizes_bytes(self) -> tuple[int, ...]:
        """What each tensor takes in a buffer of its own."""
        return tuple(
            -(-spec.bytes // ALIGN_BYTES) * ALIGN_BYTES if spec else 0 for spec in self.outputs
        )

    @property
    def bytes(self) -> int:
        """What all of it takes in a buffer of its own."""
        return sum(self.sizes_bytes)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the values of channels lie in the memory that workers share."""

    first_bytes: Mapping[str, tuple[int, ...]]  # by value, of each of its tensors
    bytes: int  # of everything
    apart_bytes: int  # what it would be if no memory were used twice

    @classmethod
    def of(cls, channels: Sequence[Channel], starts: Mapping[str, int]) -> Layout:
        """Lay out values whose buffers begin at `starts`, and parts inside their wholes.

        Parameters
        ----------
        channels : sequence of Channel
            A whole comes after its parts.
        starts : mapping
            First byte by value, of all that have a buffer of their own.
        """
        first: dict[str, tuple[int, ...]] = {}
        for channel in reversed(channels):
            if channel.place is None:
                start = starts[channel.value]
            else:
                start = first[channel.place.whole][0] + channel.place.first_byte
            first[channel.value] = tuple(accumulate(channel.sizes_bytes, initial=start))[:-1]
        own = [c for c in channels if c.place is None]
        ends = (starts[c.value] + c.bytes for c in own)
        return cls(MappingProxyType(first), max(ends, default=0), sum(c.bytes for c in own))

    @classmethod
    def apart(cls, channels: Sequence[Channel]) -> Layout:
        """Every buffer behind the one before it: no memory is used twice."""
        own = [channel for channel in channels if channel.place is None]
        ends = accumulate((channel.bytes for channel in own), initial=0)
        return cls.of(channels, {c.value: start for c, start in zip(own, ends, strict=False)})


@dataclass(frozen=True, slots=True)
class Program:
    """Python source with one function `cluster_i` a worker, and the channels between them."""

    model: str
    source: str
    workers: int
    channels: tuple[Channel, ...]
    inputs: tuple[tuple[str, TensorSpec], ...]
    layout: Layout
    functions: tuple[str, ...] = ()  # `cluster_0`, ...; the source of each
    wide_threads: int = 1  # the most that any operator runs with, where they differ
    always_wide: frozenset[int] = frozenset()  # workers that run all of theirs so
    wide_weights: frozenset[str] = frozenset()  # read by operators that run so

    def threads_of(self, worker: int, threads: int) -> int:
        """With how many threads a worker begins, where narrow operators have `threads`."""
        return self.wide_threads if worker in self.always_wide else threads

    def received_by(self, worker: int) -> tuple[Channel, ...]:
        """Channels that `worker` (or CALLER) reads."""
        return tuple(c for c in self.channels if worker in c.receivers)


class Fresh:
    """In place of a buffer: memory that whoever computes the value allocates, and gives away."""


FRESH = Fresh()


class Recipe(ABC):
    """A weight that a worker prepares for itself, after the fork.

    Packed weights belong to a thread count, and the sessions of kernel libraries have threads of
    their own, which a fork would lose.
    """

    by_torch = True  # whether torch computes what the program calls it for, if it calls it

    @abstractmethod
    def build(self, threads: int) -> Any:
        """What the program finds in `w`, for operators that run at `threads` threads."""

    def stand_in(self) -> Any:
        """What does the same where the program runs once, and nobody waits for it."""
        return self.build(threads=1)
