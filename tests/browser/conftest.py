"""The app behind a real port, and a browser in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ramiel_core import pipeline
from tests.chromium import MISSING, ROOT, WHY_SKIPPED, browser, served
from tests.onnx_files import sound

# Opened by a deep link, Streamlit's own script asks below the page's address first, is told that
# there is no such thing, and asks again where it is.
ASKED_TWICE = ("/_stcore/health", "/_stcore/host-config")
PATIENCE_MS = 120_000  # the first page imports torch, which takes a minute on a busy host


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip without a browser, except where one is promised."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=WHY_SKIPPED))


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app keeps its caches and its log."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def address(server_folder: Path) -> Iterator[str]:
    """The app on a free port, with caches of its own."""
    with served(ROOT / "app.py", server_folder) as url:
        yield url


@pytest.fixture(scope="module")
def windows(address: str) -> Iterator[Any]:
    """A browser for a file of tests: to start one takes seconds of a processor, and its scripts."""
    with browser() as chromium:
        context = chromium.new_context(base_url=address, viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(PATIENCE_MS)
        yield context
        context.close()


@pytest.fixture
def page(address: str, windows: Any) -> Iterator[object]:
    """A new window; at its end no script failed and no request went to anybody else."""
    wrong: list[str] = []

    def heard(message) -> None:
        if message.type == "error" and not message.location["url"].endswith(ASKED_TWICE):
            wrong.append(f"console: {message.text} ({message.location['url']})")

    def asked(request) -> None:
        if not request.url.startswith((f"{address}/", "blob:", "data:")):
            wrong.append(f"request: {request.url}")

    def failed(error) -> None:
        wrong.append(f"script: {error.error}")

    listeners = {"request": asked, "console": heard, "weberror": failed}
    for event, listener in listeners.items():
        windows.on(event, listener)
    shown = windows.new_page()
    try:
        yield shown
        print(f"At the end the page said:\n{shown.inner_text('body')}")
    finally:
        for event, listener in listeners.items():
            windows.remove_listener(event, listener)
        for window in windows.pages:
            window.close()
    assert wrong == []


@pytest.fixture
def uploaded(
    server_folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A model of four operators, as if uploaded before: it is measured in no time.

    Under the name of the test, so that none finds what another has measured or tuned.
    """
    with monkeypatch.context() as there:
        there.setenv("RAMIEL_CACHE_DIR", str(server_folder / "cache"))
        return pipeline.keep(f"{request.node.name}.onnx", memoryview(sound()))
