"""A program's workers: forked once, pinned, reused for every inference.

Only a process with a single thread may fork: after OpenMP or any other thread has run, the
child hangs. So a benchmark runs in a launcher, a fresh `python -m ramiel_core launch`, and never
in the app. Weights reach the workers copy-on-write, values through `run.channels`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from ramiel_core.errors import RunError, WorkerDiedError
from ramiel_core.ir import CALLER, Bar, Program, TensorSpec, Timeline
from ramiel_core.run import host, weave
from ramiel_core.run.channels import (
    _FORK,
    SPINS,
    FastSignal,
    Port,
    QueueSignal,
    Signal,
    SignalKind,
    memory_for,
    open_ports,
)

RUN, TRACE, STOP = 0, 1, 2
IDLE = -1
LOOK_S = 0.1  # how often a waiting caller looks whether its workers live
NUMBER, MODE, FIRST_AT = 0, 1, 2  # places in the control block
PR_SET_PDEATHSIG = 1


@dataclass
class _Worker:
    """One forked process, seen from its caller."""

    pid: int
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
    limit_s : float
        How long one inference may take before it counts as hung.

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
        limit_s: float = 60.0,
    ) -> None:
        self.program, self.threads, self.signals = program, threads, signals
        self._weights, self._limit_s = weights, limit_s
        self._inputs = inputs
        self._result = weave.result_of(program)
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
            stamps = self._stamps[worker]
            for i, statement in enumerate(statements):
                start, end = ((stamps[j] - began_ns) / 1e6 for j in (i, i + 1))
                bars.append(Bar(worker, statement.name, statement.kind, start, end))
        return Timeline(tuple(bars), makespan_ms)

    def output(self) -> Any:
        """What the model returns, of the last inference; copied out of shared memory."""
        values = {
            name: self._value(port) for name, port in self._ports.items() if self._is_output(port)
        }
        given = {n: t for (n, _), t in zip(self.program.inputs, self._shared, strict=True)}
        return self._result(**{name: values.get(name, given.get(name)) for name in self._returned})

    def set_inputs(self, inputs: tuple[torch.Tensor, ...]) -> None:
        """Replace the inputs of the inferences from now on; same shapes and types."""
        for shared, given in zip(self._shared, inputs, strict=True):
            shared.copy_(given)
        self._inputs = inputs

    def memory_bytes(self) -> int:
        """Proportional set size of all workers together: shared weights count once."""
        total = 0
        for worker in self._workers:
            rollup = Path(f"/proc/{worker.pid}/smaps_rollup")
            for line in rollup.read_text().splitlines() if rollup.exists() else ():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def close(self) -> None:
        """End the workers: by asking, and by killing those that do not answer."""
        if self._workers:
            self._control[MODE] = STOP
            for start in self._starts:
                start.release()
        ends = time.monotonic() + 1.0
        while self._workers and time.monotonic() < ends:
            self._workers = [w for w in self._workers if not _reaped(w)]
            time.sleep(0.002)
        self._kill()

    # --- the caller's side ------------------------------------------------------------------

    @property
    def _returned(self) -> tuple[str, ...]:
        code = self._result.__code__
        return code.co_varnames[: code.co_argcount]

    def _is_output(self, port: Port) -> bool:
        return CALLER in port.channel.receivers

    def _value(self, port: Port) -> Any:
        copies = tuple(b.clone() if b is not None else None for b in port.buffers)
        return copies if port.channel.is_tuple else copies[0]

    def _open(self) -> None:
        """Lay out the shared memory and fork the workers."""
        count = self.program.workers
        specs = [_spec(t) for t in self._inputs]
        integers = FIRST_AT + count + sum(len(s) + 1 for s in self._statements)
        memory = memory_for(
            self.program.channels, specs, integers + len(self.program.channels) + 512 * (count + 3)
        )
        self._control = memory.integers(FIRST_AT + count)
        self._stamps = [memory.integers(len(s) + 1) for s in self._statements]
        self._shared = tuple(memory.tensor(spec) for spec in specs)
        self.set_inputs(self._inputs)
        self._ports = open_ports(self.program.channels, memory, self._new_signal, CALLER)
        self._starts = [_FORK.Semaphore(0) for _ in range(count)]
        self._done = _FORK.Semaphore(0)
        for worker in range(count):
            self._control[FIRST_AT + worker] = IDLE
        gc.collect()
        gc.freeze()  # what is there now is shared: a collection in a worker would copy its pages
        try:
            for worker in range(count):
                self._workers.append(self._fork(worker))
        except BaseException:
            self._kill()
            raise

    def _new_signal(self) -> Signal:
        if self.signals == "queue":
            return QueueSignal()
        crowded = host.oversubscribed(self.program.workers, self.threads)
        return FastSignal(0 if crowded else SPINS)

    def _infer(self, mode: int) -> float:
        if not self._workers:
            self._open()
        self._control[NUMBER] += 1
        self._control[MODE] = mode
        start_ns = time.perf_counter_ns()
        for start in self._starts:
            start.release()
        deadline = time.monotonic() + self._limit_s
        for _ in self._workers:
            while not self._done.acquire(timeout=LOOK_S):
                self._look(deadline)
        return (time.perf_counter_ns() - start_ns) / 1e6

    def _look(self, deadline: float) -> None:
        """Raise if a worker is dead, or time is up; before that, end all the others."""
        for number, worker in enumerate(self._workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                message = self._obituary(number, worker, status)
                self._workers.remove(worker)
                os.close(worker.errors)
                self._kill()
                raise message
        if time.monotonic() > deadline:
            number = self._culprit()
            self._kill()
            raise RunError(
                f"cluster {number} hung in {self._operator(number)!r}: no result within "
                f"{self._limit_s:g} s. Run with fewer --workers, or give it more time."
            )

    def _obituary(self, number: int, worker: _Worker, status: int) -> RunError:
        where = f"in {self._operator(number)!r}"
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            return WorkerDiedError(
                f"cluster {number} was killed by {name} {where}. Memory is the usual cause: "
                f"use fewer --workers."
            )
        said = _read_all(worker.errors)
        if said:
            report = json.loads(said)
            return RunError(
                f"cluster {number} raised {report['type']} {where}: {report['message']} "
                f"Run it sequentially (--workers 1) to see whether the model itself is the cause."
            )
        return WorkerDiedError(
            f"cluster {number} ended with exit code {os.WEXITSTATUS(status)} {where}. Something "
            f"in that operator ends its process; run it sequentially (--workers 1) to see."
        )

    def _operator(self, number: int) -> str:
        at = self._control[FIRST_AT + number]
        return self._statements[number][at].name if at >= 0 else "its start"

    def _culprit(self) -> int:
        """The worker to blame for a hang: one that computes, not one that waits for it."""
        busy = [w for w in range(len(self._workers)) if self._control[FIRST_AT + w] != IDLE]
        computing = [
            w for w in busy if self._statements[w][self._control[FIRST_AT + w]].kind != "wait"
        ]
        return (computing or busy or [0])[0]

    def _kill(self) -> None:
        for worker in self._workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        for worker in self._workers:
            os.waitpid(worker.pid, 0)
            os.close(worker.errors)
        self._workers = []

    # --- the worker's side ------------------------------------------------------------------

    def _fork(self, worker: int) -> _Worker:
        _refuse_threads()
        readable, writable = os.pipe()
        launcher = os.getpid()
        pid = os.fork()
        if pid:
            os.close(writable)
            return _Worker(pid, readable)
        code = 1
        try:
            _die_with(launcher)
            os.close(readable)
            self._serve(worker)
            code = 0
        except BaseException as error:  # noqa: BLE001 - everything is told to the caller
            report = {"type": type(error).__name__, "message": _sentence(error)}
            os.write(writable, json.dumps(report).encode()[:4096])
        finally:
            os._exit(code)

    def _serve(self, worker: int) -> None:
        os.sched_setaffinity(0, host.cores_for(worker, self.threads))
        torch.set_num_threads(self.threads)
        control, ports = self._control, self._ports
        at = control[FIRST_AT + worker : FIRST_AT + worker + 1]
        stamps = self._stamps[worker]
        given = {n: t for (n, _), t in zip(self.program.inputs, self._shared, strict=True)}

        def receive(name: str) -> Any:
            return given[name] if name in given else ports[name].receive(worker, control[NUMBER])

        def send(name: str, value: Any) -> None:
            ports[name].send(value, control[NUMBER])

        timed = weave.weave_progress(self.program, worker, at)
        traced = weave.weave_stamps(self.program, worker, stamps, time.perf_counter_ns)
        functions = {RUN: timed.call, TRACE: traced.call}
        with torch.inference_mode():
            while True:
                self._starts[worker].acquire()
                if control[MODE] == STOP:
                    return
                functions[control[MODE]](self._weights, receive, send)
                at[0] = IDLE
                self._done.release()


def _refuse_threads() -> None:
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RunError(
            f"this process has {threads} threads, and a child forked from it would hang. Start a "
            f"fresh one: `python -m ramiel_core bench MODEL`, or ramiel_core.bench() from Python."
        )


def _die_with(launcher: int) -> None:
    """Ask the kernel to kill this worker when its launcher is gone, however that ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:  # it was gone before the kernel was asked
        os._exit(1)


def _reaped(worker: _Worker) -> bool:
    pid, _ = os.waitpid(worker.pid, os.WNOHANG)
    if pid:
        os.close(worker.errors)
    return bool(pid)


def _read_all(descriptor: int) -> str:
    ready, _, _ = select.select([descriptor], [], [], 0)
    return os.read(descriptor, 4096).decode() if ready else ""


def _sentence(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [""])[0]
    return text if text.endswith(".") else f"{text}."


def _spec(tensor: torch.Tensor) -> TensorSpec:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return TensorSpec(tuple(tensor.shape), tuple(tensor.stride()), dtype)
