"""Contenders of a speed comparison, each in a child process of its own.

A child builds its model once and then says through a pipe, whenever asked, how long an inference
takes, so that many contenders can take turns on one host: A B C, A B C. Between its turns a child
must use no processor time; `Child.settle` waits until that is so.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from benchmarks.child import CHOOSE
from benchmarks.recipes import ALONE, LAUNCHERS
from ramiel_core.run.host import LAUNCHER_ENVIRONMENT

ROOT = Path(__file__).parents[1]
INFER_LIMIT_S = 60.0
LOOK_S = 0.003  # over which a child counts as quiet or not
QUIET = 0.05  # share of one core that still counts as quiet
SETTLE_LIMIT_S = 0.3


class ContenderError(Exception):
    """Why a contender cannot take part, in one line."""


class Contender(Protocol):
    """Anything that can run a model of `benchmarks.models`, some inferences at a time."""

    name: str
    alone: bool  # whether it measures while it builds, so that nobody else may build meanwhile

    def start(self, model: str) -> None:
        """Begin to build the model."""

    def ready(self) -> Mapping[str, Any]:
        """Wait until that is done; returns facts for the record."""

    def choose(self) -> Mapping[str, Any]:
        """Find its best number of threads, while nobody else computes; returns facts."""

    def infer(self) -> float:
        """What an inference takes in a loop of them, in ms."""

    def settle(self) -> float:
        """Return once it uses no processor time any more; says how long that took, in s."""

    def stop(self) -> None:
        """Leave nothing behind."""


class Child:
    """A recipe of `benchmarks.recipes` in a fresh process, spoken to by lines of JSON.

    Parameters
    ----------
    name : str
        Of the recipe.
    cache : Path
        Where exported models and compiled kernels may be kept.
    build_limit_s : float
        How long building may take.
    """

    def __init__(self, name: str, cache: Path, build_limit_s: float) -> None:
        self.name = name
        self.alone = name in ALONE
        self._cache, self._limit_s = cache, build_limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""

    def start(self, model: str) -> None:
        """Start the process, from the main thread: it dies with the thread that started it."""
        self.stop()
        environment = {
            **os.environ,
            **(LAUNCHER_ENVIRONMENT if self.name in LAUNCHERS else {}),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")])),
            "RAMIEL_CACHE_DIR": str(self._cache / "ramiel"),
            "TORCHINDUCTOR_CACHE_DIR": str(self._cache / "inductor"),
            "TMPDIR": str(self._cache),  # what libraries forget there goes with the folder
        }
        arguments = [self.name, model, str(self._cache), str(os.getpid())]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries warn at length; errors come through the pipe
            start_new_session=True,
        )
        self._said = b""

    def ready(self) -> Mapping[str, Any]:
        """Wait until the model is built, and checked against eager."""
        return self._answer(self._limit_s)

    def choose(self) -> Mapping[str, Any]:
        """Let it take the number of threads that made it fastest, this time and all before."""
        self._ask(CHOOSE)
        return self._answer(self._limit_s)

    def infer(self) -> float:
        """What an inference takes in a loop inside the child, in ms."""
        self._ask("infer\n")
        return float(self._answer(INFER_LIMIT_S)["ms"])

    def _ask(self, line: str) -> None:
        try:
            os.write(self._pipes[0], line.encode())
        except OSError as cause:
            raise ContenderError(self._ending()) from cause

    def settle(self) -> float:
        """Wait for pools that spin after a run (OpenMP's for some ms) to fall asleep."""
        pid, began = self._running.pid, time.monotonic()
        while time.monotonic() - began < SETTLE_LIMIT_S:
            before = _processor_ns(pid)
            time.sleep(LOOK_S)
            if _processor_ns(pid) - before < QUIET * LOOK_S * 1e9:
                break
        return time.monotonic() - began

    def stop(self) -> None:
        """Kill the child, and whatever it started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if end is not None:
                    end.close()
        self._process = None

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ContenderError("it was not started")
        return self._process

    @property
    def _pipes(self) -> tuple[int, int]:
        process = self._running
        if process.stdin is None or process.stdout is None:
            raise ContenderError("it has no pipes")
        return process.stdin.fileno(), process.stdout.fileno()

    def _answer(self, limit_s: float) -> dict[str, Any]:
        descriptor, ends = self._pipes[1], time.monotonic() + limit_s
        while b"\n" not in self._said:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, ends - time.monotonic()))
            if not ready:
                raise ContenderError(f"no answer within {limit_s:g} s")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                raise ContenderError(self._ending())
            self._said += chunk
        line, _, self._said = self._said.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderError(answer["error"])
        return answer

    def _ending(self) -> str:
        try:
            code = self._running.wait(5.0)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _processor_ns(pid: int) -> int:
    """Processor time of every thread of a process and of its children, so far."""
    total = 0
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
                for child in (task / "children").read_text().split():
                    total += _processor_ns(int(child))
    return total
