"""Long lists in a narrow window: no column is out of sight."""

from __future__ import annotations

import pytest

from tests.chromium import ready

NARROW = {"width": 900, "height": 900}
LISTS = (
    ("graph?view=workers&workers=2&", "All operators"),
    ("merging?workers=2&", "All merges"),
    ("compare?a=ramiel:2&b=ramiel:1&", "on another worker"),
    ("edit?workers=2&", ""),
)
BEYOND = """() => [...document.querySelectorAll('.stDataFrame .dvn-scroller')]
    .map((list) => list.scrollWidth - list.clientWidth)"""


@pytest.mark.parametrize(("path", "opens"), LISTS)
def test_a_long_list_needs_no_scrolling_sideways(page, path, opens):
    page.set_viewport_size(NARROW)
    page.goto(f"/{path}model=squeezenet1_0")

    if opens:
        ready(page.get_by_test_id("stExpander").get_by_text(opens)).click()
    page.locator(".stDataFrame .dvn-scroller").first.wait_for()

    assert page.evaluate(BEYOND) == [0]
