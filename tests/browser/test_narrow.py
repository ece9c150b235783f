"""Windows that are not wide: nothing is out of sight, or jumps when something is chosen."""

from __future__ import annotations

import pytest

from tests.chromium import at_rest, ready

NARROW = {"width": 900, "height": 900}
LISTS = (
    ("graph?view=workers&workers=2&", "All operators"),
    ("merging?workers=2&", "All merges"),
    ("compare?a=ramiel:2&b=ramiel:1&", "on another worker"),
    ("edit?workers=2&", ""),
)
WIDTH = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((host) => host.shadowRoot?.querySelector('.graph')?.clientWidth).find((width) => width) ?? 0"""
ROWS = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((host) => host.shadowRoot?.querySelector('.graph > .bar')).filter((bar) => bar)
    .map((bar) => new Set([...bar.querySelectorAll(':scope > :is(label, button:not([hidden]))')]
        .map((part) => Math.round(part.getBoundingClientRect().y))).size)"""
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


def test_the_graph_stays_as_wide_when_an_operator_is_chosen(page):
    page.set_viewport_size(NARROW)
    page.goto("/graph?model=squeezenet1_0")
    page.locator(".graph").wait_for()
    before = at_rest(page, WIDTH)

    ready(page.get_by_role("button", name="features").first).click()
    page.locator(".rv-facts", has_text="Share of T1").wait_for()

    assert at_rest(page, WIDTH) == before > 500


@pytest.mark.parametrize(
    ("path", "views"), [("graph?collapse=module&", 1), ("compare?", 2), ("merging?", 1)]
)
def test_the_tools_of_a_graph_stand_in_one_row(page, path, views):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"/{path}model=squeezenet1_0")
    page.locator(".graph > .bar").nth(views - 1).wait_for()

    rows = at_rest(page, ROWS)

    assert rows == [1] * views
