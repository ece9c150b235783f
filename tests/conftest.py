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

LEAVE_S = 5.0  # a killed process takes a moment to go
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
    files, children = _shared_files(), _children()
    yield
    ends = time.monotonic() + LEAVE_S
    left = _left(files, children, tmp_path)
    while left and time.monotonic() < ends:
        time.sleep(0.05)
        # Only what was there at every look: other tests make semaphores at the same time.
        left &= _left(files, children, tmp_path)
    assert left == set()


def _left(files: set[str], children: set[int], tmp_path: Path) -> set[str]:
    processes = (_children() - children) | _orphans(tmp_path)
    return (_shared_files() - files) | {f"process {pid}" for pid in processes}


def _shared_files() -> set[str]:
    if not SHARED_MEMORY.is_dir():
        return set()
    return {f.name for f in SHARED_MEMORY.iterdir() if not f.name.startswith(OTHERS)}


def _children() -> set[int]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def _orphans(tmp_path: Path) -> set[int]:
    """Processes that were started with this test's cache folder, whoever their parent is now."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mine = process.environ().get("RAMIEL_CACHE_DIR", "").startswith(str(tmp_path))
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
    return found
