"""What is said of the host, and what it has left."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ramiel_core.run import host


def test_the_record_says_which_allocator_was_used():
    assert host.facts()["allocator"].startswith(("glibc", "jemalloc", "tcmalloc", "tbbmalloc"))


@pytest.mark.parametrize(("limit", "left"), [("max", 900), ("1000", 450), ("9000", 900)])
def test_a_containers_limit_counts_but_not_what_it_only_caches(
    limit: str, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(host.psutil, "virtual_memory", lambda: SimpleNamespace(available=900))
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")

    assert host.memory_left(tmp_path) == left


def test_two_threads_of_one_physical_core_do_not_have_it_for_themselves(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(host, "cores", lambda: (0, 1, 2, 3))
    monkeypatch.setattr(host, "_siblings", lambda core: {core % 2, core % 2 + 2})

    assert host.apart(2, 1)
    assert not host.apart(2, 2)
    assert not host.apart(3, 1)


def test_without_a_container_what_is_available_is_left(tmp_path: Path):
    assert host.memory_left(tmp_path) > 0
