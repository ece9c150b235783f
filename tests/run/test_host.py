"""The allocator of launchers: the best one that is installed, unless the user has chosen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ramiel_core.run import host


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (["libtcmalloc.so.4", "libjemalloc.so.2"], "libtcmalloc.so.4"),
        (["libtcmalloc.so.4", "libtcmalloc_minimal.so.4"], "libtcmalloc_minimal.so.4"),
        (["libtbbmalloc_proxy.so.2", "libjemalloc.so.2"], "libjemalloc.so.2"),
        (["libtbbmalloc_proxy.so.2"], "libtbbmalloc_proxy.so.2"),
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


OPENVINO = """
import numpy as np, openvino as ov
from openvino import opset13 as op
x = op.parameter([1, 4], np.float32)
compiled = ov.Core().compile_model(ov.Model([op.relu(x)], [x]), "CPU")
print(compiled(np.full((1, 4), -1, np.float32))[0].sum())
"""


def test_openvino_runs_beside_a_preloaded_allocator():
    """It brings one along, so that there is one everywhere; it ended in SIGABRT."""
    environment = {**os.environ, **host.LAUNCHER_ENVIRONMENT}
    assert Path(environment["LD_PRELOAD"]).name in host.ALLOCATORS

    command = [sys.executable, "-c", OPENVINO]
    said = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)

    assert (said.returncode, said.stdout) == (0, "0.0\n"), said.stderr


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


def test_without_a_container_what_is_available_is_left(tmp_path: Path):
    assert host.memory_left(tmp_path) > 0
