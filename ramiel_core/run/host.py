"""The host: which cores may be used, and the facts that belong beside every figure."""

from __future__ import annotations

import math
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from ramiel_core.run import allocator, huge_pages

# glibc returns freed memory to the kernel eagerly; operators that allocate it again pay one page
# fault for each 4 KB. Kept pages are worth 2-9 % here, and both sides of a benchmark get them.
LAUNCHER_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
    **huge_pages.environment(),
    # OpenMP's threads otherwise spin for milliseconds after a parallel operator, on a core that
    # another worker may need by then: GoogLeNet's moldable plan 43 ms instead of 37 on two cores.
    # Each spin is one pause of the processor: this is some 20 µs on older ones and 280 on Intel's
    # since Skylake. Fewer let threads sleep between operators: GoogLeNet by `fused` takes 16.9 ms
    # instead of 15.6 with 4000, 18.0 with 2000, though sections change in 0.05 ms instead of 0.3.
    "GOMP_SPINCOUNT": "20000",
    # The launcher must stay single-threaded until it has forked; workers set their own count.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    **allocator.environment(),
    # OpenVINO's TBB opens hwloc with RTLD_DEEPBIND, so that it frees by glibc what a preloaded
    # allocator gave it, and aborts (oneTBB's issue 1645). By this it does not.
    "TBB_ENABLE_SANITIZERS": "1",
}


@cache
def cores() -> tuple[int, ...]:
    """Logical cores that this process may use, one of each physical core first.

    Honours the affinity mask and a container's CPU quota (cgroup v2), so that workers pinned to
    them really run side by side.
    """
    allowed = sorted(os.sched_getaffinity(0))
    first = [c for c in allowed if c == min(_siblings(c) & set(allowed))]
    ordered = first + [c for c in allowed if c not in first]
    return tuple(ordered[: max(1, math.ceil(_quota(len(ordered))))])


def thread_counts() -> list[int]:
    """How many threads are worth trying here: powers of two, and all cores last."""
    count = len(cores())
    return [t for t in (1, 2, 4, 8, 16, 32, 64) if t < count] + [count]


def _siblings(core: int) -> set[int]:
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    if not path.exists():
        return {core}
    found: set[int] = set()
    for part in path.read_text().strip().split(","):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return found


def _quota(default: float) -> float:
    path = Path("/sys/fs/cgroup/cpu.max")
    if not path.exists():
        return default
    quota, period = path.read_text().split()
    return default if quota == "max" else min(default, int(quota) / int(period))


def memory_left(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that may still be allocated here; honours a container's limit (cgroup v2)."""
    left = int(psutil.virtual_memory().available)
    limit = group / "memory.max"
    if not limit.exists() or (most := limit.read_text().strip()) == "max":
        return left
    counted = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    used = int((group / "memory.current").read_text()) - int(counted["inactive_file"])
    return min(left, int(most) - used)


def cores_for(worker: int, threads: int) -> tuple[int, ...]:
    """Cores of one worker: its own where there are enough, shared in turn where not."""
    own = cores()
    return tuple(own[(worker * threads + t) % len(own)] for t in range(threads))


def oversubscribed(workers: int, threads: int) -> bool:
    """Whether workers have to share cores."""
    return workers * threads > len(cores())


def apart(workers: int, threads: int) -> bool:
    """Whether every thread of every worker has a physical core of its own."""
    return workers * threads <= len({min(_siblings(core)) for core in cores()})


@cache
def processor() -> str:
    """The processor's name as the kernel prints it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def versions() -> dict[str, str]:
    """Versions that decide speed."""
    names = ("torch", "torchvision", "numpy", "onnxruntime", "openvino")
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in names}}


def facts() -> dict[str, Any]:
    """Host, cores, load and versions, as JSON takes them."""
    return {
        "host": platform.node(),
        "processor": processor(),
        "cores": len(cores()),
        "load_1min": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "platform": sys.platform,
        "allocator": allocator.name(),
        **versions(),
    }


def identity() -> dict[str, str]:
    """What a measured cost depends on beside the model: processor, cores, allocator, versions."""
    measured_by = {"cores": str(len(cores())), "allocator": allocator.of_launchers()}
    return {"processor": processor(), **measured_by, **versions()}
