"""What inductor compiles computes the same, and compiling leaves nothing where it does not belong.

Modules of matrix products only, which inductor leaves to torch: a C++ file takes ten seconds.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ramiel_core import candidates
from ramiel_core.errors import RamielError
from ramiel_core.ir import Configuration
from ramiel_core.kernels import inductor
from ramiel_core.run import host
from tests.kernels import inside
from tests.run import fresh

QUICK = {"TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0"}  # which pays for many kernels only


def test_segments_of_one_worker_compute_the_same_and_files_lie_in_the_cache(tmp_path: Path):
    """Worker 0 has two segments: with no guards, each must still run its own code."""
    cache = tmp_path / "cache"

    assert fresh.call_anew(inside.inductor_output, **QUICK, TMPDIR=str(cache)) == "equal"
    assert [path.name for path in cache.iterdir()] == ["inductor"]


def test_a_worker_that_is_killed_while_it_compiles_takes_the_compiler_along(tmp_path: Path):
    slow = tmp_path / "slow_compiler"
    slow.write_text("#!/bin/sh\nsleep 600\n")
    slow.chmod(0o700)

    assert fresh.call_anew(inside.compilers_left, CXX=str(slow)) == [1, 0]


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RamielError, match=r"no g\+\+ here: apt install g\+\+, or use --kernels"):
        inductor.require_compiler()


@pytest.mark.parametrize(
    ("asked", "budget_s", "affordable"),
    [
        (Configuration("inductor", threads=len(host.cores())), 1000.0, True),
        (Configuration("inductor", threads=len(host.cores())), 60.0, False),
        (Configuration("inductor", workers=2), 1000.0, False),
        (Configuration("fused", workers=2), 1.0, True),
    ],
    ids=str,
)
def test_a_tuner_compiles_only_whole_models_and_with_time_to_spare(
    asked: Configuration, budget_s: float, affordable: bool
):
    assert candidates.affordable(asked, 197, budget_s) == affordable


def test_a_tuner_leaves_out_what_cannot_be_built_with_its_reason(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def refuse(_: Configuration) -> None:
        inductor.require_compiler()

    parcel = SimpleNamespace(graph=(), reference=None)
    workshop: Any = SimpleNamespace(parcel=parcel, build=refuse, measuring=lambda _: 0)
    with pytest.raises(RamielError, match=r"could run: .* needs a C\+\+ compiler"):
        candidates.race(workshop, 1.0, lambda *_, **__: None, ["inductor"])
