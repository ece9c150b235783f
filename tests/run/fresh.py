"""Call a function in a fresh process with one thread, as a launcher is: only such a one may fork.

The function lives in `tests.run.inside` (or another module that imports no test framework),
takes strings and numbers, and returns what JSON can carry.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ramiel_core.run.host import LAUNCHER_ENVIRONMENT

ROOT = Path(__file__).parents[2]
LIMIT_S = 100.0  # below the limit at which pytest dumps every thread


def popen(function: Callable[..., Any], *args: Any, **more: Any) -> subprocess.Popen[str]:
    """Start `function(*args)` in a process and a session of its own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.run.fresh", function.__module__, function.__name__,
         json.dumps(args)],
        cwd=ROOT,
        env={**os.environ, **LAUNCHER_ENVIRONMENT, "PYTHONPATH": path, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip


def call(function: Callable[..., Any], *args: Any, **more: str) -> Any:
    """What `function(*args)` returns there; its error, if it raises."""
    process = popen(function, *args, **more)
    try:
        said, errors = process.communicate(timeout=LIMIT_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever it left behind
        process.wait()
    assert process.returncode == 0, errors.partition("nanobind:")[0]  # triton's own complaints
    return json.loads(said.splitlines()[-1])


def call_each(function: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> list[Any]:
    """`function(*args)` for each of `arguments`, one after the other in one process."""
    return call(_each, function.__module__, function.__name__, arguments)


def _each(module: str, name: str, arguments: list[list[Any]]) -> list[Any]:
    function = getattr(import_module(module), name)
    return [function(*args) for args in arguments]


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    module, name, arguments = sys.argv[1:]
    print(json.dumps(getattr(import_module(module), name)(*json.loads(arguments))), flush=True)
