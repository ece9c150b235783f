"""Pages of 2 MB for weights and values, so that fewer of their addresses have to be looked up.

Worth 1-3 % of eager and oneDNN's models here, 1-4 % of ONNX Runtime's and OpenVINO's, and 8 % of
OpenVINO's MobileNet. Linux gives such pages to whoever asks, unless its administrator has chosen
`never` in /sys/kernel/mm/transparent_hugepage/enabled; nobody asks by default.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

BYTES = 2 << 20  # of one page on x86; elsewhere what is asked for is still aligned
ASK, NOW = 14, 25  # MADV_HUGEPAGE, and MADV_COLLAPSE of Linux 6.1
TUNABLE = "glibc.malloc.hugetlb"
ASKED = f"{TUNABLE}=1"


def environment(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What makes glibc's malloc ask in a new process, beside what the user has set."""
    chosen = own.get("GLIBC_TUNABLES", "")
    if TUNABLE in chosen:
        return {}
    return {"GLIBC_TUNABLES": ":".join(filter(None, (chosen, ASKED)))}


def ask_here(maps: Path = Path("/proc/self/maps")) -> int:
    """Ask for the memory that this process has allocated so far; how many bytes got them at once.

    For what `environment` cannot reach: a process that somebody else started, or one whose
    allocator is not glibc's. Does nothing where the user has decided against huge pages, nor where
    there are none.
    """
    chosen = os.environ.get("GLIBC_TUNABLES", "")
    refused = TUNABLE in chosen and ASKED not in chosen.split(":")
    if refused or not maps.exists():
        return 0
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    given = 0
    for begin, size in _allocated(maps.read_text()):
        if madvise(begin, size, ASK) == 0 and madvise(begin, size, NOW) == 0:
            given += size
    return given


def _allocated(maps: str) -> Iterator[tuple[int, int]]:
    """Address and size of all memory that no file is behind, in whole huge pages."""
    for line in maps.splitlines():
        addresses, rights, _, _, inode, *name = line.split()
        if rights != "rw-p" or inode != "0" or (name and name != ["[heap]"]):
            continue
        low, high = (int(address, 16) for address in addresses.split("-"))
        begin = -(-low // BYTES) * BYTES
        size = (high - begin) // BYTES * BYTES
        if size > 0:
            yield begin, size
