from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
LIMIT_S = 300  # of one run: the first imports torch, and a neighbour may hold the processor


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path))


@pytest.fixture
def visit():
    """Open one page as its address alone would, without any page before it."""

    def _visit(page, **query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=LIMIT_S)
        if page != "app.py":
            app.switch_page(page)
        app.query_params.update(query)
        return app.run()

    return _visit
