"""Benchmarks as processes of their own: start, follow, cancel, find again.

A page, a notebook or a shell starts a launcher (`python -m ramiel_core launch FOLDER`) in its own
session. It appends one JSON line an event to FOLDER/events.jsonl, so that anybody who knows the
job's id can follow it, at any time, from any process. One benchmark runs on a host at a time;
the others wait for the lock, since two at once would falsify both.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from ramiel_core.cache import cache_dir, write_whole
from ramiel_core.errors import RunError
from ramiel_core.ir import Job
from ramiel_core.run import confine
from ramiel_core.run.host import LAUNCHER_ENVIRONMENT

Event = dict[str, Any]
FINAL = frozenset(
    {"report", "profiled", "tuned", "opened", "error", "cancelled"}
)  # kinds of a job's last event
MODEL_FILE = "model.pt"
OPENED_FILE = "opened.traced"  # what the task "open" leaves
KEPT = 50  # finished jobs whose events stay readable
POLL_S = 0.1
_started: dict[str, subprocess.Popen[bytes]] = {}  # children must be reaped by who started them


def start(job: Job, model: bytes | None = None) -> str:
    """Start a launcher for `job`; returns the job's id.

    Parameters
    ----------
    job : Job
        What to do.
    model : bytes or None
        A pickled traced model of the caller's own, where it is not one of the registry's.
    """
    _forget_old()
    job_id = secrets.token_hex(8)
    folder = _jobs() / job_id
    folder.mkdir(mode=0o700)
    write_whole(folder / "job.json", json.dumps(asdict(job)))
    if model is not None:
        (folder / MODEL_FILE).write_bytes(model)
    with (folder / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ramiel_core", "launch", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=_environment(job, folder),
            cwd=folder if job.task == "open" else None,
            start_new_session=True,
        )
    _started[job_id] = process
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie behind
    (folder / "process.json").write_text(json.dumps({"pid": process.pid}))
    return job_id


def _environment(job: Job, folder: Path) -> dict[str, str]:
    """Of a launcher; one that opens what it cannot trust gets no variable of the user's own."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    own = {"PYTHONPATH": path, "TMPDIR": str(folder)}  # what a killed one leaves goes with it
    if job.task == "open":
        bare = confine.bare_environment(os.environ)
        return {**bare, **own, "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **LAUNCHER_ENVIRONMENT, **own}


def events(job_id: str) -> list[Event]:
    """Everything a job has said so far; the last one is final once the job has ended.

    Raises
    ------
    RunError
        Where there is no such job.
    """
    folder = _folder(job_id)
    alive = _process(folder) is not None  # asked first: what it says before it ends is read below
    said = _read(folder)
    if not alive and not (said and said[-1]["kind"] in FINAL):
        said.append({"kind": "error", "message": _last_words(folder)})
    return said


def follow(job_id: str) -> Iterator[Event]:
    """Each event of a job as it comes, until the final one."""
    seen = 0
    while True:
        said = events(job_id)
        yield from said[seen:]
        seen = len(said)
        if said and said[-1]["kind"] in FINAL:
            return
        time.sleep(POLL_S)


def job_of(job_id: str) -> Job:
    """What the job was asked to do."""
    return job_in(_folder(job_id))


def job_in(folder: Path) -> Job:
    """What the launcher of this folder is to do."""
    return Job(**json.loads((folder / "job.json").read_text()))


def reports(model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ids and records of the benchmarks of a model that are still kept, the latest first."""
    for folder in _by_age():
        with suppress(FileNotFoundError):  # another process forgot it, or has only begun it
            job = job_in(folder)
            if job.task != "bench" or job.model != model:
                continue
            said = _read(folder)
            if said and said[-1]["kind"] == "report":
                yield folder.name, said[-1]["record"]


def cancel(job_id: str) -> None:
    """End a job and all its workers; a finished one stays as it is."""
    folder = _folder(job_id)
    process = _process(folder)
    said = _read(folder)
    if process is None or (said and said[-1]["kind"] in FINAL):
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its workers are in its session
    if job_id in _started:
        _started[job_id].wait()
    else:
        psutil.wait_procs([process], timeout=5)
    tell(folder, {"kind": "cancelled"})


def exit_code(job_id: str) -> int | None:
    """With what a launcher that was started here has ended, or by which signal, as -9."""
    return _started[job_id].poll()


def opened_file(job_id: str) -> Path:
    """Where a job of the task "open" leaves what it found."""
    return _folder(job_id) / OPENED_FILE


def forget(job_id: str) -> None:
    """End a job that was started here, and all that it started; remove what they left.

    A process that it moved to another session is told by the environment that it inherited.
    """
    folder, launcher = _folder(job_id), _started.pop(job_id)
    with suppress(ProcessLookupError):
        os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(folder):
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def tell(folder: Path, event: Event) -> None:
    """Append one event; a single write, so that a reader sees whole lines only."""
    line = json.dumps(event, separators=(",", ":")) + "\n"
    with (folder / "events.jsonl").open("a") as file:
        file.write(line)


@contextmanager
def host_to_itself(folder: Path) -> Iterator[None]:
    """Wait until no other benchmark runs on this host, saying so; then keep others waiting."""
    with (cache_dir() / "host.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(folder, {"kind": "queued"})
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _jobs() -> Path:
    folder = cache_dir() / "jobs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _by_age() -> list[Path]:
    """Folders of all jobs, the latest first."""
    changed = {}
    for folder in _jobs().iterdir():
        with suppress(FileNotFoundError):  # another process forgot it
            changed[folder] = folder.stat().st_mtime
    return sorted(changed, key=changed.__getitem__, reverse=True)


def _folder(job_id: str) -> Path:
    folder = _jobs() / job_id
    if not re.fullmatch(r"[0-9a-f]{16}", job_id) or not folder.is_dir():
        raise RunError("there is no such benchmark any more; start a new one.")
    return folder


def _process(folder: Path) -> psutil.Process | None:
    """The launcher of a job while it lives; its pid alone could be somebody else's by now."""
    child = _started.get(folder.name)
    if child is not None and child.poll() is not None:
        return None
    try:
        if child is not None:
            return psutil.Process(child.pid)
        known = json.loads((folder / "process.json").read_text())
        process = psutil.Process(known["pid"])
        # Told by its command, not by when it began: that moves when the host's clock is set.
        # While a process executes its program for the first time, it shows none for a moment.
        return process if process.cmdline()[-1:] in ([], [str(folder)]) else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def _read(folder: Path) -> list[Event]:
    path = folder / "events.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _last_words(folder: Path) -> str:
    errors = folder / "stderr.txt"
    lines = errors.read_text(errors="replace").strip().splitlines() if errors.exists() else []
    said = f" It said: {lines[-1]}" if lines else " Memory is the usual cause."
    return f"the benchmark's process ended before it had a result.{said}"


def _forget_old() -> None:
    """Remove the events of all but the newest jobs; running ones are among the newest."""
    for folder in _by_age()[KEPT:]:
        if _process(folder) is None:
            _started.pop(folder.name, None)
            shutil.rmtree(folder, ignore_errors=True)
