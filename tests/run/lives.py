"""How workers die and what they hold, inside a fresh process; each returns facts."""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from ramiel_core.errors import RamielError
from ramiel_core.ir import Channel, Layout, Program
from ramiel_core.run.forked import Team
from tests.run.inside import PAIR, idle_team

LIMIT_S, HANG_S = 60.0, 2.0  # for an inference; for one that hangs, and is to have begun by then
SETTLE_S = 10.0  # for a host to come to rest
IDLE_WORKERS = 3


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
    everywhere = os.sched_getaffinity(0)
    with Team(acting_program(), weights, inputs, limit_s=LIMIT_S, signals=signals) as team:  # type: ignore[arg-type]
        team.run()
        found["before"] = team.output().tolist()
        pids = team.pids
        flag.fill_(1)
        if kind == "hang":
            team._limit_s = HANG_S  # of this inference alone: a busy host may delay the others
        try:
            team.run()
        except RamielError as error:
            found["error"] = [type(error).__name__, str(error)]
        found["alive"] = [pid for pid in pids if psutil.pid_exists(pid)]
        found["workers_after"] = len(team.pids)
        found["caller_runs_everywhere"] = os.sched_getaffinity(0) == everywhere
        flag.fill_(0)
        team._limit_s = LIMIT_S
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
    with idle_team() as team:
        team.run()
        os.kill(team.pids[victim], signal.SIGKILL)
        try:
            team.run()
        except RamielError as error:
            said = [type(error).__name__, str(error)]
        team.run()
        return {"error": said, "after": team.output().tolist()}


# --- resources ------------------------------------------------------------------------------


def many_inferences(count: int, signals: str) -> dict[str, Any]:
    """Memory and files at the ends of the quarters of `count` inferences, and what they share."""
    files_before = shared_files()
    with idle_team(signals=signals) as team:
        looks = []
        for inferences in (100, *[count // 4] * 4):
            for _ in range(inferences):
                team.run()
                team.output()
            looks.append(_footprint(team))
        return {"looks": looks, "shared": sorted(_left_in_shared_memory(files_before))}


def shared_files() -> set[str]:
    """What lies in /dev/shm, other people's browsers left out."""
    names = {path.name for path in Path("/dev/shm").iterdir()}
    return {name for name in names if not name.startswith((".org.chromium", ".com.google"))}


def _left_in_shared_memory(before: set[str]) -> set[str]:
    """What is new there at every look: others make semaphores, and unlink them, meanwhile."""
    left, ends = shared_files() - before, time.monotonic() + SETTLE_S
    while left and time.monotonic() < ends:
        time.sleep(0.01)
        left &= shared_files()
    return left


def _footprint(team: Team) -> dict[str, int]:
    me = psutil.Process()
    return {
        "workers_bytes": team.memory_bytes(),
        "caller_bytes": me.memory_info().rss,
        "files": me.num_fds(),
        "threads": sum(psutil.Process(pid).num_threads() for pid in team.pids),
    }


def idle_seconds(signals: str) -> float:
    """Processor seconds that workers use in a second while nothing runs."""
    with idle_team(IDLE_WORKERS, signals=signals) as team:
        for _ in range(200):
            team.run()
        _wait_until_asleep(team)
        before = _processor_s(team)
        time.sleep(1.0)
        return round(_processor_s(team) - before, 2)


def long_wait(runtime: str) -> float:
    """Processor seconds that two workers use while one is away for a second, the other waiting."""
    source = '''
def cluster_0(w, receive, send, shared):
    """Away."""
    x = receive("x")
    a = w["away"](x)
    send("a", a)


def cluster_1(w, receive, send, shared):
    """Waiting."""
    a = receive("a")
    send("b", a)


def result(b):
    """The caller's."""
    return b
'''
    channels = (Channel("a", 0, (1,), (PAIR,)), Channel("b", 1, (-1,), (PAIR,)))
    program = Program("away", source, 2, channels, (("x", PAIR),), Layout.apart(channels))
    weights = {"away": lambda x: (time.sleep(1.0), x)[1]}
    with Team(program, weights, (torch.ones(2),), runtime=runtime) as team:  # type: ignore[arg-type]
        team.run()
        before = _processor_s(team)
        team.run()
        return round(_processor_s(team) - before, 2)


def _wait_until_asleep(team: Team) -> None:
    """After its last word a worker looks a while for the next start signal, if it has a core."""
    ends = time.monotonic() + SETTLE_S
    while time.monotonic() < ends and not all(
        psutil.Process(pid).status() == psutil.STATUS_SLEEPING for pid in team.pids
    ):
        time.sleep(0.01)


def _processor_s(team: Team) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in team.pids]
    return sum(t.user + t.system for t in times)


def many_teams(count: int) -> dict[str, Any]:
    """Open and close teams one after the other."""
    me = psutil.Process()
    files = []
    for _ in range(count):
        with idle_team() as team:
            team.run()
        files.append(me.num_fds())
    return {"files": files, "children": [c.pid for c in me.children(recursive=True)]}


def wait_to_be_killed() -> None:
    """Print the workers' ids, then run inferences until the end of the world."""
    with idle_team(workers=3) as team:
        team.run()
        print(" ".join(map(str, team.pids)), flush=True)
        while True:
            team.run()
