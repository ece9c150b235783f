"""What the tests of the run-time do inside a fresh process; each returns facts, asserts nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from ramiel_core import pipeline
from ramiel_core.agreement import agreement, same_bits
from ramiel_core.errors import RamielError
from ramiel_core.ir import CALLER, Channel, Layout, Parcel, Program, Recipe, TensorSpec
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run import host
from ramiel_core.run.forked import Team
from ramiel_core.run.profile import switch_cost
from ramiel_core.run.worker import threads_now
from tests.graphs import any_order_plan, computing, dealt_plan, shape
from tests.run.modules import expected, make

LEAVING_S = 10.0  # for threads that have been joined
PAIR = TensorSpec((2,), (1,), "float32")
SETTINGS: dict[str, dict[str, Any]] = {
    "one worker": {"workers": 1},
    "two workers": {"workers": 2},
    "three workers": {"workers": 3},
    "any order": {"workers": 2, "seed": 5},
    "two threads": {"workers": 2, "threads": 2},
    "queue": {"workers": 2, "signals": "queue"},
    "threads of one process": {"workers": 3, "runtime": "threads"},
    "every other operator wide": {"workers": 2, "wide": 2},
    "more workers than cores": {"workers": 4, "cores": 1},
}


def outputs_of(names: list[str], settings: list[str]) -> dict[str, dict[str, str]]:
    """For each module and setting "equal", or what went wrong; three inferences each."""
    found = {}
    for name in names:
        module, inputs = make(name)
        parcel = pipeline.parcel_of(trace(module, tuple(t.clone() for t in inputs), name))
        found[name] = {s: _outcome(name, parcel, **SETTINGS[s]) for s in settings}
    return found


def _outcome(
    name: str,
    parcel: Parcel,
    workers: int,
    seed: int | None = None,
    cores: int | None = None,
    wide: int = 1,
    **how: Any,
) -> str:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    host.cores.cache_clear()
    try:
        _, inputs = make(name)
        graph = pipeline.weigh(parcel.graph, "unit")
        dealt = dealt_plan(graph, workers)
        plan = dealt if seed is None else any_order_plan(graph, workers, seed)
        tolerance = 0.0 if wide == 1 else 1e-5  # kernels may split their sums by threads
        if wide > 1:
            names = tuple(node.name for node in graph.nodes[::2])
            plan = replace(plan, wide=names, wide_threads=wide)
        wanted = expected(name)
        if how.get("threads", 1) > 1:  # kernels may split their sums by threads: other bits
            alone = pipeline.program_of(graph, sequential_plan(graph))
            with Team(alone, parcel.weights, inputs, limit_s=20.0, **how) as team:
                team.run()
                wanted = team.output()
        program = pipeline.program_of(graph, plan)
        with Team(program, parcel.weights, inputs, limit_s=20.0, **how) as team:
            for inference in range(3):
                team.run()
                if not agreement(team.output(), wanted, tolerance)[0]:
                    return f"inference {inference} differs"
            team.trace()
            if not agreement(team.output(), wanted, tolerance)[0]:
                return "the traced inference differs"
    except Exception as error:  # noqa: BLE001 - the test shows it
        return f"{type(error).__name__}: {error}"
    finally:
        os.sched_setaffinity(0, allowed)
        host.cores.cache_clear()
    return "equal"


def idle_team(workers: int = 2, **how: Any) -> Team:
    """Workers that have hardly anything to do."""
    graph = pipeline.weigh(computing(shape("fork_join")), "unit")
    plan = dealt_plan(graph, workers)
    return Team(pipeline.program_of(graph, plan), {}, (), **how)


# --- the caller's side ----------------------------------------------------------------------


def change_inputs() -> dict[str, Any]:
    """Results follow the inputs that are set; outputs of before stay as they were."""
    module, inputs = make("input_unchanged")
    parcel = pipeline.parcel_of(trace(module, inputs, "inputs"))
    program = pipeline.program_of(parcel.graph, dealt_plan(parcel.graph, 2))
    with Team(program, parcel.weights, inputs) as team:
        team.run()
        first, copy = team.output(), [t.clone() for t in team.output()]
        team.set_inputs((inputs[0] + 1,))
        team.run()
        with torch.no_grad():
            wanted = module(inputs[0] + 1)
        return {
            "follows": same_bits(team.output(), wanted),
            "kept": [torch.equal(a, b) for a, b in zip(first, copy, strict=True)],
        }


def where_the_caller_may_run(workers: int, runtime: str) -> dict[str, list[int]]:
    """Cores that the caller may use: before, when each worker looked at it, and after."""
    caller, everywhere = os.getpid(), os.sched_getaffinity(0)
    clusters = [
        f'''
def cluster_{c}(w, receive, send, shared):
    """Looks at its caller."""
    seen{c} = w["look"]()
    send("seen{c}", seen{c})
'''
        for c in range(workers)
    ]
    names = [f"seen{c}" for c in range(workers)]
    listed = ", ".join(names)
    source = "\n".join([*clusters, f'def result({listed}):\n    """All."""\n    return {listed},'])

    def look() -> torch.Tensor:
        cores = os.sched_getaffinity(caller)
        return torch.tensor([float(len(cores)), float(min(cores))])

    channels = tuple(Channel(name, c, (CALLER,), (PAIR,)) for c, name in enumerate(names))
    layout = Layout.apart(channels)
    program = Program("looking", source, workers, channels, (("x", PAIR),), layout)
    with Team(program, {"look": look}, (torch.zeros(2),), runtime=runtime) as team:  # type: ignore[arg-type]
        team.run()
        seen = [int(core) for count, core in (t.tolist() for t in team.output()) if count == 1]
    return {
        "before": sorted(everywhere),
        "seen": seen,
        "after": sorted(os.sched_getaffinity(0)),
    }


def trace_bars(signals: str) -> dict[str, Any]:
    """The bars of one traced inference beside the program's statements."""
    with idle_team(signals=signals) as team:
        team.run()
        timeline = team.trace()
        bars = [[b.worker, b.name, b.kind, b.start_ms, b.end_ms] for b in timeline.bars]
        return {"bars": bars, "makespan_ms": timeline.makespan_ms, "source": team.program.source}


def fork_with_threads() -> list[str]:
    """Try to fork while a second thread lives."""
    import threading

    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        idle_team().run()
    except RamielError as error:
        return [type(error).__name__, str(error)]
    finally:
        stop.set()
        thread.join()
    return ["forked", ""]


def threads_after_tracing(names: list[str]) -> dict[str, int]:
    """Threads of this process once it has traced and run a model; more than one may not fork."""
    found = {}
    for name in names:
        pipeline.parcel_of(trace(*make(name), name))
        found[name] = _threads_that_stay()
    return found


def _threads_that_stay() -> int:
    """One that was joined is a moment later gone from the system's list as well."""
    ends = time.monotonic() + LEAVING_S
    while (threads := len(threads_now())) > 1 and time.monotonic() < ends:
        time.sleep(0.01)
    return threads


# --- what is measured of a host ---------------------------------------------------------------


def thread_counts_set_by_measuring_switches(
    threads: int, wide_threads: int, workers: int
) -> dict[str, Any]:
    """What workers set their thread count to while `switch_cost` measures, each count once.

    And how many workers each of its three teams has.
    """
    counts = torch.zeros(wide_threads + 1, dtype=torch.int64).share_memory_()
    processes: set[int] = set()
    really, forked = torch.set_num_threads, os.fork

    def counted(threads: int) -> None:
        counts[threads] += 1
        really(threads)

    def fork() -> int:
        processes.add(pid := forked())
        return pid

    torch.set_num_threads, os.fork = counted, fork
    switch_cost(threads, wide_threads, workers=workers)
    return {"counts": counts.nonzero().flatten().tolist(), "processes": len(processes) // 3}


def _may_run_on(thread: int) -> set[int]:
    with suppress(ProcessLookupError):  # OpenMP is just ending it
        return os.sched_getaffinity(thread)
    return set()


def crowded_onto_one_core() -> int:
    """Threads of a worker that may run on its first core alone, after two other thread counts."""
    source = '''
import torch


def cluster_0(w, receive, send, shared):
    """As sections of 4, 2 and 4 threads do."""
    torch.set_num_threads(4)
    a = w["wide"].sqrt()
    torch.set_num_threads(2)
    b = w["wide"].sqrt()
    torch.set_num_threads(4)
    c = w["wide"].sqrt()
    d = w["look"]()
    send("d", d)


def result(d):
    """What was seen."""
    return d
'''

    def look() -> torch.Tensor:
        first = {host.cores()[0]}
        held = [t for t in threads_now() - {os.getpid()} if _may_run_on(t) == first]
        return torch.tensor([len(held), 0.0])

    channels = (Channel("d", 0, (CALLER,), (PAIR,)),)
    program = Program(
        "sections", source, 1, channels, (("x", PAIR),), Layout.apart(channels), wide_threads=4
    )
    weights = {"wide": torch.ones(4, 1 << 16), "look": look}
    with Team(program, weights, (torch.zeros(2),), threads=2) as team:
        team.run()
        return int(team.output()[0])


class Library(Recipe):
    """Starts a thread of its own, as kernel libraries do; called, it says where that may run."""

    def build(self, threads: int) -> Callable[[], torch.Tensor]:
        started, ends = threading.Event(), threading.Event()
        own: list[int] = []

        def compute() -> None:
            own.append(threading.get_native_id())
            started.set()
            ends.wait()

        threading.Thread(target=compute, daemon=True).start()
        started.wait()

        def look() -> torch.Tensor:
            allowed = _may_run_on(own[0])
            return torch.tensor([float(threads), float(host.cores()[0] in allowed)])

        return look


def library_thread_may_run_beside_its_caller() -> list[float]:
    """How many threads a library was built for, and whether its own may use its caller's core."""
    source = '''
def cluster_0(w, receive, send, shared):
    """Calls the library."""
    d = w["library"]()
    send("d", d)


def result(d):
    """What was seen."""
    return d
'''
    channels = (Channel("d", 0, (CALLER,), (PAIR,)),)
    layout = Layout.apart(channels)
    program = Program("library", source, 1, channels, (("x", PAIR),), layout)
    with Team(program, {"library": Library()}, (torch.zeros(2),), threads=2) as team:
        team.run()
        found: list[float] = team.output().tolist()
        return found
