"""The app behind a real port, and a browser in front of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Opened by a deep link, Streamlit's own script asks below the page's address first, is told that
# there is no such thing, and asks again where it is.
ASKED_TWICE = ("/_stcore/health", "/_stcore/host-config")
PATIENCE_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip without a browser, except where one is promised."""
    missing = not CHROMIUM.exists() and not os.environ.get("CI")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"there is no {CHROMIUM}"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a free port, with caches of its own; it and all it started end together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"RAMIEL_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))},
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
    for _ in range(600):
        try:
            urllib.request.urlopen(url).close()
        except URLError:
            assert server.poll() is None, "the server ended before it answered"
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"nobody answers at {url}")


@pytest.fixture
def page(address: str) -> Iterator[object]:
    """A window; at its end no script failed and no request went to anybody else."""
    sync_api = pytest.importorskip("playwright.sync_api")
    wrong: list[str] = []

    def heard(message) -> None:
        if message.type == "error" and not message.location["url"].endswith(ASKED_TWICE):
            wrong.append(f"console: {message.text} ({message.location['url']})")

    def asked(request) -> None:
        if not request.url.startswith((f"{address}/", "blob:", "data:")):
            wrong.append(f"request: {request.url}")

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = browser.new_context(base_url=address, viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", asked)
        context.on("console", heard)
        context.on("weberror", lambda error: wrong.append(f"script: {error.error}"))
        yield context.new_page()
        context.close()
        browser.close()
    assert wrong == []
