"""Pages of 2 MB: asked for by launchers, and where a model runs in its caller's process."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ramiel_core.run import huge_pages
from ramiel_core.run.huge_pages import ASKED

PATTERN = bytes(range(256))
MAPS = """\
00400000-00600000 r-xp 00000000 fe:00 1234 /usr/bin/python
00600000-00a80000 rw-p 00000000 00:00 0 [heap]
7f0000100000-7f0000500000 rw-p 00000000 00:00 0
7f0000600000-7f0000700000 rw-p 00000000 00:00 0
7f0001000000-7f0001400000 rw-s 00000000 00:01 77 /memfd:values (deleted)
7ffd00000000-7ffd00400000 rw-p 00000000 00:00 0 [stack]
"""


def test_launchers_ask_beside_what_the_user_has_set():
    assert huge_pages.environment({}) == {"GLIBC_TUNABLES": ASKED}
    others = {"GLIBC_TUNABLES": "glibc.malloc.check=1"}
    assert huge_pages.environment(others) == {"GLIBC_TUNABLES": f"glibc.malloc.check=1:{ASKED}"}
    assert huge_pages.environment({"GLIBC_TUNABLES": f"{huge_pages.TUNABLE}=0"}) == {}


def test_only_whole_huge_pages_of_allocated_memory_are_asked_for():
    found = list(huge_pages._allocated(MAPS))

    assert found == [(0x600000, 0x400000), (0x7F0000200000, 0x200000)]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[tuple[mmap.mmap, Path]]:
    """Memory that holds something, and the line that the kernel has for it."""
    size = 8 * huge_pages.BYTES
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held[:] = PATTERN * (size // len(PATTERN))
        begin = ctypes.addressof(ctypes.c_char.from_buffer(held))
        maps = tmp_path / "maps"
        maps.write_text(f"{begin:x}-{begin + size:x} rw-p 00000000 00:00 0 \n")
        yield held, maps


def test_memory_keeps_what_it_holds(memory, monkeypatch):
    held, maps = memory
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    given = huge_pages.ask_here(maps)

    assert given in {0, 7 * huge_pages.BYTES, 8 * huge_pages.BYTES}  # 0: not on this host
    assert held[:] == PATTERN * (len(held) // len(PATTERN))


def test_a_launcher_asks_too_since_its_allocator_may_not_be_glibcs(memory, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    given = huge_pages.ask_here(memory[1])
    for name, value in huge_pages.environment({}).items():
        monkeypatch.setenv(name, value)

    assert huge_pages.ask_here(memory[1]) == given


def test_what_the_user_has_decided_stays(memory, monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", f"{huge_pages.TUNABLE}=0")

    assert huge_pages.ask_here(memory[1]) == 0
