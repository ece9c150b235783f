"""Shared memory and signals between workers, laid out before the fork.

Every value that leaves its worker has one buffer, with the value's own shape, strides and type,
and for each receiver one signal. A sender copies in, publishes the number of the inference and
signals; a receiver waits, checks the number and reads in place. Nothing is pickled, and nothing
has a name in /dev/shm. The program says which buffers lie in the same memory; no inference begins
before everybody has finished the one before it.
"""

from __future__ import annotations

import mmap
import multiprocessing
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch

from ramiel_core.errors import RunError
from ramiel_core.ir import CALLER, Channel, TensorSpec

SignalKind = Literal["fast", "queue"]

# How long a receiver tries before it sleeps in the kernel. Who wakes it up then loses 10 µs by it,
# and it goes on 30 µs later: with 15 µs plans for two workers took 1 to 3 % longer than with 2 ms.
ALONE_S = 0.002  # nobody else wants its core
SHARED_S = 15e-6  # somebody may: ShuffleNet with wide operators took 20 % longer with 2 ms
TRIES = 100  # between two looks at the clock, some 5 to 15 µs

PAGE = mmap.PAGESIZE
_FORK = multiprocessing.get_context("fork")


class Signal(Protocol):
    """From one sender to one receiver: look, a value is there; its port says of which inference."""

    def post(self) -> None:
        """Tell the receiver."""

    def wait(self) -> None:
        """Return once the sender has told."""


class FastSignal:
    """A semaphore: tried for some seconds, then slept on in the kernel."""

    def __init__(self, spin_s: float) -> None:
        self._semaphore = semaphore()
        self._spin_s = spin_s
        self.post = self._semaphore.release  # itself: no call of ours between value and wake-up

    def wait(self) -> None:
        """Return once the sender has posted."""
        if not taken(self._semaphore, self._spin_s):
            self._semaphore.acquire()


class QueueSignal:
    """A queue, the form that was published; kept so that both can be compared."""

    def __init__(self) -> None:
        self._queue: Any = _FORK.Queue()

    def post(self) -> None:
        """Put something; a thread of the queue's own writes it to a pipe."""
        self._queue.put(None)

    def wait(self) -> None:
        """Return once it has come."""
        self._queue.get()


class Memory:
    """One anonymous shared mapping, cut into page-aligned pieces; goes with its processes.

    Parameters
    ----------
    sizes_bytes : iterable of int
        Of every piece that will be taken from it.
    """

    def __init__(self, sizes_bytes: Iterable[int]) -> None:
        self._map = mmap.mmap(-1, max(PAGE, sum(map(self.pages, sizes_bytes))))
        self._used = 0

    @staticmethod
    def pages(size_bytes: int) -> int:
        """`size_bytes` rounded up to whole pages."""
        return -(-size_bytes // PAGE) * PAGE

    def take(self, size_bytes: int) -> int:
        """First byte of the next free pages, touched, so that no inference has to fault them in."""
        start = self._used
        self._used += self.pages(size_bytes)
        if size_bytes:
            torch.frombuffer(self._map, dtype=torch.uint8, count=size_bytes, offset=start).zero_()
        return start

    def tensor(self, spec: TensorSpec, start: int) -> torch.Tensor:
        """A tensor of this shape, stride and type in what was taken, from byte `start` on."""
        dtype: torch.dtype = getattr(torch, spec.dtype)
        if spec.items == 0:
            return torch.empty(spec.shape, dtype=dtype)
        flat = torch.frombuffer(self._map, dtype=dtype, count=spec.items, offset=start)
        return flat.as_strided(spec.shape, spec.stride)

    def integers(self, count: int) -> memoryview:
        """Room for `count` 64-bit integers, all 0."""
        start = self.take(8 * count)
        return memoryview(self._map)[start : start + 8 * count].cast("q")


@dataclass
class Port:
    """One channel: its buffers, its number, and one signal for each receiver."""

    channel: Channel
    buffers: tuple[torch.Tensor | None, ...]
    signals: dict[int, Signal]
    published: memoryview  # one integer: the inference whose value lies in the buffers

    def __post_init__(self) -> None:
        # An expanded value holds each item once and shows it many times: write it once.
        once = [tuple(map(_once, b.stride())) if b is not None else () for b in self.buffers]
        self._once = [index if slice(0, 1) in index else None for index in once]
        self._posts = tuple(signal.post for signal in self.signals.values())

    def sender(self, number: memoryview) -> Callable[[Any], None]:
        """What copies a value in, unless it was computed there, and tells every receiver.

        It finds all that it needs once: looked up after an operator, it was 0.7 of a send's 4.3 µs.

        Parameters
        ----------
        number : memoryview
            One integer: the inference that runs.
        """
        copy, published, posts = self._copy, self.published, self._posts
        # Most values are one dense tensor, and a small send is little more than its bookkeeping.
        plain = not self.channel.is_tuple and self._once == [None]
        only = self.buffers[0] if plain else None

        def send(value: Any) -> None:
            if only is None:
                copy(value)
            elif value is not only:
                only.copy_(value)
            published[0] = number[0]
            for post in posts:
                post()

        return send

    def _copy(self, value: Any) -> None:
        values = value if self.channel.is_tuple else (value,)
        for buffer, part, once in zip(self.buffers, values, self._once, strict=True):
            if buffer is None or part is buffer:
                continue
            if once is None:
                buffer.copy_(part)
            else:
                buffer[once].copy_(part[once])

    def receive(self, receiver: int, number: int) -> Any:
        """Wait for the value of this inference; it is read where it lies, not copied.

        Raises
        ------
        RunError
            Where the buffers hold another inference's value.
        """
        signal = self.signals.get(receiver)
        if signal is not None:
            signal.wait()
        if self.published[0] != number:
            raise RunError(
                f"{self.channel.value!r} of inference {self.published[0]} was read in inference "
                f"{number}; this is a defect of Ramiel, please report it."
            )
        return self.buffers if self.channel.is_tuple else self.buffers[0]


class LocalPort(Port):
    """A channel between threads of one process: the value itself is handed over, not a copy."""

    _value: Any = None

    def sender(self, number: memoryview) -> Callable[[Any], None]:
        """What keeps a value for the receivers and tells them; only the caller needs a copy."""
        copied = super().sender(number) if CALLER in self.channel.receivers else None
        published, posts = self.published, self._posts

        def send(value: Any) -> None:
            self._value = value
            if copied is not None:
                copied(value)
                return
            published[0] = number[0]
            for post in posts:
                post()

        return send

    def receive(self, receiver: int, number: int) -> Any:
        """Wait for the value of this inference."""
        super().receive(receiver, number)
        return self._value


def _once(stride: int) -> slice:
    return slice(0, 1) if stride == 0 else slice(None)


def semaphore() -> Any:
    """A semaphore at 0 that forked processes share; its name is gone before anyone could see it."""
    return _FORK.Semaphore(0)


def taken(semaphore: Any, spin_s: float) -> bool:
    """Whether a semaphore could be taken within some seconds, without sleeping on it."""
    acquire, clock = semaphore.acquire, time.perf_counter
    ends = clock() + spin_s
    while spin_s:
        for _ in range(TRIES):
            if acquire(False):
                return True
        if clock() > ends:
            break
    return False
