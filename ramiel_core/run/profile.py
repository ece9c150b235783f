"""What operators and sends cost on this host, measured in workers as they run for real."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from ramiel_core.ir import Channel, Layout, Program, TensorSpec, Timeline
from ramiel_core.run.channels import SignalKind
from ramiel_core.run.forked import Team

WARM_UPS = 3
LEAST_ROUNDS, MOST_ROUNDS = 5, 21
BUDGET_S = 3.0  # for the rounds of one model, beyond the least
SEND_BYTES = (4096, 65536, 262144, 1048576, 4194304)
SEND_ROUNDS = 15
GAP_S = 0.003  # between teams: OpenMP threads of the last one spin that long, then sleep
PAUSE_S = 0.001  # between sends: a receiver that waits that long is asleep, as in a real run


def operator_costs(*teams: Team) -> list[dict[str, float]]:
    """Milliseconds of each operator, from traced inferences of sequential teams in turn.

    Steady state (after `WARM_UPS`), values freed at last use, pinned, median of 5 to 21 rounds.

    Parameters
    ----------
    *teams : Team
        Of sequential programs, so that nobody else uses the memory meanwhile; several where the
        same operators are computed by different calls, which only compare if they take turns.

    Returns
    -------
    list of dict
        By operator name, one for each team.
    """
    for team in teams:
        for _ in range(WARM_UPS):
            team.run()
    traces: list[list[Timeline]] = [[] for _ in teams]
    ends = time.monotonic() + BUDGET_S
    for done in range(MOST_ROUNDS):
        if done >= LEAST_ROUNDS and time.monotonic() > ends:
            break
        for team, found in zip(teams, traces, strict=True):
            time.sleep(GAP_S)
            found.append(team.trace())
    return [operator_medians(found) for found in traces]


def operator_medians(traces: Iterable[Timeline]) -> dict[str, float]:
    """Median time in ms of every operator over several traced inferences."""
    found: dict[str, list[float]] = defaultdict(list)
    for trace in traces:
        for bar in trace.bars:
            if bar.kind == "compute":
                found[bar.name].append(bar.end_ms - bar.start_ms)
    return {name: statistics.median(times) for name, times in found.items()}


def send_line(signals: SignalKind = "fast") -> tuple[float, float, float]:
    """Fit `copy_call_ms + bytes / bytes_per_ms + signal_ms` to sends between two workers.

    Returns
    -------
    tuple of float
        signal_ms, bytes_per_ms and copy_call_ms, as `graph.costs.SendLine` takes them.
    """
    program, weights = _sending_program()
    copies: dict[str, list[float]] = defaultdict(list)
    delays: list[float] = []
    with Team(program, weights, (torch.zeros(1),), signals=signals) as team:
        team.run()
        for _ in range(SEND_ROUNDS):
            bars = team.trace().bars
            copied = {b.name: b for b in bars if b.kind == "copy" and b.worker == 0}
            waited = {b.name: b for b in bars if b.kind == "wait" and b.worker == 1}
            for name, bar in copied.items():
                if name in waited:
                    copies[name].append(bar.end_ms - bar.start_ms)
                    delays.append(waited[name].end_ms - bar.end_ms)
    costs = [statistics.median(copies[f"v{i}"]) for i in range(len(SEND_BYTES))]
    per_byte, call_ms = np.polyfit(SEND_BYTES, costs, 1)
    return (
        max(0.0, statistics.median(delays)),
        1.0 / max(float(per_byte), 1e-10),
        max(float(call_ms), 0.0),
    )


def _sending_program() -> tuple[Program, dict[str, Any]]:
    """Two clusters: the first sends values of growing size with pauses, the second receives."""
    sizes = range(len(SEND_BYTES))
    specs = [TensorSpec((b // 4,), (1,), "float32") for b in SEND_BYTES]
    sends = "\n".join(f'    v{i} = w["make"]({i})\n    send("v{i}", v{i})' for i in sizes)
    receives = "\n".join(f'    v{i} = receive("v{i}")' for i in sizes)
    source = (
        f'def cluster_0(w, receive, send, shared):\n    """Sends."""\n{sends}\n\n\n'
        f'def cluster_1(w, receive, send, shared):\n    """Receives."""\n{receives}\n\n\n'
        f'def result():\n    """Nothing."""\n'
    )
    channels = tuple(Channel(f"v{i}", 0, (1,), (specs[i],)) for i in sizes)
    inputs = (("x", TensorSpec((1,), (1,), "float32")),)
    program = Program("sends", source, 2, channels, inputs, Layout.apart(channels))
    values = [torch.ones(spec.shape) for spec in specs]
    return program, {"make": lambda i: _busy(values[i])}


def _busy(value: torch.Tensor) -> torch.Tensor:
    """Compute for `PAUSE_S`, then write `value`: a core that has slept copies slower.

    With torch, which releases the interpreter lock: the thread that writes a queue's signals
    needs it.
    """
    work = torch.ones(128, 128)
    ends = time.perf_counter() + PAUSE_S
    while time.perf_counter() < ends:
        work = work @ work
    return value.fill_(1.0)
