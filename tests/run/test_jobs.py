"""Benchmarks as processes of their own: started, followed, found again, cancelled, queued."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from ramiel_core import client
from ramiel_core.cache import cache_dir
from ramiel_core.errors import ModelError, RunError
from ramiel_core.ir import Job
from ramiel_core.run import jobs
from tests.alive import still_alive
from tests.run.modules import make

SOON_S = 90.0


class Small(nn.Module):
    """A moment's work on two branches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ x).relu() + (x @ x.T).sigmoid()


def start(repeats: int = 2, **settings) -> str:
    job = Job("small", repeats=repeats, workers=2, **settings)
    return client.start(job, Small().eval(), (torch.ones(8, 8),))


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)


def kinds(job_id: str) -> list[str]:
    return [event["kind"] for event in jobs.events(job_id)]


def pid_of(job_id: str) -> int:
    return json.loads((cache_dir() / "jobs" / job_id / "process.json").read_text())["pid"]


@contextmanager
def host_taken() -> Iterator[None]:
    """As if another benchmark ran: what starts meanwhile waits, which is quick and certain."""
    with (cache_dir() / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_job_tells_its_progress_and_ends_with_a_report():
    job_id = start(repeats=3)
    found = list(jobs.follow(job_id))
    told = [event["kind"] for event in found]

    assert told[-1] == "report", found[-1]
    assert told[0] == "stage"
    assert told.count("progress") == 3
    assert [e["done"] for e in found if e["kind"] == "progress"] == [1, 2, 3]
    assert told.index("planned") < told.index("progress") < told.index("report")
    record = found[-1]["record"]
    assert (record["model"], record["repeats"], record["equal"]) == ("small", 3, True)
    # It is found again by its id, here and from any other process, and says the same.
    assert jobs.events(job_id) == found
    assert list(jobs.follow(job_id)) == found
    assert jobs.job_of(job_id) == Job("small", repeats=3, workers=2)
    code = f"from ramiel_core.run import jobs; print(len(jobs.events({job_id!r})))"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert int(elsewhere.stdout) == len(found)


def test_a_finished_job_stays_as_it_is_when_it_is_cancelled():
    """Even at once: its process may still be on its way out."""
    job_id = start()
    found = list(jobs.follow(job_id))
    jobs.cancel(job_id)

    assert jobs.events(job_id) == found
    assert found[-1]["kind"] == "report"


def test_a_followed_job_leaves_no_zombie():
    """Who follows a job to its end started it here, so its process is reaped here, unasked."""
    job_id = start()
    pid = pid_of(job_id)
    for _ in jobs.follow(job_id):
        pass

    wait_for(lambda: not psutil.pid_exists(pid))


def test_a_cancelled_job_ends_with_all_its_workers():
    job_id = start(repeats=1_000_000)
    wait_for(lambda: "progress" in kinds(job_id))
    pid = pid_of(job_id)
    workers = psutil.Process(pid).children(recursive=True)
    assert len(workers) >= 3  # one sequential, two parallel
    jobs.cancel(job_id)

    assert kinds(job_id)[-1] == "cancelled"
    assert list(jobs.follow(job_id))[-1]["kind"] == "cancelled"
    assert not psutil.pid_exists(pid)
    assert still_alive(workers) == []


def test_a_job_behind_another_says_that_it_is_queued_and_runs_when_the_other_is_done():
    with host_taken():
        job_id = start()
        wait_for(lambda: "queued" in kinds(job_id))
        assert kinds(job_id) == ["queued"]

    told = [event["kind"] for event in jobs.follow(job_id)]
    assert told[0] == "queued"
    assert told[-1] == "report"


def test_a_queued_job_can_be_cancelled():
    with host_taken():
        job_id = start()
        wait_for(lambda: "queued" in kinds(job_id))
        jobs.cancel(job_id)

        assert kinds(job_id) == ["queued", "cancelled"]


@pytest.mark.parametrize("known", [True, False], ids=["of our own", "of another process"])
def test_a_job_whose_process_shows_no_command_yet_lives(known, monkeypatch):
    """As between the moment it executes its program and the one its arguments are in place."""
    with host_taken():
        job_id = start()
        monkeypatch.setattr(psutil.Process, "cmdline", lambda _: [])
        if not known:
            monkeypatch.setattr(jobs, "_started", {})
        wait_for(lambda: "queued" in kinds(job_id))
        jobs.cancel(job_id)

        assert kinds(job_id) == ["queued", "cancelled"]


def test_a_killed_launcher_becomes_an_error_and_takes_its_workers_with_it():
    job_id = start(repeats=1_000_000)
    wait_for(lambda: "progress" in kinds(job_id))
    workers = psutil.Process(pid_of(job_id)).children(recursive=True)
    os.kill(pid_of(job_id), signal.SIGKILL)
    last = list(jobs.follow(job_id))[-1]

    assert last["kind"] == "error"
    assert "the benchmark's process ended before it had a result" in last["message"]
    assert still_alive(workers) == []


def test_listening_no_longer_cancels_the_job():
    job_id = start(repeats=1_000_000)
    listening = client.finish(job_id)
    next(listening)
    listening.close()

    assert kinds(job_id)[-1] == "cancelled"


@pytest.mark.parametrize(
    "job_id",
    [
        "0123456789abcdef",  # of the right form, but nobody's
        "../../../etc",
        "..",
        "",
        "/etc/passwd",
        "0123456789abcdef/../..",
        "0123456789ABCDEF",
        "0123456789abcdef\n",
    ],
)
@pytest.mark.parametrize("ask", [jobs.events, jobs.job_of, jobs.cancel])
def test_an_id_that_is_no_job_is_refused(ask, job_id: str):
    with pytest.raises(RunError, match="there is no such benchmark any more; start a new one"):
        ask(job_id)


def test_an_id_cannot_climb_out_of_the_folder_of_jobs(tmp_path: Path):
    outside = cache_dir() / "secret"
    outside.mkdir()
    (outside / "job.json").write_text('{"model": "secret"}')
    (cache_dir() / "jobs").mkdir()

    with pytest.raises(RunError, match="no such benchmark"):
        jobs.job_of("../secret")


def test_a_job_that_another_process_forgets_meanwhile_is_left_out(tmp_path: Path, monkeypatch):
    """Listed, and gone before it is asked how old it is."""
    listed = SimpleNamespace(iterdir=lambda: [tmp_path / "gone"])
    monkeypatch.setattr(jobs, "_jobs", lambda: listed)

    assert list(jobs.reports("googlenet")) == []


def test_an_unknown_model_is_refused_before_anything_starts():
    with pytest.raises(ModelError, match="Did you mean"):
        client.start(Job("resnet51"))
    assert not (cache_dir() / "jobs").exists()


def test_what_a_job_says_is_readable_by_its_owner_only():
    with host_taken():
        job_id = start()
        folder = cache_dir() / "jobs" / job_id
        assert folder.stat().st_mode & 0o077 == 0
        jobs.cancel(job_id)


def test_half_a_line_is_not_read():
    with host_taken():
        job_id = start()
        wait_for(lambda: "queued" in kinds(job_id))
        with (cache_dir() / "jobs" / job_id / "events.jsonl").open("a") as file:
            file.write('{"kind": "prog')
            file.flush()
            assert kinds(job_id) == ["queued"]
            file.write('ress"}\n')
        assert kinds(job_id) == ["queued", "progress"]
        jobs.cancel(job_id)


def test_a_module_of_ones_own_is_benchmarked_though_it_returns_a_dictionary():
    """Of tensors, a number and None; of other modules tests/test_launcher.py."""
    module, inputs = make("dict_output")
    record = client.bench(module, inputs, repeats=2, workers=2)

    assert record["equal"]
    assert record["model"] == "dictoutput"
