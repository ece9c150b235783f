"""What operators and sends cost on this host, measured in workers as they run for real."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from ramiel_core.ir import Channel, Layout, Program, TensorSpec, Timeline
from ramiel_core.run.channels import SignalKind
from ramiel_core.run.forked import Team
from ramiel_core.run.worker import PART_ITEMS

WARM_UPS = 3
WARM_UP_S = 1.0  # enough of them: what takes that long fills caches and wakes threads in one
LEAST_ROUNDS, MOST_ROUNDS = 3, 21
BUDGET_S = 3.0  # for the rounds of one model, beyond the least
SEND_BYTES = (4096, 65536, 262144, 1048576, 4194304)
FETCH_BYTES = 1048576
SEND_ROUNDS = 15
SWITCHES = 8  # wide sections of the program that measures what one costs
SWITCH_ROUNDS = 15
STEADY_MS = 20.0  # of inferences before one is timed: a core that has paused is slow at first
TIMED_MS = 5.0  # of inferences that are timed then: of a millisecond each, single ones scatter
GAP_S = 0.003  # between teams: OpenMP threads of the last one spin that long, then sleep
PAUSE_S = 0.001  # between sends: a receiver waits about that long, as in a real run


def operator_costs(*teams: Team) -> list[dict[str, float]]:
    """Milliseconds of each operator, from traced inferences of sequential teams in turn.

    Steady state (after warming up), values freed at last use, pinned, median of 3 to 21 rounds.

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
        warm_up(team.run)
    traces: list[list[Timeline]] = [[] for _ in teams]
    ends = time.monotonic() + BUDGET_S
    for done in range(MOST_ROUNDS):
        if done >= LEAST_ROUNDS and time.monotonic() > ends:
            break
        for team, found in zip(teams, traces, strict=True):
            found.append(warmed(team).trace())
    return [operator_medians(found) for found in traces]


def warm_up(run: Callable[[], object]) -> None:
    """Call `run` up to `WARM_UPS` times, but not again after `WARM_UP_S`."""
    ends = time.monotonic() + WARM_UP_S
    for _ in range(WARM_UPS):
        run()
        if time.monotonic() > ends:
            break


def warmed(team: Team) -> Team:
    """`team`, right after inferences of its own that nobody times, as in a user's loop.

    After one of another team the caches hold that one's values and weights, which made inferences
    2 to 5 % slower here, and more so for whoever comes after the larger one; and after a pause a
    core needs a while: MobileNet takes 3.2 ms after one inference, 2.5 after 20 ms of them.
    """
    time.sleep(GAP_S)
    make_steady(team.run)
    return team


def make_steady(infer: Callable[[], float], before_ms: float = 0.0) -> None:
    """Call `infer`, which says how many ms it took, until that is `STEADY_MS` with `before_ms`."""
    while before_ms < STEADY_MS:
        before_ms += infer()


def steady_ms(infer: Callable[[], float], before_ms: float = 0.0) -> float:
    """What an inference takes in a user's loop.

    Parameters
    ----------
    infer : callable
        One inference; returns how many ms it took.
    before_ms : float
        Of inferences that were done right before.

    Returns
    -------
    float
        The median in ms of the inferences in `TIMED_MS`, one at least, after `STEADY_MS` of others.
    """
    make_steady(infer, before_ms)
    times_ms = [infer()]
    while sum(times_ms) < TIMED_MS:
        times_ms.append(infer())
    return statistics.median(times_ms)


def operator_medians(traces: Iterable[Timeline]) -> dict[str, float]:
    """Median time in ms of every operator over several traced inferences."""
    found: dict[str, list[float]] = defaultdict(list)
    for trace in traces:
        for bar in trace.bars:
            if bar.kind == "compute":
                found[bar.name].append(bar.end_ms - bar.start_ms)
    return {name: statistics.median(times) for name, times in found.items()}


def computed_ms(trace: Timeline) -> float:
    """What all operators of a traced inference took together."""
    return sum(bar.end_ms - bar.start_ms for bar in trace.bars if bar.kind == "compute")


def operator_shares(
    traces: Sequence[Timeline], inference_ms: float | None = None
) -> dict[str, float]:
    """Time in ms of every operator, as medians that add up to a median inference.

    What disturbs a host hits few operators of an inference, and others in the next one. So each
    median leaves it out, and their sum is what hardly an inference takes: on a busy host 3 to 50 %
    less than the median one. Each operator carries its share of that.

    Parameters
    ----------
    traces : sequence of Timeline
        Of the same program, at least one.
    inference_ms : float, optional
        What the operators add up to; default: their median sum in the traces.

    Examples
    --------
    >>> from ramiel_core.ir import Bar
    >>> def inference(a_ms, b_ms):
    ...     bars = Bar(0, "a", "compute", 0.0, a_ms), Bar(0, "b", "compute", a_ms, a_ms + b_ms)
    ...     return Timeline(bars, a_ms + b_ms)
    >>> traces = [inference(1.0, 3.0), inference(3.0, 3.0), inference(1.0, 5.0)]
    >>> operator_shares(traces)
    {'a': 1.5, 'b': 4.5}
    >>> operator_shares(traces, 8.0)
    {'a': 2.0, 'b': 6.0}
    """
    medians = operator_medians(traces)
    if inference_ms is None:
        inference_ms = statistics.median(map(computed_ms, traces))
    alone_ms = sum(medians.values())
    scale = inference_ms / alone_ms if alone_ms else 1.0
    return {name: ms * scale for name, ms in medians.items()}


def send_line(signals: SignalKind = "fast") -> tuple[float, float, float, float, float]:
    """Fit `copy_call_ms + bytes / bytes_per_ms + signal_ms` to sends between two workers.

    And `fetch_call_ms + bytes / fetch_bytes_per_ms` to what the first operator that reads a value
    takes longer than the next one, since the value lies in the sender's caches: up to
    `FETCH_BYTES`, beyond which it lies in nobody's.

    Returns
    -------
    tuple of float
        signal_ms, bytes_per_ms, copy_call_ms, fetch_call_ms and fetch_bytes_per_ms, as
        `graph.costs.SendLine` takes them.
    """
    program, weights = _sending_program()
    copies: dict[str, list[float]] = defaultdict(list)
    fetches: dict[str, list[float]] = defaultdict(list)
    delays: list[float] = []
    with Team(program, weights, (torch.zeros(1),), signals=signals) as team:
        team.run()
        for _ in range(SEND_ROUNDS):
            bars = team.trace().bars
            copied = {b.name: b for b in bars if b.kind == "copy" and b.worker == 0}
            waited = {b.name: b for b in bars if b.kind == "wait" and b.worker == 1}
            took_ms = {b.name: b.end_ms - b.start_ms for b in bars if b.kind == "compute"}
            for name, bar in copied.items():
                fetches[name].append(took_ms[f"{name}_first"] - took_ms[f"{name}_next"])
                if name in waited:
                    copies[name].append(bar.end_ms - bar.start_ms)
                    delays.append(waited[name].end_ms - bar.end_ms)
    signal_ms = max(0.0, statistics.median(delays))
    copy_call_ms, bytes_per_ms = _line(copies, SEND_BYTES)
    fetch_call_ms, fetch_bytes_per_ms = _line(fetches, [b for b in SEND_BYTES if b <= FETCH_BYTES])
    return signal_ms, bytes_per_ms, copy_call_ms, fetch_call_ms, fetch_bytes_per_ms


def _line(times_ms: Mapping[str, Sequence[float]], sizes: Sequence[int]) -> tuple[float, float]:
    """What a call takes, and bytes a ms beyond that; of `sizes`, whose values are v0, v1, ..."""
    medians = [statistics.median(times_ms[f"v{i}"]) for i in range(len(sizes))]
    per_byte, call_ms = np.polyfit(sizes, medians, 1)
    return max(float(call_ms), 0.0), 1.0 / max(float(per_byte), 1e-10)


def _sending_program() -> tuple[Program, dict[str, Any]]:
    """Two clusters: the first sends values of growing size with pauses, the second reads each."""
    sizes = range(len(SEND_BYTES))
    specs = [TensorSpec((b // 4,), (1,), "float32") for b in SEND_BYTES]
    sends = "\n".join(f'    v{i} = w["make"]({i})\n    send("v{i}", v{i})' for i in sizes)
    receives = "\n".join(
        f'    v{i} = receive("v{i}")\n    v{i}_first = v{i}.sum()\n    v{i}_next = v{i}.sum()'
        for i in sizes
    )
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


def switch_cost(
    threads: int, wide_threads: int, signals: SignalKind = "fast", workers: int = 2
) -> float:
    """What it costs to run a section wide between two that are not, beside its operators.

    Its worker raises its thread count, its first operator wakes threads that have gone to sleep,
    and after its last one these spin on cores whose own workers are woken meanwhile.

    Parameters
    ----------
    threads, wide_threads : int
        Of each worker outside, and of the one worker inside such a section.
    signals : {"fast", "queue"}
        How workers signal.
    workers : int
        Side by side before and after such a section; at least 2.

    Returns
    -------
    float
        Milliseconds, the median over rounds; 0 where the two counts are equal.
    """
    if threads == wide_threads:
        return 0.0
    with ExitStack() as stack:
        teams = []
        for operators in range(3):
            program, weights = _switching_program(operators, threads, wide_threads, workers)
            team = Team(program, weights, (torch.zeros(1),), threads=threads, signals=signals)
            teams.append(stack.enter_context(team))
        rounds = [_in_turn(teams) for _ in range(WARM_UPS + SWITCH_ROUNDS)]
    # The second operator of a section finds all threads awake: that is what one takes by itself.
    costs = [(one - none) - (two - one) for none, one, two in rounds[WARM_UPS:]]
    return max(0.0, statistics.median(costs) / SWITCHES)


def _in_turn(teams: Iterable[Team]) -> list[float]:
    """Makespan in ms of one inference of each."""
    found = []
    for team in teams:
        time.sleep(GAP_S)
        found.append(team.run())
    return found


def _switching_program(
    operators: int, threads: int, wide_threads: int, workers: int
) -> tuple[Program, dict[str, Any]]:
    """Clusters side by side, `SWITCHES` times, and before each time so many wide operators."""
    followers = tuple(range(1, workers))
    leads: list[str] = []
    for i in range(SWITCHES):
        wide = [f'w{i}_{k} = w["wide"].sqrt_()' for k in range(operators)]
        leads += [f"torch.set_num_threads({wide_threads})", *wide] if wide else []
        leads.append(f'send("a{i}", w["value"])')
        leads += [f"torch.set_num_threads({threads})"] if wide else []
        leads.append(f'o{i} = w["busy"]()')
        leads += [f'b{i}_{f} = receive("b{i}_{f}")' for f in followers]
    source = (
        f"import torch\n\n\n"
        f'def cluster_0(w, receive, send, shared):\n    """Wide at times."""\n{_lines(leads)}\n\n'
    )
    for f in followers:
        follows = [
            f'a{i} = receive("a{i}")\n    b{i}_{f} = w["busy"]()\n    send("b{i}_{f}", b{i}_{f})'
            for i in range(SWITCHES)
        ]
        source += f'\ndef cluster_{f}(w, receive, send, shared):\n    """Follows."""\n'
        source += f"{_lines(follows)}\n\n"
    source += '\ndef result():\n    """Nothing."""\n'
    spec = TensorSpec((1,), (1,), "float32")
    channels = tuple(
        channel
        for i in range(SWITCHES)
        for channel in (
            Channel(f"a{i}", 0, followers, (spec,)),
            *(Channel(f"b{i}_{f}", f, (0,), (spec,)) for f in followers),
        )
    )
    program = Program(
        "switches",
        source,
        workers,
        channels,
        (("x", spec),),
        Layout.apart(channels),
        wide_threads=wide_threads,
    )
    value = torch.ones(1)
    wide_value = torch.ones(wide_threads, PART_ITEMS)
    return program, {"value": value, "wide": wide_value, "busy": lambda: _busy(value)}


def _lines(statements: Iterable[str]) -> str:
    return "\n".join(f"    {statement}" for statement in statements)
