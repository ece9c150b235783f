"""What the tests of the run-time do inside a fresh process; each returns facts, asserts nothing."""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch

from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import CALLER, Channel, Layout, Parcel, Plan, Program, TensorSpec
from ramiel_core.model.trace import trace
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run import host
from ramiel_core.run.bench import agreement, same_bits
from ramiel_core.run.forked import Team
from ramiel_core.run.profile import switch_cost
from ramiel_core.run.worker import threads_now
from tests.graphs import any_order_plan, computing, dealt_plan, shape
from tests.run.modules import expected, make

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


# --- crashes --------------------------------------------------------------------------------


def acting_program() -> Program:
    """Three clusters in a row; the operator `act` of the middle one does what `w["act"]` says."""
    source = '''
def cluster_0(w, receive, send, shared):
    """First."""
    x = receive("x")
    a = x + 1
    send("a", a)


def cluster_1(w, receive, send, shared):
    """In the middle."""
    a = receive("a")
    b = a * 2
    act = w["act"](b)
    send("act", act)


def cluster_2(w, receive, send, shared):
    """Last."""
    act = receive("act")
    c = act - 1
    send("c", c)


def result(c):
    """The caller's."""
    return c
'''
    channels = (
        Channel("a", 0, (1,), (PAIR,)),
        Channel("act", 1, (2,), (PAIR,)),
        Channel("c", 2, (-1,), (PAIR,)),
    )
    return Program("acting", source, 3, channels, (("x", PAIR),), Layout.apart(channels))


def _acts(kind: str, flag: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Does something terrible while `flag`, which lies in shared memory, is set."""

    def act(b: torch.Tensor) -> torch.Tensor:
        if flag.item():
            if kind == "raise":
                raise ValueError("the sky is falling")
            if kind == "exit":
                os._exit(7)
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600)
        return b

    return act


def crashes(kinds: list[str]) -> dict[str, dict[str, Any]]:
    """`crash` by kind and signals."""
    return {f"{k}-{s}": crash(k, s) for k in kinds for s in ("fast", "queue")}


def crash(kind: str, signals: str) -> dict[str, Any]:
    """Run well, then crash, then run well again."""
    flag = _shared_flag()
    weights = {"act": _acts(kind, flag)}
    inputs = (torch.tensor([1.0, 2.0]),)
    found: dict[str, Any] = {}
    limit_s = 1.0 if kind == "hang" else 30.0
    with Team(acting_program(), weights, inputs, limit_s=limit_s, signals=signals) as team:  # type: ignore[arg-type]
        team.run()
        found["before"] = team.output().tolist()
        pids = team.pids
        flag.fill_(1)
        try:
            team.run()
        except RamielError as error:
            found["error"] = [type(error).__name__, str(error)]
        found["alive"] = [pid for pid in pids if psutil.pid_exists(pid)]
        found["workers_after"] = len(team.pids)
        flag.fill_(0)
        team.run()
        found["after"] = team.output().tolist()
        found["new"] = not set(team.pids) & set(pids)
        last = team.pids
    found["alive_at_the_end"] = [pid for pid in last if psutil.pid_exists(pid)]
    return found


def _shared_flag() -> torch.Tensor:
    return torch.frombuffer(mmap.mmap(-1, 4096), dtype=torch.float32, count=1)


def killed_from_outside(victim: int) -> dict[str, Any]:
    """Kill an idle worker; the next inference says so, the one after works."""
    with _idle_team() as team:
        team.run()
        os.kill(team.pids[victim], signal.SIGKILL)
        try:
            team.run()
        except RamielError as error:
            said = [type(error).__name__, str(error)]
        team.run()
        return {"error": said, "after": team.output().tolist()}


def _idle_team(workers: int = 2, **how: Any) -> Team:
    graph = pipeline.weigh(computing(shape("fork_join")), "unit")
    plan = dealt_plan(graph, workers)
    return Team(pipeline.program_of(graph, plan), {}, (), **how)


# --- resources ------------------------------------------------------------------------------


def many_inferences(count: int, signals: str) -> dict[str, Any]:
    """Memory, files and shared memory before and after `count` inferences."""
    files_before = shared_files()
    with _idle_team(signals=signals) as team:
        for _ in range(100):
            team.run()
            team.output()
        before = _footprint(team)
        for _ in range(count):
            team.run()
            team.output()
        after = _footprint(team)
        during = shared_files()
    return {"before": before, "after": after, "shared": [files_before, during]}


def shared_files() -> list[str]:
    """What lies in /dev/shm, other people's browsers left out."""
    names = sorted(path.name for path in Path("/dev/shm").iterdir())
    return [name for name in names if not name.startswith((".org.chromium", ".com.google"))]


def _footprint(team: Team) -> dict[str, int]:
    me = psutil.Process()
    return {
        "workers_bytes": team.memory_bytes(),
        "caller_bytes": me.memory_info().rss,
        "files": me.num_fds(),
        "threads": sum(psutil.Process(pid).num_threads() for pid in team.pids),
    }


def idle_seconds(signals: str) -> dict[str, Any]:
    """Processor seconds that workers use while nothing runs, and that they did use before."""
    with _idle_team(workers=3, signals=signals) as team:
        for _ in range(200):
            team.run()
        before = _processor_s(team)
        time.sleep(1.0)
        return {"idle_s": _processor_s(team) - before, "busy_s": before}


def _processor_s(team: Team) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in team.pids]
    return sum(t.user + t.system for t in times)


def many_teams(count: int) -> dict[str, Any]:
    """Open and close teams one after the other."""
    me = psutil.Process()
    files = []
    for _ in range(count):
        with _idle_team() as team:
            team.run()
        files.append(me.num_fds())
    return {"files": files, "children": [c.pid for c in me.children(recursive=True)]}


def wait_to_be_killed() -> None:
    """Print the workers' ids, then run inferences until the end of the world."""
    with _idle_team(workers=3) as team:
        team.run()
        print(" ".join(map(str, team.pids)), flush=True)
        while True:
            team.run()


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


def trace_bars(signals: str) -> dict[str, Any]:
    """The bars of one traced inference beside the program's statements."""
    with _idle_team(signals=signals) as team:
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
        _idle_team().run()
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
        found[name] = len(list(Path("/proc/self/task").iterdir()))
    return found


# --- whole models ---------------------------------------------------------------------------


def two_clusters(graph: Any) -> Plan:
    """A plan on two workers, whether it pays or not; a single chain is cut in two halves."""
    from ramiel_core.plan.distance import distance_to_end
    from ramiel_core.plan.linear import linear_clusters
    from ramiel_core.plan.merge import Merging

    distance = distance_to_end(graph)
    merging = Merging(graph, distance, linear_clusters(graph, distance))
    merging.to_fixpoint()
    merging.to_workers(2)
    clusters = merging.clusters()
    if len(clusters) == 1:
        half = len(clusters[0]) // 2
        clusters = (clusters[0][:half], clusters[0][half:])
    return Plan(clusters)


def zoo_output(name: str, side: int) -> dict[str, Any]:
    """Model, two workers and one worker compared, on an input of the given side."""
    from ramiel_core.model import zoo

    return compared(*resized(zoo.build(name), side), name)


def benchmark_output(name: str, side: int) -> dict[str, Any]:
    """The same of a model of the benchmarks."""
    from benchmarks import models

    return compared(*resized(models.build(name), side), name)


def resized(built: Any, side: int) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """The same model for a smaller image; 0 is its own size."""
    module, inputs = built
    if side:
        inputs = (torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)),)
    return module, inputs


def compared(module: Any, inputs: tuple[torch.Tensor, ...], name: str) -> dict[str, Any]:
    """Model, one worker and two workers, and what the outputs are like."""
    parcel = pipeline.parcel_of(trace(module, inputs, name))
    graph = pipeline.weigh(parcel.graph, "flops")
    with torch.no_grad():
        own = module(*inputs)
    found: dict[str, Any] = {
        "finite": bool(own.isfinite().all()),
        "spread": float(own.std()) / (float(own.abs().mean()) or 1.0),
    }
    for label, plan in (
        ("sequential", sequential_plan(graph)),
        ("parallel", two_clusters(graph)),
    ):
        program = pipeline.program_of(graph, plan)
        with Team(program, parcel.weights, inputs) as team:
            for _ in range(2):  # the second reuses every buffer
                team.run()
            output = team.output()
        found[label] = {
            "equal": same_bits(output, own),
            "workers": program.workers,
            "crossing": sum(c.receivers != (-1,) for c in program.channels),
        }
    return found


# --- what is measured of a host ---------------------------------------------------------------


def switch_costs(delay_ms: float) -> dict[str, float]:
    """What switching costs by `switch_cost`, where raising the thread count takes so much longer."""
    raised = torch.set_num_threads

    def slowly(threads: int) -> None:
        time.sleep(delay_ms / 1e3 * (threads > 1))
        raised(threads)

    torch.set_num_threads = slowly
    return {"to the same count": switch_cost(2, 2), "to two": switch_cost(1, 2)}


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
        held = [t for t in threads_now() - {os.getpid()} if os.sched_getaffinity(t) == first]
        return torch.tensor([len(held), 0.0])

    channels = (Channel("d", 0, (CALLER,), (PAIR,)),)
    program = Program(
        "sections", source, 1, channels, (("x", PAIR),), Layout.apart(channels), wide_threads=4
    )
    weights = {"wide": torch.ones(4, 1 << 16), "look": look}
    with Team(program, weights, (torch.zeros(2),), threads=2) as team:
        team.run()
        return int(team.output()[0])
