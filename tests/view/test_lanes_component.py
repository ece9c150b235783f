"""Lanes and Gantt charts in a real browser: dragged by mouse and finger, carried by the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import MISSING, WHY_SKIPPED, at_rest, browser, served, settled

PAGE = Path(__file__).with_name("lanes_page.py")
VIEW = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.lanes')?.view).find((view) => view)"
)
GANTT = VIEW.replace(".lanes", ".gantt")
OPEN_MS = 120_000  # of a browser that has just begun, on a busy host
ALL = "a b c d e <"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING, reason=WHY_SKIPPED)]


@pytest.fixture(scope="module")
def window() -> Iterator[object]:
    """One window for all tests, of a screen that can be touched as well."""
    with browser() as chromium:
        context = chromium.new_context(viewport={"width": 900, "height": 500}, has_touch=True)
        context.set_default_timeout(OPEN_MS)
        yield context.new_page()
        context.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(PAGE, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def page(address: str, window) -> Iterator[object]:
    """The page opened anew, all on one worker; at the end no script failed."""
    wrong: list[str] = []
    window.on("pageerror", lambda error: wrong.append(str(error)))
    window.mouse.move(0, 0)  # or a bar that comes to lie under it shows its tip
    window.goto(address)
    window.wait_for_function(f"{VIEW}?.plan")
    settled(window)
    yield window
    assert wrong == []
    assert window.title() != "owned"


@pytest.fixture
def chart(address: str, window) -> Iterator[object]:
    """Two timelines on one axis; at the end no script failed."""
    wrong: list[str] = []
    window.on("pageerror", lambda error: wrong.append(str(error)))
    window.mouse.move(0, 0)
    window.goto(f"{address}/?gantt")
    window.wait_for_function(f"{GANTT}?.bars.length")
    settled(window)
    yield window
    assert wrong == []
    assert window.title() != "owned"


def middle(page, name: str) -> tuple[float, float]:
    """Where a bar stands once it has come to rest, px."""
    x, y = at_rest(
        page,
        f"(name) => {{ const box = {VIEW}.bars.get(name).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; }",
        name,
    )
    return x, y


def lane(page, number: int) -> float:
    """The height of a lane's middle, px."""
    return page.evaluate(
        f"(lane) => {VIEW}.tracks.getBoundingClientRect().y + (lane + 0.5) * {VIEW}.row", number
    )


def drag(page, name: str, to: int, *, drop: bool = True) -> None:
    x, y = middle(page, name)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3, lane(page, to), steps=3)
    if drop:
        page.mouse.up()


def planned(page, text: str) -> None:
    """Wait until Python has planned this, and the view shows it."""
    page.get_by_text(f"plan: {text}", exact=True).wait_for()
    page.wait_for_function(f"!{VIEW}.awaits && {VIEW}.plan.workers === {len(text.split('/'))}")


def chosen(page, names: str) -> None:
    """Wait until exactly these operators are marked: a touch is handled after it was sent."""
    page.wait_for_function(f"(names) => [...{VIEW}.chosen].sort().join(' ') === names", arg=names)


def said(page) -> str:
    return page.evaluate(f"{VIEW}.find('.said').textContent")


def makespan(page) -> float:
    return page.evaluate(f"{VIEW}.plan.makespan")


def test_a_bar_dropped_on_another_lane_moves_there_and_undo_brings_it_back(page):
    assert makespan(page) == 19.0

    drag(page, "b", 1)

    planned(page, "a c d e < / b")
    assert makespan(page) == 14.0
    assert said(page) == "Predicted 19 units → 14 units: 26.32 % less."
    assert page.evaluate(f"{VIEW}.bars.get('b').classList.contains('moved')")
    page.get_by_role("button", name="Undo").click()
    planned(page, ALL)
    assert said(page) == "Predicted 14 units → 19 units: 35.71 % more."
    assert page.get_by_role("button", name="Undo").is_disabled()


def test_escape_while_dragging_leaves_the_plan_as_it_was(page):
    drag(page, "b", 1, drop=False)
    page.wait_for_function(f"{VIEW}.carry.held?.lane === 1")

    page.keyboard.press("Escape")
    page.mouse.up()

    assert page.evaluate(f"{VIEW}.carry.held") is None
    assert not page.evaluate(f"{VIEW}.awaits")
    assert said(page) == "Put back."


def test_a_double_click_takes_the_chain_and_shift_adds_and_all_go_together(page):
    page.mouse.dblclick(*middle(page, "c"))
    chosen(page, "c d")
    page.keyboard.down("Shift")
    page.mouse.click(*middle(page, "e"))
    page.keyboard.up("Shift")
    chosen(page, "c d e")
    page.get_by_text("chosen: c d e").wait_for()

    drag(page, "d", 1)

    planned(page, "a b < / c d e")
    chosen(page, "c d e")


def test_a_lasso_over_the_ground_chooses_what_it_touches(page):
    (left, _), (right, _) = middle(page, "b"), middle(page, "d")
    page.mouse.move(left, lane(page, 1))
    page.mouse.down()
    page.mouse.move(right, lane(page, 0), steps=3)
    page.mouse.up()

    chosen(page, "b c d")


def test_the_name_of_a_lane_carries_all_that_its_worker_does(page):
    drag(page, "b", 1)
    planned(page, "a c d e < / b")
    x = page.evaluate(f"{VIEW}.root.querySelector('.head').getBoundingClientRect().x + 20")

    page.mouse.move(x, lane(page, 0))
    page.mouse.down()
    page.mouse.move(x, lane(page, 1), steps=3)
    page.mouse.up()

    planned(page, ALL)


def test_the_keyboard_picks_up_carries_and_drops_and_says_so(page):
    page.locator(".scroll").press("ArrowRight")
    page.locator(".scroll").press("ArrowRight")
    assert said(page).startswith("b, worker 0, 5 units, chain 0")

    page.locator(".scroll").press(" ")
    page.locator(".scroll").press("ArrowDown")
    assert said(page) == ("Carrying 1 operator, over a new worker. Space drops, Escape puts back.")
    page.locator(".scroll").press("Escape")
    assert page.evaluate(f"{VIEW}.carry.held") is None
    for key in ("c", " ", "ArrowDown", " "):
        page.locator(".scroll").press(key)

    planned(page, "c d / a b e <")
    assert page.get_by_role("option", selected=True).count() == 4
    page.locator(".scroll").press("Control+z")
    planned(page, ALL)


def test_a_finger_drags_and_several_can_be_tapped(page):
    page.get_by_role("button", name="Several").tap()
    page.touchscreen.tap(*middle(page, "b"))
    page.touchscreen.tap(*middle(page, "e"))
    chosen(page, "b e")

    x, y = middle(page, "b")
    finger = page.context.new_cdp_session(page)
    for kind, to in (("touchStart", y), ("touchMove", y + 20), ("touchMove", lane(page, 1))):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": to}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    planned(page, "a c d < / b e")


def test_a_name_is_written_where_there_is_room_for_it(page):
    bar = page.locator(".op[data-name=a]")
    assert bar.inner_text() == "a"

    page.evaluate(f"{VIEW}.tracks.style.width = '40px'; {VIEW}.resize()")

    assert bar.inner_text() == ""


def test_what_python_chooses_is_marked(page):
    page.get_by_role("button", name="choose d").click()

    page.wait_for_function(f"{VIEW}.chosen.has('d')")
    assert said(page) == "d chosen, 3 units, on worker 0."


def test_a_run_that_began_before_the_last_choice_does_not_take_it_back(page):
    page.evaluate(f"{VIEW}.choose(['b'])")
    page.evaluate(
        f"(() => {{ const v = {VIEW}, chosen = {{ value: ['d'], turn: v.choice.turn - 1 }};"
        " v.show({ ...v.data, chosen }, [v.plan]); })()"
    )

    assert page.evaluate(f"[...{VIEW}.chosen]") == ["b"]
    page.get_by_text("chosen: b", exact=True).wait_for()


def box(page, number: int) -> dict[str, float]:
    """Where a bar of the chart stands, px, in the order in which bars were given."""
    return at_rest(page, f"(i) => {GANTT}.elements[i].getBoundingClientRect().toJSON()", number)


def test_timelines_share_one_axis_and_kinds_differ_in_form(chart):
    compute, copy, wait, other, dispatch, measured = (box(chart, i) for i in range(6))

    assert measured["width"] == pytest.approx(18 / 4 * compute["width"], abs=0.5)
    assert measured["x"] - compute["x"] == pytest.approx(compute["width"] / 2, abs=0.5)
    assert len({round(bar["height"]) for bar in (compute, copy, wait, dispatch)}) == 4
    assert compute["y"] < other["y"] < measured["y"]  # a row for each worker, the prediction above
    assert chart.locator(".caption").all_inner_texts() == ["predicted 10 ms", "measured 20 ms"]
    assert chart.locator(".legend").inner_text().split() == [
        *("compute", "copy", "wait", "dispatch"),
        *("on", "the", "critical", "path"),
    ]


def test_a_bar_under_the_pointer_says_what_it_is_and_a_name_is_no_markup(chart):
    bar = box(chart, 3)
    chart.mouse.move(bar["x"] + 5, bar["y"] + 5)

    tip = chart.locator(".tip")
    tip.wait_for()
    said = tip.inner_text()
    assert said.startswith("<img/src=x")
    assert [line for line in said.split("\n")[1:] if line] == [
        *("worker 1", "computes", "takes", "5 ms", "from", "5 ms", "to", "10 ms"),
        "on the critical path",
    ]
    assert chart.locator(".gantt img").count() == 0
    chart.mouse.move(5, 5)
    tip.wait_for(state="hidden")


def test_a_click_on_a_bar_selects_its_operator_and_another_lets_go(chart):
    bar = box(chart, 0)
    chart.mouse.click(bar["x"] + 5, bar["y"] + 5)
    chart.get_by_text("selected: a", exact=True).wait_for()
    assert chart.locator(".selected").count() == 5  # its copy, and who waits for it, as well

    chart.mouse.click(bar["x"] + 5, bar["y"] + 5)
    chart.get_by_text("selected: none", exact=True).wait_for()
    assert chart.locator(".selected").count() == 0


def test_what_python_selects_stands_out_and_a_zoom_keeps_the_time_in_the_middle(chart):
    chart.get_by_role("button", name="select a").click()
    chart.wait_for_function(f"{GANTT}.root.classList.contains('selecting')")
    assert chart.evaluate(f"getComputedStyle({GANTT}.elements[1]).outlineStyle") == "solid"
    assert chart.evaluate(f"getComputedStyle({GANTT}.elements[3]).color") == chart.evaluate(
        f"getComputedStyle({GANTT}.root).color"
    )
    before = box(chart, 5)

    chart.locator(".scroll").press("+")

    after = box(chart, 5)
    assert after["width"] == pytest.approx(1.5 * before["width"], abs=1)
    chart.locator(".scroll").press("f")
    assert box(chart, 5) == pytest.approx(before, abs=1)


def test_the_keyboard_goes_from_operator_to_operator_which_it_says_and_selects(chart):
    scroll = chart.locator(".scroll")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        scroll.press(key)

    said = "a, worker 0 computes takes 18 ms from 2 ms to 20 ms"
    assert chart.locator(".spoken").text_content() == said
    assert chart.locator(".tip").is_visible()
    scroll.press("Enter")
    chart.get_by_text("selected: a", exact=True).wait_for()


def test_a_timeline_that_stays_is_not_the_first_to_be_forgotten(chart):
    chart.evaluate("for (let i = 0; i < 20; i++) ramielShelf.things.set(`other ${i}`, i)")

    chart.get_by_role("button", name="select a").click()
    chart.wait_for_function(f"{GANTT}.chosen.value === 'a'")

    kept = chart.evaluate("[...ramielShelf.things.keys()].slice(-2)")
    assert kept == chart.evaluate(f"{GANTT}.data.shown.map(({{ key }}) => key)")
