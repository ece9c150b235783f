"""A browser, and an app served on a port of its own: what every test in a browser begins with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MISSING = not CHROMIUM.exists() and not os.environ.get("CI")  # one is promised there
WHY_SKIPPED = f"there is no {CHROMIUM}"
PATIENCE_S = 120
STILL_FRAMES = 3  # an animation may begin with two frames of the same place
_drivers: set[psutil.Process] = set()  # of the browsers that are open


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    sync_api = pytest.importorskip("playwright.sync_api")
    me = psutil.Process()
    before = set(me.children())
    with sync_api.sync_playwright() as playwright:
        driver = set(me.children()) - before
        _drivers.update(driver)
        try:
            found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            yield found
            found.close()
        finally:
            _drivers.difference_update(driver)


def drivers() -> set[int]:
    """Ids of the processes that the browsers which are open now descend from."""
    return {driver.pid for driver in _drivers}


@contextmanager
def served(script: Path, folder: Path) -> Iterator[str]:
    """A page on a free port; it and all that it started end together, and it met no exception.

    Parameters
    ----------
    script : Path
        What Streamlit runs, from the root of the project, as .streamlit/config.toml says.
    folder : Path
        For its caches and its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log.txt"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "RAMIEL_CACHE_DIR": str(folder / "cache")},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/_stcore/health", server)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            urllib.request.urlopen(url).close()
        except OSError:  # refused, reset, or not ready
            assert server.poll() is None, "the server ended before it answered"
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"nobody answers at {url}")


def settled(page) -> None:
    """Wait until the page has been drawn: a click while it is drawn anew is lost.

    After something was done it may say so too early: the server has yet to begin. Wait for what
    comes of it first.
    """
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def ready(locator) -> Any:
    """What is there and will not be drawn anew, to be clicked or filled."""
    settled(locator.page)  # until then what was there before may still be, and be found as well
    locator.wait_for()
    settled(locator.page)
    return locator


def at_rest(page, place: str, arg: object = None) -> Any:
    """What a function of JavaScript says of a place, once the page is drawn and nothing moves it.

    Parameters
    ----------
    place : str
        The function, of `arg`; called in each frame until `STILL_FRAMES` in a row agree.
    """
    settled(page)
    return page.evaluate(
        f"""async (arg) => {{
            const place = {place}, frame = () => new Promise(requestAnimationFrame);
            let before = null;
            for (let still = 1; still < {STILL_FRAMES}; still++) {{
                await frame();
                const now = JSON.stringify(place(arg));
                if (now !== before) still = 0;
                before = now;
            }}
            return JSON.parse(before);
        }}""",
        arg,
    )


def metric(page, label: str) -> str:
    """The value of a metric, once the page has been drawn."""
    box = page.get_by_test_id("stMetric").filter(has_text=label)
    return ready(box).get_by_test_id("stMetricValue").inner_text()
