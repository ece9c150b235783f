"""The allocator of launchers: the best one that is installed, unless the user has chosen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ramiel_core.run import host


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (["libtcmalloc.so.4", "libjemalloc.so.2"], "libjemalloc.so.2"),
        (["libtcmalloc.so.4"], "libtcmalloc.so.4"),
        (["libc.so.6"], None),
    ],
    ids=str,
)
def test_the_best_installed_allocator_is_preloaded(
    installed: list[str], chosen: str | None, tmp_path: Path
):
    for name in installed:
        (tmp_path / name).touch()

    found = host.allocator_environment([tmp_path], {})

    assert found.get("LD_PRELOAD") == (chosen and str(tmp_path / chosen))


def test_what_the_user_preloads_stays_alone(tmp_path: Path):
    (tmp_path / "libjemalloc.so.2").touch()

    assert host.allocator_environment([tmp_path], {"LD_PRELOAD": "/own.so"}) == {}


def test_the_record_says_which_allocator_was_used():
    assert host.facts()["allocator"].startswith(("glibc", "jemalloc", "tcmalloc"))


@pytest.mark.parametrize(("limit", "left"), [("max", 900), ("1000", 450), ("9000", 900)])
def test_a_containers_limit_counts_but_not_what_it_only_caches(
    limit: str, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(host.psutil, "virtual_memory", lambda: SimpleNamespace(available=900))
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")

    assert host.memory_left(tmp_path) == left


def test_without_a_container_what_is_available_is_left(tmp_path: Path):
    assert host.memory_left(tmp_path) > 0
