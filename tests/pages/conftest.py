from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path))


@pytest.fixture
def visit():
    """Open one page as its address alone would, without any page before it."""

    def _visit(page, **query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if page != "app.py":
            app.switch_page(page)
        app.query_params.update(query)
        return app.run()

    return _visit
