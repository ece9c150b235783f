"""The memory allocator of launchers and their workers: glibc's is seldom the fastest."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def _openvinos_libraries() -> tuple[Path, ...]:
    """Where OpenVINO's package keeps what it brings along, oneTBB's allocator among it."""
    found = find_spec("openvino")
    return (Path(found.origin).parent / "libs",) if found and found.origin else ()


# Where Linux distributions install libraries, and allocators, as they ranked on a Xeon.
LIBRARY_FOLDERS = (
    Path("/usr/lib/x86_64-linux-gnu"),
    Path("/usr/lib/aarch64-linux-gnu"),
    Path("/usr/lib64"),
    Path("/usr/lib"),
    *_openvinos_libraries(),
)
ALLOCATORS = {
    "libtcmalloc_minimal.so.4": "tcmalloc",
    "libtcmalloc.so.4": "tcmalloc",
    "libjemalloc.so.2": "jemalloc",
    "libtbbmalloc_proxy.so.2": "tbbmalloc",
}
LEARNT = range(1 << 20, 8 << 20, 8 << 10)
"""Bytes: oneTBB's allocator keeps account of every 8 KB, and those below join into regions."""
PR_SET_THP_DISABLE = 41


def environment(
    folders: Sequence[Path] = LIBRARY_FOLDERS,
    own: Mapping[str, str] = os.environ,
    processors: Path = Path("/proc/cpuinfo"),
) -> dict[str, str]:
    """What makes a new process allocate by another library than glibc, where that is faster.

    glibc joins and splits its chunks at nearly every tensor. On a Xeon eager and fused kernels
    took 2 to 11 % less by tcmalloc, and a quarter less of MobileNet; jemalloc was 0 to 8 % behind
    it. oneTBB's, which comes with OpenVINO and so is nearly always there, takes 0 to 8 % less than
    glibc's there, and a sixth of MobileNet. On an EPYC it takes 1 to 7 % less by eager kernels, but
    4 to 9 % more by fused ones and 0 to 10 % more by oneDNN's graphs, the fastest that torch has
    there: glibc soon uses again what lies in the caches. A preloaded library of the user's own
    stays alone.
    """
    if own.get("LD_PRELOAD"):
        return {}
    amd = processors.exists() and "AuthenticAMD" in processors.read_text()
    names = (name for name in ALLOCATORS if not (amd and ALLOCATORS[name] == "tbbmalloc"))
    found = (folder / name for name in names for folder in folders)
    library = next((path for path in found if path.exists()), None)
    if library is None:
        return {}
    return preloaded(library)


def preloaded(library: Path) -> dict[str, str]:
    """What makes a new process allocate by this library, and the library keep its pages.

    By themselves they give unused ones back before the next inference needs them. oneTBB's does
    with what is smaller than its threshold: ResNet-50 by eager kernels took 55 ms instead of 48.
    """
    return {
        "LD_PRELOAD": str(library),
        "TCMALLOC_RELEASE_RATE": "0",
        "MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1",
        "TBB_MALLOC_SET_HUGE_SIZE_THRESHOLD": "1000000",
    }


def name() -> str:
    """The memory allocator of this process."""
    return _named(Path("/proc/self/maps").read_text())


def of_launchers() -> str:
    """The same of launchers that are started here, or of this process where it is one."""
    return _named(os.environ.get("LD_PRELOAD") or environment().get("LD_PRELOAD", ""))


def _named(libraries: str) -> str:
    found = (name for library, name in ALLOCATORS.items() if f"/{library}" in libraries)
    return next(found, " ".join(platform.libc_ver()))


@cache  # of the whole process, whichever of its threads asks first
def keep_blocks() -> None:
    """Have oneTBB's allocator keep freed blocks of 1 to 8 MB, as it keeps larger ones when asked.

    It returns a block to the kernel if blocks of that size were held briefly and asked for again
    much later, counted in allocations: just as the first convolution's value is, read by one
    pooling, once an inference. Each inference then waited for zeroed pages: SqueezeNet by `fused`
    on two threads took 8.0 ms instead of 6.8. Here a block of each size is held for long, twice,
    from which the allocator learns to wait. They are not written to, so each takes one page.
    """
    if name() != "tbbmalloc":
        return
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)  # where pages of 2 MB are the rule
    for _ in range(2):
        held = [library.malloc(size) for size in LEARNT]
        for block in held:  # None where the kernel promises no more: nothing to free
            library.free(block)
    library.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
