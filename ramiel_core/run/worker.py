"""A worker's side of a program: wait for a start signal, run one cluster, say that it is done."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ramiel_core.ir import Program, Recipe
from ramiel_core.run import allocator, host
from ramiel_core.run.shared import IDLE, RUN, STOP, TRACE, Shared
from ramiel_core.run.weave import weave_progress, weave_stamps

REPORT_BYTES = 4096
PR_SET_PDEATHSIG = 1
PART_ITEMS = 1 << 16  # of which an operator surely gives so many to each thread
_OPENING = threading.Lock()  # clusters in threads of one process open their pools in turn


def serve(
    program: Program, weights: Mapping[str, Any], shared: Shared, worker: int, threads: int
) -> None:
    """Say that everything is built, then run cluster `worker` at every start signal until told."""
    cores = host.cores_for(worker, threads)
    if program.wide_threads > threads:
        cores += tuple(core for core in host.cores() if core not in cores)
    with _OPENING:
        _open_pool(cores, max(threads, program.wide_threads))
    weights = prepared(program, weights, worker, threads)  # libraries start threads of their own
    with _OPENING:
        allocator.keep_blocks()
    _leave_first_to_caller(cores)
    # OpenMP ends threads in a section of fewer, and starts them anew where this one may run.
    renewed = 1 < threads < program.wide_threads
    os.sched_setaffinity(0, cores if renewed else cores[:1])
    torch.set_num_threads(program.threads_of(worker, threads))
    shared.done[worker].release()
    number, mode, at = shared.number, shared.mode, shared.at[worker]

    sends = {name: port.sender(number) for name, port in shared.ports.items()}

    def receive(name: str) -> Any:
        if name in shared.inputs:
            return shared.inputs[name]
        return shared.ports[name].receive(worker, number[0])

    def send(name: str, value: Any) -> None:
        sends[name](value)

    def buffer(name: str) -> Any:
        return shared.ports[name].buffers[0]

    timed = weave_progress(program, worker, at)
    traced = weave_stamps(program, worker, shared.stamps[worker], time.perf_counter_ns)
    functions = {RUN: timed.call, TRACE: traced.call}
    start, done = shared.starts[worker], shared.done[worker]
    with torch.inference_mode():
        while True:
            start.acquire()
            if mode[0] == STOP:
                return
            functions[mode[0]](weights, receive, send, buffer)
            at[0] = IDLE
            done.release()


def serve_all(
    program: Program, weights: Mapping[str, Any], shared: Shared, threads: int, errors: int
) -> None:
    """Serve every cluster from a thread of its own; the first that raises ends the process."""

    def work(cluster: int) -> None:
        try:
            serve(program, weights, shared, cluster, threads)
        except BaseException as error:  # noqa: BLE001 - everything is told to the caller
            os.write(errors, report(error, cluster))
            os._exit(1)

    workers = [threading.Thread(target=work, args=(c,)) for c in range(program.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def prepared(
    program: Program, weights: Mapping[str, Any], worker: int, threads: int
) -> Mapping[str, Any]:
    """The weights, with those recipes built that this cluster names."""
    text = program.functions[worker] if program.functions else program.source
    built = {}
    for name, weight in weights.items():
        if isinstance(weight, Recipe) and f'w["{name}"]' in text:
            wanted = program.wide_threads if name in program.wide_weights else threads
            torch.set_num_threads(wanted)
            built[name] = weight.build(wanted)
    return {**weights, **built}


def threads_now() -> set[int]:
    """Ids of the threads of this process."""
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def _open_pool(cores: tuple[int, ...], threads: int) -> None:
    """Start the threads of torch's operators, and pin each to a core, the caller to the first.

    Unpinned, two of them may share a core while another one idles: ResNet-50 with two threads
    took 73 ms instead of 49 on two cores. The caller may run on all of the cores until it pins
    itself, since threads that it starts later inherit what it may do.
    """
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(threads)
    if threads == 1:
        return
    before = threads_now()
    torch.ones(threads, PART_ITEMS).sqrt_()
    for i, thread in enumerate(sorted(threads_now() - before), start=1):
        os.sched_setaffinity(thread, cores[i % len(cores) :][:1])


def _leave_first_to_caller(cores: tuple[int, ...]) -> None:
    """Keep the threads that libraries have started off the core that the caller pins itself to.

    They compute beside it. Left alone, OpenVINO's second thread at times stayed on the caller's
    core for many inferences while the other one idled: a BERT took 11 ms instead of 6.4, and the
    tuner dropped what was the fastest.
    """
    if len(cores) == 1:
        return
    for thread in threads_now() - {threading.get_native_id()}:
        with suppress(ProcessLookupError):
            if os.sched_getaffinity(thread) == set(cores):  # not pinned, nor another cluster's
                os.sched_setaffinity(thread, cores[1:])


def die_with(launcher: int) -> None:
    """Ask the kernel to kill this worker when its launcher is gone, however that ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:  # it was gone before the kernel was asked
        os._exit(1)


def report(error: BaseException, cluster: int) -> bytes:
    """Why a worker gave up, as its caller reads it from the pipe."""
    text = (str(error).strip().splitlines() or [""])[0]
    sentence = text if text.endswith(".") else f"{text}."
    said = {"cluster": cluster, "type": type(error).__name__, "message": sentence[:1000]}
    return json.dumps(said).encode()
