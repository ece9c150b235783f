"""What holds for every test: its own cache folder, and a host that is left as it was found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from tests import chromium
from tests.run import fresh

LEAVE_S = 60.0  # a launcher that has said its last word takes seconds to end on a busy host
SHARED_MEMORY = Path("/dev/shm")
OTHERS = (".org.chromium", ".com.google")  # a browser of the session keeps files of its own there

# The same examples for everybody, and no limit on time: hosts differ.
settings.register_profile("ramiel", deadline=None, derandomize=True, database=None)
settings.load_profile("ramiel")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes tests/golden anew, for the diff to be reviewed."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/*.py")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME, or write it there under `--update-golden`."""
    folder = Path(__file__).parent / "golden"

    def compare(name: str, text: str) -> None:
        if request.config.getoption("--update-golden"):
            (folder / name).write_text(text)
        assert text == (folder / name).read_text(), "if it is meant: pytest --update-golden"

    return compare


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _host_as_before(_own_cache: None, tmp_path: Path) -> Iterator[None]:
    """No process of this test lives on after it, and nothing of it lies in /dev/shm."""
    files, processes = _shared_files(), _processes()
    yield
    ends = time.monotonic() + LEAVE_S
    left = _left(files, processes, tmp_path)
    while left and time.monotonic() < ends:
        time.sleep(0.05)
        # Only what was there at every look: other tests make semaphores at the same time.
        left &= _left(files, processes, tmp_path)
    assert left == set()


def _left(files: set[str], processes: set[int], tmp_path: Path) -> set[str]:
    begun = _processes() - processes - fresh.kept()
    return (_shared_files() - files) | {
        f"process {pid}" for pid in begun if _is_ours(pid, tmp_path)
    }


def _shared_files() -> set[str]:
    if not SHARED_MEMORY.is_dir():
        return set()
    return {f.name for f in SHARED_MEMORY.iterdir() if not f.name.startswith(OTHERS)}


def _processes() -> set[int]:
    """Of everybody: to list them costs little, to look at each of them ten times as much."""
    return set(psutil.pids())


def _is_ours(pid: int, tmp_path: Path) -> bool:
    """Whether a living process descends from this one, or was started with this test's cache."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        above = {parent.pid for parent in process.parents()}
        if above & chromium.drivers():  # a browser starts and ends processes as it likes
            return False
        # Whoever is its parent now, its environment stays.
        with_cache = process.environ().get("RAMIEL_CACHE_DIR", "").startswith(str(tmp_path))
        return os.getpid() in above or with_cache
    return False
