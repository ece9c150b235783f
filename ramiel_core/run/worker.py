"""A worker's side of a program: wait for a start signal, run one cluster, say that it is done."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import torch

from ramiel_core.ir import Program, Recipe
from ramiel_core.run import host
from ramiel_core.run.shared import IDLE, RUN, STOP, TRACE, Shared
from ramiel_core.run.weave import weave_progress, weave_stamps

REPORT_BYTES = 4096
PR_SET_PDEATHSIG = 1


def serve(
    program: Program, weights: Mapping[str, Any], shared: Shared, worker: int, threads: int
) -> None:
    """Run cluster `worker` once for every start signal, until told to stop."""
    os.sched_setaffinity(0, host.cores_for(worker, threads))
    torch.set_num_threads(threads)
    weights = prepared(program, weights, worker, threads)
    number, mode, at = shared.number, shared.mode, shared.at[worker]

    def receive(name: str) -> Any:
        if name in shared.inputs:
            return shared.inputs[name]
        return shared.ports[name].receive(worker, number[0])

    def send(name: str, value: Any) -> None:
        shared.ports[name].send(value, number[0])

    def buffer(name: str) -> Any:
        return shared.ports[name].buffers[0]

    timed = weave_progress(program, worker, at)
    traced = weave_stamps(program, worker, shared.stamps[worker], time.perf_counter_ns)
    functions = {RUN: timed.call, TRACE: traced.call}
    start, done = shared.starts[worker], shared.done
    with torch.inference_mode():
        while True:
            start.acquire()
            if mode[0] == STOP:
                return
            functions[mode[0]](weights, receive, send, buffer)
            at[0] = IDLE
            done.release()


def prepared(
    program: Program, weights: Mapping[str, Any], worker: int, threads: int
) -> Mapping[str, Any]:
    """The weights, with those recipes built that this cluster names."""
    text = program.functions[worker] if program.functions else program.source
    built = {
        name: weight.build(threads)
        for name, weight in weights.items()
        if isinstance(weight, Recipe) and f'w["{name}"]' in text
    }
    return {**weights, **built}


def die_with(launcher: int) -> None:
    """Ask the kernel to kill this worker when its launcher is gone, however that ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:  # it was gone before the kernel was asked
        os._exit(1)


def report(error: BaseException) -> bytes:
    """Why a worker gave up, as its caller reads it from the pipe."""
    text = (str(error).strip().splitlines() or [""])[0]
    sentence = text if text.endswith(".") else f"{text}."
    return json.dumps({"type": type(error).__name__, "message": sentence[:1000]}).encode()
