"""A program's workers: forked once, pinned, reused for every inference.

Only a process with a single thread may fork: after OpenMP or any other thread has run, the
child hangs. So a benchmark runs in a launcher, a fresh `python -m ramiel_core launch`, and never
in the app. Weights reach the workers copy-on-write, values through `run.channels`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import psutil
import torch

from ramiel_core.errors import RunError, WorkerDiedError
from ramiel_core.ir import Bar, Program, Timeline
from ramiel_core.run import host, weave
from ramiel_core.run.channels import (
    ALONE_S,
    SHARED_S,
    FastSignal,
    LocalPort,
    Port,
    QueueSignal,
    Signal,
    SignalKind,
    taken,
)
from ramiel_core.run.shared import IDLE, RUN, STOP, TRACE, Shared
from ramiel_core.run.worker import REPORT_BYTES, die_with, report, serve, serve_all

CALLER_S = 100e-6
"""How long a caller tries before it sleeps until the workers on other cores are done: on the core
that the first worker has just left. To be woken from another core takes 30 to 50 µs."""

LOOK_S = 0.1  # how often a waiting caller looks whether its workers live
TASKS = Path("/proc/self/task")
LEAVING_S = 1.0  # for a thread that has been joined to be gone from the system's list as well
BUILD_LIMIT_S = 900.0  # for a worker to build its recipes: one that compiles may need minutes


Runtime = Literal["processes", "threads"]


@dataclass
class _Worker:
    """One forked process, seen from its caller."""

    pid: int
    clusters: tuple[int, ...]  # that it runs: one, or all of them in threads
    errors: int  # file descriptor on which it says why it gave up


class Team:
    """The workers of one program.

    Parameters
    ----------
    program : Program
        One function `cluster_i` for each worker.
    weights : mapping
        What the functions find in `w`.
    inputs : tuple of torch.Tensor
        Copied into shared memory once; `set_inputs` replaces them.
    threads : int
        Inside each operator, for every worker.
    signals : {"fast", "queue"}
        How a receiver learns that a value is there.
    runtime : {"processes", "threads"}
        One process for each cluster; or one for all, with a thread for each cluster, where values
        are handed over without a copy but Python itself runs one thread at a time.
    limit_s : float
        How long one inference may take before it counts as hung. Not counted in: what workers
        build before their first one.

    Raises
    ------
    RunError
        Where this process has more than one thread and must not fork.
    """

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, Any],
        inputs: tuple[torch.Tensor, ...],
        *,
        threads: int = 1,
        signals: SignalKind = "fast",
        runtime: Runtime = "processes",
        limit_s: float = 60.0,
    ) -> None:
        self.program, self.threads, self.signals = program, threads, signals
        self.runtime = runtime
        self._weights, self._inputs, self._limit_s = weights, inputs, limit_s
        self._crowded = host.oversubscribed(program.workers, threads)
        self._first_core, self._everywhere = host.cores_for(0, 1), os.sched_getaffinity(0)
        self._result = weave.result_of(program)
        code = self._result.__code__
        self._wanted = code.co_varnames[: code.co_argcount]
        self._statements = [weave.statements(program, w) for w in range(program.workers)]
        self._workers: list[_Worker] = []
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that live now."""
        return tuple(worker.pid for worker in self._workers)

    def run(self) -> float:
        """One inference; returns its makespan in ms, from the start signal to the last worker.

        Raises
        ------
        RunError
            Where a cluster raises, dies (`WorkerDiedError`) or hangs; names it and the operator.
            All workers have ended then, and the next call starts them anew.
        """
        return self._infer(RUN)

    def trace(self) -> Timeline:
        """One inference with a time stamp after every statement; bars in ms from its start."""
        began_ns = time.perf_counter_ns()
        makespan_ms = self._infer(TRACE)
        bars = []
        for worker, statements in enumerate(self._statements):
            stamps = [(stamp - began_ns) / 1e6 for stamp in self._shared.stamps[worker]]
            for statement, start, end in zip(statements, stamps, stamps[1:], strict=False):
                bars.append(Bar(worker, statement.name, statement.kind, start, end))
        return Timeline(tuple(bars), makespan_ms)

    def output(self) -> Any:
        """What the model returns, of the last inference; copied out of shared memory."""
        return self._result(*[copy() for copy in self._copies])

    def _copy_of(self, name: str) -> Callable[[], Any]:
        """What copies a value that the result is made of: found once, as copies are waited for."""
        if name == "w":
            weights = self._weights
            return lambda: weights
        if name in self._shared.inputs:
            return self._shared.inputs[name].clone
        port = self._shared.ports[name]
        copies = [buffer.clone if buffer is not None else _nothing for buffer in port.buffers]
        return (lambda: tuple(copy() for copy in copies)) if port.channel.is_tuple else copies[0]

    def set_inputs(self, inputs: tuple[torch.Tensor, ...]) -> None:
        """Replace the inputs of the inferences from now on; same shapes and types."""
        self._shared.set_inputs(inputs)
        self._inputs = inputs

    def memory_bytes(self) -> int:
        """Proportional set size of all workers together: shared weights count once."""
        total = 0
        for pid in self.pids:
            rollup = Path(f"/proc/{pid}/smaps_rollup")
            for line in rollup.read_text().splitlines() if rollup.exists() else ():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def close(self) -> None:
        """End the workers: by asking, and by killing those that do not answer within a second."""
        if self._workers:
            self._shared.mode[0] = STOP
            for start in self._shared.starts:
                start.release()
        ends = time.monotonic() + 1.0
        while self._workers and time.monotonic() < ends:
            self._workers = [w for w in self._workers if not _reaped(w)]
            time.sleep(0.002)
        self._kill()

    def _open(self) -> None:
        """Lay out the shared memory and fork the workers."""
        threads = self.runtime == "threads"
        self._built = False
        self._shared = Shared.lay_out(
            self.program,
            self._inputs,
            self._statements,
            self._new_signal,
            port=LocalPort if threads else Port,
        )
        self._copies = tuple(map(self._copy_of, self._wanted))
        clusters = range(self.program.workers)
        gc.collect()
        gc.freeze()  # what is there now is shared: a collection in a worker would copy its pages
        try:
            for group in [tuple(clusters)] if threads else [(c,) for c in clusters]:
                self._workers.append(self._fork(group))
        except BaseException:
            self._kill()
            raise

    def _new_signal(self) -> Signal:
        if self.signals == "queue":
            return QueueSignal()
        if self._crowded:
            return FastSignal(0)
        # Threads share their interpreter, logical cores a real one, and wide operators any core.
        alone = (
            self.runtime == "processes"
            and host.apart(self.program.workers, self.threads)
            and self.program.wide_threads <= self.threads
        )
        return FastSignal(ALONE_S if alone else SHARED_S)

    def _fork(self, clusters: tuple[int, ...]) -> _Worker:
        _refuse_threads()
        readable, writable = os.pipe()
        launcher = os.getpid()
        pid = os.fork()
        if pid:
            os.close(writable)
            return _Worker(pid, clusters, readable)
        code = 1
        try:
            die_with(launcher)
            os.close(readable)
            if len(clusters) == 1:
                serve(self.program, self._weights, self._shared, clusters[0], self.threads)
            else:
                serve_all(self.program, self._weights, self._shared, self.threads, writable)
            code = 0
        except BaseException as error:  # noqa: BLE001 - everything is told to the caller
            os.write(writable, report(error, clusters[0]))
        finally:
            os._exit(code)

    def _infer(self, mode: int) -> float:
        if not self._workers:
            self._open()
        if not self._built:
            self._await_all(BUILD_LIMIT_S)
            self._built = True
        shared = self._shared
        shared.number[0] += 1
        shared.mode[0] = mode
        start_ns = time.perf_counter_ns()
        # On the first worker's core, which the caller leaves to it by going to sleep: that one
        # need not be woken from another core, nor wake the caller there.
        os.sched_setaffinity(0, self._first_core)
        try:
            for start in reversed(shared.starts):  # the first worker's last, as it begins at once
                start.release()
            self._await_all(self._limit_s)
        finally:
            os.sched_setaffinity(0, self._everywhere)
        return (time.perf_counter_ns() - start_ns) / 1e6

    def _await_all(self, limit_s: float) -> None:
        """Wait until every worker has said once that it is done."""
        deadline = time.monotonic() + limit_s
        spin_s = 0.0  # for the first, whose core the caller is on
        for done in self._shared.done:
            if not taken(done, spin_s):
                while not done.acquire(timeout=LOOK_S):
                    self._look(deadline, limit_s)
            spin_s = 0.0 if self._crowded else CALLER_S

    def _look(self, deadline: float, limit_s: float) -> None:
        """Raise if a worker is dead, or time is up; before that, end all the others."""
        for worker in self._workers:
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                text = _read_all(worker.errors)
                said = json.loads(text) if text else {}
                number = said.get("cluster", self._culprit(worker.clusters))
                error = _obituary(f"cluster {number}", self._operator(number), status, said)
                self._workers.remove(worker)
                os.close(worker.errors)
                self._kill()
                raise error
        if time.monotonic() > deadline:
            number = self._culprit(tuple(range(self.program.workers)))
            operator = self._operator(number)
            self._kill()
            raise RunError(
                f"cluster {number} hung in {operator!r}: no result within {limit_s:g} s. "
                f"Run with fewer --workers, or give it more time."
            )

    def _operator(self, number: int) -> str:
        at = self._shared.at[number][0]
        return self._statements[number][at].name if at != IDLE else "its start"

    def _culprit(self, clusters: tuple[int, ...]) -> int:
        """The one of several to blame: one that computes, not one that waits for it."""
        at = [view[0] for view in self._shared.at]
        busy = [c for c in clusters if at[c] != IDLE]
        computing = [c for c in busy if self._statements[c][at[c]].kind != "wait"]
        return (computing or busy or clusters)[0]

    def _kill(self) -> None:
        for worker in self._workers:
            compilers = _children(worker.pid)
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            for compiler in compilers:  # which would go on after it
                with suppress(psutil.NoSuchProcess):
                    compiler.kill()
        for worker in self._workers:
            os.waitpid(worker.pid, 0)
            os.close(worker.errors)
        self._workers = []


def _children(pid: int) -> list[psutil.Process]:
    """What a worker has started: a compiler, while it builds."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def _nothing() -> None:
    """The copy of an output that nobody wants."""


def _refuse_threads() -> None:
    ends = time.monotonic() + LEAVING_S
    while (threads := len(list(TASKS.iterdir()))) > 1 and time.monotonic() < ends:
        time.sleep(0.001)
    if threads > 1:
        raise RunError(
            f"this process has {threads} threads, and a child forked from it would hang. Start a "
            f"fresh one: `python -m ramiel_core bench MODEL`, or ramiel_core.bench() from Python."
        )


def _obituary(cluster: str, operator: str, status: int, said: Mapping[str, Any]) -> RunError:
    """The error for a worker that ended by itself: by a signal, an exception or an exit."""
    where = f"in {operator!r}"
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return WorkerDiedError(
            f"{cluster} was killed by {name} {where}. Memory is the usual cause: use fewer "
            f"--workers."
        )
    if said:
        return RunError(
            f"{cluster} raised {said['type']} {where}: {said['message']} Run it sequentially "
            f"(--workers 1) to see whether the model itself is the cause."
        )
    return WorkerDiedError(
        f"{cluster} ended with exit code {os.WEXITSTATUS(status)} {where}. Something in that "
        f"operator ends its process; run it sequentially (--workers 1) to see."
    )


def _reaped(worker: _Worker) -> bool:
    pid, _ = os.waitpid(worker.pid, os.WNOHANG)
    if pid:
        os.close(worker.errors)
    return bool(pid)


def _read_all(descriptor: int) -> str:
    ready, _, _ = select.select([descriptor], [], [], 0)
    return os.read(descriptor, REPORT_BYTES).decode() if ready else ""
