"""Call a function in a process with one thread, as a launcher is: only such a one may fork.

The function lives in `tests.run.inside` (or another module that imports no test framework),
takes strings and numbers, and returns what JSON can carry. Importing torch takes five seconds of a
processor, so one process does it once for all tests here, and each call is a fork of that one.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from ramiel_core.run.host import LAUNCHER_ENVIRONMENT

ROOT = Path(__file__).parents[2]
LIMIT_S = 300.0  # for what takes 20 s alone: a busy host; below the limit of a test
_templates: list[subprocess.Popen[str]] = []


def popen(function: Callable[..., Any], *args: Any, **more: str) -> subprocess.Popen[str]:
    """Start `function(*args)` in a new process and a session of its own."""
    return _python(_environment() | more, function.__module__, function.__name__, json.dumps(args))


def call_anew(function: Callable[..., Any], *args: Any, **more: str) -> Any:
    """As `call`, in a new process: where libraries read `more` of the environment at their start."""
    process = popen(function, *args, **more)
    try:
        said, errors = process.communicate(timeout=LIMIT_S)
    finally:
        _end(process.pid)
        process.wait()
    assert process.returncode == 0, errors.partition("nanobind:")[0]  # triton's own complaints
    return json.loads(said.splitlines()[-1])


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What `function(*args)` returns there; its error, if it raises."""
    template = _template()
    assert template.stdin is not None
    assert template.stdout is not None
    with TemporaryDirectory() as folder:
        said, errors = Path(folder, "said"), Path(folder, "errors")
        wanted = (
            function.__module__,
            function.__name__,
            args,
            _environment(),
            str(said),
            str(errors),
        )
        template.stdin.write(json.dumps(wanted) + "\n")
        template.stdin.flush()
        pid = int(template.stdout.readline())
        limit = Timer(LIMIT_S, _end, [pid])
        limit.start()
        code = int(template.stdout.readline())
        limit.cancel()
        _end(pid)  # whatever it left behind
        assert code == 0, f"{errors.read_text()}\nended with {code}"
        return json.loads(said.read_text().splitlines()[-1])


def call_each(function: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> list[Any]:
    """`function(*args)` for each of `arguments`, one after the other in one process."""
    return call(_each, function.__module__, function.__name__, arguments)


def _each(module: str, name: str, arguments: list[list[Any]]) -> list[Any]:
    function = getattr(import_module(module), name)
    return [function(*args) for args in arguments]


def kept() -> set[int]:
    """Ids of processes that outlive the test that started them, on purpose."""
    return {template.pid for template in _templates}


def _template() -> subprocess.Popen[str]:
    """The process whose forks do what is called; it ends with this one, when its input does."""
    if not _templates:
        environment = _environment()
        environment.pop("RAMIEL_CACHE_DIR", None)  # of one test
        _templates.append(_python(environment))
    return _templates[0]


def _python(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.run.fresh", *words],
        cwd=ROOT,
        env=environment,
        stdin=None if words else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if words else None,
        text=True,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **LAUNCHER_ENVIRONMENT, "PYTHONPATH": path}


def _end(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


# --- in the other process -------------------------------------------------------------------


def _serve() -> None:
    """Fork for each line of the input; say the fork's process id, and how it ended."""
    gc.freeze()  # or a fork that collects garbage writes to, and so copies, every page
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_do(*wanted))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _do(
    module: str, name: str, args: list[Any], environment: dict[str, str], said: str, errors: str
) -> int:
    """Call a function in this fork; returns the exit code."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((os.devnull, said, errors)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
    try:
        print(json.dumps(getattr(import_module(module), name)(*args)), flush=True)
    except BaseException:  # noqa: BLE001 - the caller shows it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    if sys.argv[1:]:
        module, name, arguments = sys.argv[1:]
        print(json.dumps(getattr(import_module(module), name)(*json.loads(arguments))), flush=True)
    else:
        for known in ("inside", "lives", "whole_models"):  # which most calls are of
            import_module(f"tests.run.{known}")
        import_module("torchvision")
        _serve()
