"""Forked workers: the same bits as the model itself, and an error instead of a hang."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import psutil
import pytest

from ramiel_core.run import host
from tests.alive import still_alive
from tests.run import fresh, inside, lives
from tests.run.modules import MODULES

GROWTH_BYTES = 8 << 20


@cache
def outcomes() -> dict[str, dict[str, str]]:
    """Every module under every setting, in one process."""
    return fresh.call(inside.outputs_of, list(MODULES), list(inside.SETTINGS))


@cache
def crashes() -> dict[str, dict]:
    """Every crash, in one process."""
    return fresh.call(lives.crashes, list(CRASHES))


@pytest.mark.parametrize("setting", inside.SETTINGS)
@pytest.mark.parametrize("name", MODULES)
def test_workers_return_the_models_own_bits(name: str, setting: str):
    """Operators are dealt like cards, so that nearly every value changes workers."""
    assert outcomes()[name][setting] == "equal"


@cache
def both(function: Callable[..., dict], *args: object) -> dict[str, dict]:
    """The same with either kind of signals, in one process."""
    found = fresh.call_each(function, [(*args, "fast"), (*args, "queue")])
    return dict(zip(("fast", "queue"), found, strict=True))


@cache
def killed() -> list[dict]:
    """Each of two idle workers killed in turn."""
    return fresh.call_each(lives.killed_from_outside, [(0,), (1,)])


CRASHES = {
    "raise": (
        "RunError",
        (
            "cluster 1 raised ValueError in 'act': the sky is falling. Run it sequentially "
            "(--workers 1) to see whether the model itself is the cause."
        ),
    ),
    "exit": (
        "WorkerDiedError",
        (
            "cluster 1 ended with exit code 7 in 'act'. Something in that operator ends its process; "
            "run it sequentially (--workers 1) to see."
        ),
    ),
    "kill": (
        "WorkerDiedError",
        "cluster 1 was killed by SIGKILL in 'act'. Memory is the usual cause: use fewer --workers.",
    ),
    "hang": (
        "RunError",
        (
            "cluster 1 hung in 'act': no result within 2 s. Run with fewer --workers, or give it "
            "more time."
        ),
    ),
}


@pytest.mark.parametrize("signals", ["fast", "queue"])
@pytest.mark.parametrize("kind", CRASHES)
def test_a_crash_becomes_an_error_that_names_cluster_and_operator(kind: str, signals: str):
    """x - [a] - [b act] - [c]: the middle one breaks; all go, and the next inference works."""
    found = crashes()[f"{kind}-{signals}"]

    assert tuple(found["error"]) == CRASHES[kind]
    assert found["alive"] == []
    assert found["workers_after"] == 0
    assert found["caller_runs_everywhere"]
    assert found["before"] == found["after"] == [3.0, 5.0]
    assert found["new"]
    assert found["alive_at_the_end"] == []


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_killed_while_idle_is_named_and_the_next_inference_works(victim: int):
    found = killed()[victim]

    assert found["error"][0] == "WorkerDiedError"
    assert f"cluster {victim} was killed by SIGKILL" in found["error"][1]
    assert found["after"]


@pytest.mark.parametrize("signals", ["fast", "queue"])
def test_a_thousand_inferences_leave_memory_flat_and_nothing_in_shared_memory(signals: str):
    found = both(lives.many_inferences, 1000)[signals]
    looks = found["looks"]

    for kind in ("workers_bytes", "caller_bytes"):
        # A leak grows all the time; pages that other processes share, or let go of, do so once.
        growth = min(after[kind] - before[kind] for before, after in pairwise(looks))
        assert growth < GROWTH_BYTES / (len(looks) - 1)
    for kind in ("files", "threads"):
        assert looks[-1][kind] == looks[0][kind]
    assert found["shared"] == []


@pytest.mark.parametrize("signals", ["fast", "queue"])
def test_idle_workers_use_no_processor_time(signals: str):
    """The kernel counts what a worker and what the system for it does in steps of 10 ms."""
    assert both(lives.idle_seconds)[signals] <= lives.IDLE_WORKERS * 2 * 0.01


@pytest.mark.parametrize("runtime", ["processes", "threads"])
def test_workers_that_wait_long_for_a_value_use_no_processor_time(runtime: str):
    """They try for milliseconds at most; the kernel counts in steps of 10 ms."""
    assert fresh.call(lives.long_wait, runtime) <= 0.1


def test_teams_leave_no_process_and_no_open_file():
    found = fresh.call(lives.many_teams, 8)

    assert found["children"] == []
    assert found["files"][-1] == found["files"][1]


def test_a_killed_launcher_takes_its_workers_with_it():
    process = fresh.popen(lives.wait_to_be_killed)
    try:
        assert process.stdout is not None
        workers = [psutil.Process(int(word)) for word in process.stdout.readline().split()]
        assert len(workers) == 3
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    assert still_alive(workers) == []


def test_results_follow_the_inputs_and_earlier_outputs_stay_as_they_were():
    """Even an output that is the input itself is a copy: the next inputs must not change it."""
    assert fresh.call(inside.change_inputs) == {"follows": True, "kept": [True, True]}


@pytest.mark.parametrize("runtime", ["processes", "threads"])
def test_a_caller_waits_on_the_first_workers_core_and_may_go_anywhere_then(runtime: str):
    """Only the others have to be woken from another core, and none wakes the caller there."""
    found = fresh.call(inside.where_the_caller_may_run, 3, runtime)

    assert found["seen"] == [host.cores()[0]] * 3
    assert found["after"] == found["before"]


@pytest.mark.parametrize("signals", ["fast", "queue"])
def test_a_traced_inference_shows_every_statement_of_every_worker_in_turn(signals: str):
    found = both(inside.trace_bars)[signals]
    bars = found["bars"]

    assert {kind for _, _, kind, _, _ in bars} == {"compute", "copy", "wait"}
    for worker in {bar[0] for bar in bars}:
        own = [bar for bar in bars if bar[0] == worker]
        text = found["source"].split(f"def cluster_{worker}(")[1].split("\ndef ")[0]
        assert all(start <= end for *_, start, end in own)
        assert all(a[4] == b[3] for a, b in pairwise(own))
        assert sum(kind == "copy" for _, _, kind, _, _ in own) == text.count("    send(")
        assert sum(kind == "wait" for _, _, kind, _, _ in own) == text.count(' = receive("')
    ends = {name: end for _, name, kind, _, end in bars if kind == "compute"}
    assert all(ends[name] <= end for _, name, kind, _, end in bars if kind == "wait")


def test_a_process_with_threads_refuses_to_fork_and_says_what_to_do():
    kind, said = fresh.call(inside.fork_with_threads)

    assert kind == "RunError"
    assert "this process has 2 threads, and a child forked from it would hang" in said
    assert "`python -m ramiel_core bench MODEL`, or ramiel_core.bench() from Python" in said


def test_tracing_and_running_a_model_start_no_thread_that_would_forbid_to_fork():
    """torch's passes draw progress bars, whose monitor is a thread where tqdm is installed."""
    found = fresh.call(inside.threads_after_tracing, ["branches", "branch_on_shape"])

    assert found == {"branches": 1, "branch_on_shape": 1}


@pytest.mark.skipif(len(host.cores()) < 2, reason="with one core there is no other")
def test_threads_of_a_library_leave_their_callers_core_to_it():
    assert fresh.call(inside.library_thread_may_run_beside_its_caller) == [2, 0]


@pytest.mark.skipif(len(host.cores()) < 2, reason="with one core there is no other")
def test_threads_that_a_wide_section_starts_anew_are_not_held_on_their_callers_core():
    """OpenMP ends those that a section of fewer threads does not need."""
    assert fresh.call(inside.crowded_onto_one_core) < 2
