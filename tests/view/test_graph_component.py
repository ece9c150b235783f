"""The graph component in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import MISSING, WHY_SKIPPED, browser, served

PAGE = Path(__file__).with_name("graph_page.py")
VIEW = (
    "document.querySelector('[data-testid=stBidiComponentIsolated]')"
    ".shadowRoot.querySelector('.graph').view"
)
NOTHING_RUNS = "[data-testid=stApp][data-test-script-state=notRunning]"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING, reason=WHY_SKIPPED)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(PAGE, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def page(address: str) -> Iterator[object]:
    """The page, with a check at the end that no script failed and no request went elsewhere."""
    wrong: list[str] = []
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if _leaves(request.url) else 0)
        page.goto(address)
        page.wait_for_selector(".graph .vis-network canvas", timeout=60_000)
        page.wait_for_function(f"{VIEW}?.opened")
        yield page
        assert wrong == []


def _leaves(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "blob:", "data:"))


def where(page, name: str) -> tuple[float, float]:
    """Where an operator stands in the window, px."""
    x, y = page.evaluate(
        f"(name) => {{ const v = {VIEW}, r = v.stage.getBoundingClientRect(),"
        " p = v.network.canvasToDOM(v.nodes.get(name)); return [r.x + p.x, r.y + p.y]; }",
        name,
    )
    return x, y


def camera(page) -> list[float]:
    """Scale, and the place in the middle of the stage."""
    return page.evaluate(
        f"(() => {{ const n = {VIEW}.network, at = n.getViewPosition();"
        " return [n.getScale(), at.x, at.y]; })()"
    )


def test_a_click_on_an_operator_reaches_python_and_one_beside_it_lets_go(page):
    page.mouse.click(*where(page, "op_2"))
    page.get_by_text("clicked: 'op_2'").wait_for()

    x, y = where(page, "op_2")
    page.mouse.click(x + 120, y)  # between two columns
    page.get_by_text("clicked: None").wait_for()


def test_a_long_graph_opens_at_a_readable_zoom_and_fit_shows_all_of_it(page):
    assert camera(page)[0] == pytest.approx(0.8)

    page.get_by_role("button", name="Show the whole graph").click()
    page.wait_for_function(f"{VIEW}.network.getScale() <= {VIEW}.fitScale() + 0.001")


def test_new_colours_leave_zoom_and_position_as_they_were(page):
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(f"{VIEW}.network.getScale() > 1.07")
    before = camera(page)

    page.get_by_text("two clusters").click()
    page.get_by_role("button", name="100 ops").first.wait_for()

    assert page.locator(".legend button").all_text_contents() == ["0100 ops", "1100 ops"]
    assert camera(page) == pytest.approx(before, abs=0.5)


def test_search_counts_its_matches_and_enter_goes_to_the_next(page):
    search = page.get_by_role("searchbox")
    search.fill("OP_19")
    assert page.locator(".search output").text_content() == "11"  # op_19 and op_190 to op_199

    search.press("Enter")
    search.press("Enter")
    assert page.locator(".search output").text_content() == "2 of 11"
    page.wait_for_function(
        f"Math.abs({VIEW}.network.getViewPosition().y - {VIEW}.nodes.get('op_190').y) < 1"
    )


def test_a_name_that_is_markup_is_shown_as_text(page):
    page.mouse.move(*where(page, "op_3"))
    page.mouse.move(*where(page, "<img src=x onerror=document.title='owned'>"))
    page.locator(".tip .head", has_text="<img src=x").wait_for()

    page.mouse.move(10, 10)  # off the graph
    page.locator(".tip").wait_for(state="hidden")
    assert page.locator(".graph img").count() == 0
    assert page.title() != "owned"
