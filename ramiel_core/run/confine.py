"""Limits for a process that loads what it was not written for: memory, time, files, no core dump.

They keep a file that is broken, or greedy, from taking the host along. They are no jail: what the
process executes may still do whatever its user may, which is why that user is asked first.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from ramiel_core.run import host

# All that torch needs of its surroundings; keys and tokens of the user's stay behind.
KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take from the moment on that they are set."""

    memory_bytes: int  # address space beyond what it has
    seconds: int  # of its processors; and of the wall's clock
    file_bytes: int  # of any file that it writes


def limits_for(size_bytes: int, seconds: int) -> Limits:
    """What loading and tracing a file of this size may take.

    Twice for its weights as they are loaded and written, once for the file mapped, and 2 GiB for
    the tracers themselves, which took 0.2 GiB here; never more than the host has free.
    """
    wanted = 2 * 2**30 + 4 * size_bytes
    return Limits(min(wanted, host.memory_left()), seconds, 64 * 2**20 + 2 * size_bytes)


def confine(limits: Limits) -> None:
    """Set limits for this process and its children; what passes one is ended by the kernel.

    Memory alone raises `MemoryError`, or torch's `RuntimeError`, where it runs out.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used_s = int(sum(os.times()[:2])) + 1
    process_bytes = psutil.Process().memory_info().vms
    _lower(resource.RLIMIT_CPU, used_s + limits.seconds)
    _lower(resource.RLIMIT_AS, process_bytes + limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    signal.alarm(limits.seconds)  # should whoever started it no longer be there to end it


def _lower(what: int, limit: int) -> None:
    """Soft and hard, so that the process itself cannot raise it again."""
    hardest = resource.getrlimit(what)[1]
    wanted = limit if hardest == resource.RLIM_INFINITY else min(limit, hardest)
    resource.setrlimit(what, (wanted, wanted))


def bare_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that such a process needs, and no other."""
    return {name: environment[name] for name in KEPT_VARIABLES if name in environment}


_ENDED_BY: Mapping[int, str] = {
    signal.SIGXCPU: "took more than the {seconds} s of processor time that it may",
    signal.SIGALRM: "took longer than the {seconds} s that it may",
    signal.SIGXFSZ: "wrote a larger file than it may",
    signal.SIGABRT: "aborted, most likely for want of memory",
    signal.SIGKILL: "was killed, by its limit of {seconds} s or for want of memory",
    signal.SIGSEGV: "crashed with a segmentation fault",
}
ADVICE = "nothing of it was kept; export the model to ONNX instead"


def too_large(name: str, limits: Limits) -> str:
    """The sentence for a file that needs more memory than it may take."""
    most = limits.memory_bytes / 2**30
    return (
        f"loading {name} needs more than the {most:.1f} GiB of memory that it may take; {ADVICE}."
    )


def end_of(name: str, code: int | None, seconds: int) -> str:
    """The sentence for a process that ended without a result.

    Parameters
    ----------
    name : str
        Of the file that it was to load.
    code : int or None
        As `subprocess.Popen.returncode`; None where it had to be ended.
    seconds : int
        That it was given.
    """
    if code is None:
        how = f"took longer than the {seconds} s that it may"
    else:
        how = _ENDED_BY.get(-code, f"ended by itself (exit code {code})").format(seconds=seconds)
    return f"loading {name} {how}; {ADVICE}."
