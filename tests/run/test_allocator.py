"""The allocator of launchers: the best one that is installed, unless the user has chosen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ramiel_core.run import allocator, host

INTEL, AMD = "GenuineIntel", "AuthenticAMD"


@pytest.mark.parametrize(
    ("installed", "processor", "chosen"),
    [
        (["libtcmalloc.so.4", "libjemalloc.so.2"], INTEL, "libtcmalloc.so.4"),
        (["libtcmalloc.so.4", "libtcmalloc_minimal.so.4"], INTEL, "libtcmalloc_minimal.so.4"),
        (["libtbbmalloc_proxy.so.2", "libjemalloc.so.2"], INTEL, "libjemalloc.so.2"),
        (["libtbbmalloc_proxy.so.2"], INTEL, "libtbbmalloc_proxy.so.2"),
        (["libtbbmalloc_proxy.so.2"], AMD, None),
        (["libtbbmalloc_proxy.so.2", "libjemalloc.so.2"], AMD, "libjemalloc.so.2"),
        (["libtcmalloc.so.4"], INTEL, "libtcmalloc.so.4"),
        (["libc.so.6"], INTEL, None),
    ],
    ids=str,
)
def test_the_best_installed_allocator_is_preloaded(
    installed: list[str], processor: str, chosen: str | None, tmp_path: Path
):
    for name in installed:
        (tmp_path / name).touch()
    processors = tmp_path / "cpuinfo"
    processors.write_text(f"vendor_id\t: {processor}\n")

    found = allocator.environment([tmp_path], {}, processors)

    assert found.get("LD_PRELOAD") == (chosen and str(tmp_path / chosen))


def test_what_the_user_preloads_stays_alone(tmp_path: Path):
    (tmp_path / "libjemalloc.so.2").touch()

    assert allocator.environment([tmp_path], {"LD_PRELOAD": "/own.so"}) == {}


def test_launchers_allocate_by_what_is_faster_here():
    assert allocator.environment().items() <= host.LAUNCHER_ENVIRONMENT.items()


ONETBB = next(
    path
    for folder in allocator.LIBRARY_FOLDERS
    if (path := folder / "libtbbmalloc_proxy.so.2").exists()
)
LAUNCHER = {**os.environ, **host.LAUNCHER_ENVIRONMENT, **allocator.preloaded(ONETBB)}

OPENVINO = """
import numpy as np, openvino as ov
from openvino import opset13 as op
x = op.parameter([1, 4], np.float32)
compiled = ov.Core().compile_model(ov.Model([op.relu(x)], [x]), "CPU")
print(compiled(np.full((1, 4), -1, np.float32))[0].sum())
"""


def test_openvino_runs_beside_a_preloaded_allocator():
    """It brings one along, so that there is one everywhere; it ended in SIGABRT."""
    command = [sys.executable, "-c", OPENVINO]
    said = subprocess.run(command, env=LAUNCHER, check=False, capture_output=True, text=True)

    assert (said.returncode, said.stdout) == (0, "0.0\n"), said.stderr


# Inferences with one large value that is freed at once, and with many others.
FAULTS = """
import resource, sys, torch
from ramiel_core.run import allocator
if "keep" in sys.argv:
    allocator.keep_blocks()
def inference():
    torch.ones(5 << 20, dtype=torch.uint8)
    values = [torch.empty(1 << 15) for _ in range(300)]
for _ in range(3):
    inference()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    inference()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_onetbb_keeps_the_pages_of_a_value_that_is_read_once():
    faults = {}
    for how in ("as it is", "keep"):
        said = subprocess.run(
            [sys.executable, "-c", FAULTS, how], env=LAUNCHER, check=True, capture_output=True
        )
        faults[how] = int(said.stdout)

    assert faults["as it is"] > 20 * 1000
    assert faults["keep"] < 3 * 1280, "5 MB once or twice, in 20 inferences"
