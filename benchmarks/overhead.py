"""What does the run-time itself cost?  `python -m benchmarks.overhead [--out FILE]`.

(a) One inference of a program that computes nothing, on two workers: from the call to the result;
    in turns with what it cannot do without, waking one bare process on another core and hearing
    from it.
(b) One send of 4 KB and one of 4 MB to another worker, beside a copy of the same size between
    two touched buffers of the sender's own, in turns with it; and one to a worker that sleeps,
    beside what the kernel takes to wake a bare process from the same core.
Exit code 0 only if all are within their targets.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ramiel_core.ir import CALLER, Channel, Layout, Program, TensorSpec
from ramiel_core.run import host
from ramiel_core.run.channels import semaphore, taken
from ramiel_core.run.forked import CALLER_S, Team
from ramiel_core.run.host import LAUNCHER_ENVIRONMENT
from ramiel_core.run.worker import die_with

SIZES = {"4 KB": 4096, "4 MB": 4 << 20, "4 KB to one asleep": 4096}
EMPTY_US, SMALL_SEND_US, LARGE_SEND_RATIO = 60.0, 15.0, 1.3  # the targets
# Of computing before each value and each copy. A receiver waits for both: 1 ms, after which it
# still tries, as 9 of 10 do in a plan; or 3 ms, after which it sleeps.
PAUSES_S = (0.0005, 0.0005, 0.0015)
GAP_S = 0.001  # between inferences: workers are asleep then, as between a user's
ONE = TensorSpec((1,), (1,), "float32")

Row = dict[str, Any]


def main() -> None:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    _become_launcher()
    load = os.getloadavg()[0]
    rows = [*empty_inferences(options.repeats), *sends(max(20, options.repeats // 5))]
    table = Table(title=f"{host.processor()}, {len(host.cores())} cores, load {load:.2f}")
    for column in ("what", "median", "quartiles", "target", "met"):
        table.add_column(column)
    for row in rows:
        low, middle, high = row["quartiles"]
        target = row.get("target")
        met = row.get("met")
        table.add_row(
            row["what"],
            f"{middle:.2f} {row['unit']}",
            f"{low:.2f}-{high:.2f}",
            f"{target:g}" if target else "",
            {True: "yes", False: "NO", None: ""}[met],
        )
    Console(width=120).print(table)
    if options.out:
        told = {"host": {**host.facts(), "load_1min": load}, "rows": rows}
        options.out.write_text(json.dumps(told, indent=1))
    sys.exit(0 if all(row.get("met", True) for row in rows) else 1)


def _become_launcher() -> None:
    """Start anew with one thread for every library, as `python -m ramiel_core launch` does."""
    if any(os.environ.get(key) != value for key, value in LAUNCHER_ENVIRONMENT.items()):
        again = [sys.executable, "-m", "benchmarks.overhead", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, **LAUNCHER_ENVIRONMENT})  # noqa: S606 - us
    torch.set_num_threads(1)


def row(what: str, values: Sequence[float], unit: str, target: float | None = None) -> Row:
    """Median and quartiles, and whether the target is met."""
    quartiles = statistics.quantiles(values, n=4)
    found: Row = {"what": what, "quartiles": quartiles, "unit": unit}
    return found if target is None else {**found, "target": target, "met": quartiles[1] <= target}


# --- (a) an empty program -------------------------------------------------------------------


def empty_inferences(repeats: int) -> list[Row]:
    """Two clusters that hand an input on: without an edge between them, and with one."""
    apart = _program(
        '    x = receive("x")\n    send("a", x)\n', '    x = receive("x")\n    send("b", x)\n'
    )
    chained = _program(
        '    x = receive("x")\n    send("a", x)\n', '    a = receive("a")\n    send("b", a)\n'
    )
    found = []
    with (
        Team(apart, {}, (torch.zeros(1),)) as first,
        Team(chained, {}, (torch.zeros(1),)) as second,
        _bare_process() as (bell, answer),
    ):

        def woken() -> None:
            everywhere = os.sched_getaffinity(0)
            os.sched_setaffinity(0, host.cores_for(0, 1))  # as a team's caller does
            bell.release()
            if not taken(answer, CALLER_S):
                answer.acquire()
            os.sched_setaffinity(0, everywhere)

        cases: dict[str, tuple[Callable[[], Any], float]] = {
            "a bare process woken, 1 ms apart": (woken, GAP_S),
            "a bare process woken, back to back": (woken, 0.0),
            "empty, two workers, 1 ms apart": (lambda: _result(first), GAP_S),
            "empty, two workers, back to back": (lambda: _result(first), 0.0),
            "the same but for its output, 1 ms apart": (first.run, GAP_S),
            "the same but for its output, back to back": (first.run, 0.0),
            "one edge between them, 1 ms apart": (lambda: _result(second), GAP_S),
            "one edge between them, back to back": (lambda: _result(second), 0.0),
        }
        times: dict[str, list[float]] = {what: [] for what in cases}
        for _ in range(repeats):
            for what, (infer, gap_s) in cases.items():
                infer()
                if gap_s:
                    time.sleep(gap_s)
                start = time.perf_counter_ns()
                infer()
                times[what].append((time.perf_counter_ns() - start) / 1e3)
    for what, values in times.items():
        target = EMPTY_US if what.startswith("empty") else None
        found.append(row(what, values, "µs", target))
    return found


@contextmanager
def _bare_process() -> Iterator[tuple[Any, Any]]:
    """A process on another core that does nothing but answer: what wakes it, and its answer."""
    start, done = semaphore(), semaphore()
    pid = os.fork()
    if not pid:
        die_with(os.getppid())
        os.sched_setaffinity(0, host.cores_for(1, 1))
        while True:
            start.acquire()
            done.release()
    try:
        yield start, done
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _result(team: Team) -> Any:
    team.run()
    return team.output()


def _program(first: str, second: str) -> Program:
    edge = (1, CALLER) if 'receive("a")' in second else (CALLER,)
    source = (
        f'def cluster_0(w, receive, send, shared):\n    """First."""\n{first}\n\n'
        f'def cluster_1(w, receive, send, shared):\n    """Second."""\n{second}\n\n'
        f'def result(a, b):\n    """Both."""\n    return a, b\n'
    )
    channels = (Channel("a", 0, edge, (ONE,)), Channel("b", 1, (CALLER,), (ONE,)))
    return Program("empty", source, 2, channels, (("x", ONE),), Layout.apart(channels))


# --- (b) sends ------------------------------------------------------------------------------


def sends(repeats: int) -> list[Row]:
    """Sends and plain copies of each size, in turns, from traced inferences."""
    times: dict[str, list[float]] = defaultdict(list)
    with _bare_process() as (bell, _), Team(*_sending(bell), (torch.zeros(1),)) as team:
        for _ in range(3):
            team.trace()
        for _ in range(repeats):
            at = {(b.worker, b.kind, b.name): b for b in team.trace().bars}
            for number, size in enumerate(SIZES):
                sent, copied = at[0, "copy", f"v{number}"], at[0, "compute", f"copied{number}"]
                seen = at[1, "wait", f"v{number}"]
                times[f"send of {size}, sender's time"].append(sent.end_ms - sent.start_ms)
                times[f"send of {size}, until seen"].append(seen.end_ms - sent.start_ms)
                if "asleep" not in size:
                    times[f"memcpy of {size}"].append(copied.end_ms - copied.start_ms)
            woken = at[0, "compute", "woken"]
            times["a bare process woken, waker's time"].append(woken.end_ms - woken.start_ms)
    found = []
    for what, values in times.items():
        small = what.startswith("send of 4 KB") and what.endswith("sender's time")
        found.append(row(what, [v * 1e3 for v in values], "µs", SMALL_SEND_US if small else None))
    pairs = zip(times["send of 4 MB, sender's time"], times["memcpy of 4 MB"], strict=True)
    ratios = [sent / copied for sent, copied in pairs]
    found.append(row("send of 4 MB / memcpy of 4 MB", ratios, "", LARGE_SEND_RATIO))
    return found


def _sending(bare: Any) -> tuple[Program, dict[str, Any]]:
    """The first cluster copies within itself and sends, by turns; the second reads what comes.

    In the end the first wakes a bare process, which sleeps on the semaphore `bare`.
    """
    specs = [TensorSpec((size // 4,), (1,), "float32") for size in SIZES.values()]
    first, second = "", ""
    for i in range(len(specs)):
        first += (
            f'    made{i} = w["make"]({i})\n    copied{i} = w["copy"]({i})\n'
            f'    v{i} = w["make"]({i})\n    send("v{i}", v{i})\n'
        )
        second += f'    v{i} = receive("v{i}")\n    read{i} = v{i}.sum()\n'
    first += f'    last = w["make"]({i})\n    woken = w["wake"]()\n'
    source = (
        f'def cluster_0(w, receive, send, shared):\n    """Sends."""\n{first}\n\n'
        f'def cluster_1(w, receive, send, shared):\n    """Receives."""\n{second}\n\n'
        f'def result():\n    """Nothing."""\n'
    )
    channels = tuple(Channel(f"v{i}", 0, (1,), (spec,)) for i, spec in enumerate(specs))
    values = [torch.ones(spec.shape) for spec in specs]
    own = [torch.ones(spec.shape) for spec in specs]  # of the worker's, after its first write

    def make(i: int) -> torch.Tensor:
        """Compute a while, then write the value, as an operator would just have."""
        work, ends = torch.ones(128, 128), time.perf_counter() + PAUSES_S[i]
        while time.perf_counter() < ends:
            work = work @ work
        return values[i].fill_(1.0)

    weights = {"make": make, "copy": lambda i: own[i].copy_(values[i]), "wake": bare.release}
    program = Program("sends", source, 2, channels, (("x", ONE),), Layout.apart(channels))
    return program, weights


if __name__ == "__main__":
    main()
