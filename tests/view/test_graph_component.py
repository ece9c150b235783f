"""The graph component in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ramiel_core.ir import Graph
from ramiel_core.plan.planner import make_plan
from tests.chromium import MISSING, WHY_SKIPPED, at_rest, browser, served, settled
from tests.graphs import SHAPES

PAGE = Path(__file__).with_name("graph_page.py")
VIEW = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.graph')?.view).find((view) => view)"
)
OPEN_MS = 120_000  # of a browser that has just begun, on a busy host
BUSY_MS = 400  # too long between two clicks for vis-network

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING, reason=WHY_SKIPPED)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(PAGE, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
def window(address: str) -> Iterator[object]:
    """One window for all tests: after each of them, every process is as it was before."""
    with browser() as chromium:
        window = chromium.new_page(viewport={"width": 1200, "height": 800})
        window.set_default_timeout(OPEN_MS)
        window.goto(address)
        window.wait_for_function(f"{VIEW}?.camera.opened")
        yield window


@pytest.fixture
def visit(address: str, window) -> Iterator[object]:
    """Open the page; at the end no script failed and no request went elsewhere."""
    wrong: list[str] = []

    def failed(error) -> None:
        wrong.append(str(error))

    def asked(request) -> None:
        if _leaves(request.url):
            wrong.append(request.url)

    window.on("pageerror", failed)
    window.on("request", asked)

    def _visit(query: str = ""):
        window.goto(f"{address}/{query}")
        window.wait_for_function(f"{VIEW}?.camera.opened")
        settled(window)  # or what is drawn after it may move it from under a click
        return window

    yield _visit
    window.emulate_media(reduced_motion="null")
    window.remove_listener("pageerror", failed)
    window.remove_listener("request", asked)
    assert wrong == []


@pytest.fixture
def page(visit):
    return visit()


def _leaves(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "blob:", "data:"))


def where(page, name: str) -> tuple[float, float]:
    """Where a box stands in the window, px."""
    x, y = at_rest(
        page,
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


def press(page, *keys: str) -> None:
    for key in keys:
        page.locator(".stage").press(key)


def becomes(page, expression: str, value: object) -> None:
    """Wait until something of the view equals a value."""
    page.wait_for_function(
        f"(value) => ({expression.replace('view', VIEW, 1)}) === value", arg=value
    )


def double_click_on_a_busy_page(page, x: float, y: float) -> None:
    page.mouse.move(x, y)
    for count in (1, 2):
        page.mouse.down(click_count=count)
        page.mouse.up(click_count=count)
        page.evaluate(
            f"for (const ends = performance.now() + {BUSY_MS}; performance.now() < ends;);"
        )


def test_a_click_on_an_operator_reaches_python_and_one_beside_it_lets_go(page):
    page.mouse.click(*where(page, "op_2"))
    page.get_by_text("chosen: 'op_2'").wait_for()

    x, y = where(page, "op_2")
    page.mouse.click(x + 120, y)  # between two columns
    page.get_by_text("chosen: None").wait_for()


def test_what_python_selects_comes_into_view(page):
    page.get_by_role("button", name="choose op_150").click()

    becomes(page, "view.choice.selected", "op_150")
    page.get_by_text("chosen: 'op_150'").wait_for()
    page.wait_for_function(
        f"Math.abs({VIEW}.network.getViewPosition().y - {VIEW}.nodes.get('op_150').y) < 1"
    )


def test_a_run_that_began_before_the_last_click_does_not_take_it_back(page):
    page.evaluate(f"{VIEW}.choice.pick('op_2')")
    page.evaluate(
        f"(() => {{ const v = {VIEW}, turn = v.choice.chosen.turn - 1;"
        " const selected = { value: 'op_3', turn };"
        " v.show({ ...v.data, selected }, [, v.scene.facts, v.scene.shape]); })()"
    )
    becomes(page, "view.choice.selected", "op_2")
    page.get_by_text("chosen: 'op_2'").wait_for()


def test_it_opens_at_a_readable_zoom_and_tells_python_where_it_rests(page):
    assert camera(page)[0] == pytest.approx(0.8)

    press(page, "f")
    scale = page.evaluate(f"{VIEW}.camera.fitScale()")
    page.get_by_text(f"view at: {round(scale, 3)}").wait_for()
    assert camera(page)[0] == pytest.approx(scale)


def test_new_clusters_leave_zoom_and_position_as_they_were(page):
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(f"!{VIEW}.camera.glide")
    before = camera(page)
    assert before[0] == pytest.approx(0.8 * 1.35)

    page.get_by_text("two clusters").click()
    page.get_by_role("button", name="100 ops").first.wait_for()

    assert page.locator(".legend button").all_text_contents() == ["0100 ops", "1100 ops"]
    assert camera(page) == pytest.approx(before, abs=0.01)


@pytest.mark.parametrize("first_frames", [0, 2])
def test_a_second_press_goes_on_from_where_the_first_would_have_ended(page, first_frames):
    _, *middle = camera(page)

    page.evaluate(
        f"""async (frames) => {{
            const view = {VIEW};
            view.camera.in();
            for (; frames; frames--) await new Promise(requestAnimationFrame);
            view.camera.in();
        }}""",
        first_frames,
    )
    page.wait_for_function(f"!{VIEW}.camera.glide")

    assert camera(page) == pytest.approx([0.8 * 1.35**2, *middle])


def test_colouring_by_cost_has_a_legend_with_units_and_needs_no_new_layout(page):
    before = camera(page)
    page.get_by_role("combobox", name="Colour by").select_option("cost")
    page.get_by_text("colour: cost").wait_for()

    chips = page.locator(".legend button b").all_text_contents()
    assert chips[0] == "below 0.041 ms"
    assert chips[-1] == "1.5 ms and more"
    box = page.evaluate(f"(({{badge, note}}) => [badge, note])({VIEW}.nodes.get('op_150'))")
    assert box == ["1.5", "1.5 ms · conv2d"]  # the number stands beside the colour
    assert camera(page) == pytest.approx(before, abs=0.5)
    assert page.locator("option[disabled]").inner_text().endswith("(measure first)")


def test_tab_goes_from_the_picture_to_the_legend(page):
    page.get_by_role("application").focus()
    page.keyboard.press("Tab")

    assert page.evaluate(f"{VIEW}.root.getRootNode().activeElement.className") == ""
    assert page.evaluate(f"{VIEW}.root.getRootNode().activeElement.dataset.bucket") == "0"


def test_search_counts_its_matches_and_enter_chooses_the_next(page):
    press(page, "/")
    search = page.get_by_role("searchbox")
    search.press_sequentially("OP_19")
    assert page.locator(".search output").text_content() == "11"  # op_19 and op_190 to op_199

    search.press("Enter")
    search.press("Enter")
    assert page.locator(".search output").text_content() == "2 of 11"
    page.wait_for_function(
        f"Math.abs({VIEW}.network.getViewPosition().y - {VIEW}.nodes.get('op_190').y) < 1"
    )

    page.get_by_text("chosen: 'op_190'").wait_for()  # its details are what was searched for

    search.fill("op:conv2d cost>1900us cp:true")
    assert page.locator(".search output").text_content() == "4"  # op_192 to op_198
    search.fill("cost>soon")
    assert page.get_by_role("alert").filter(has_text="cost needs a number").is_visible()


def test_keys_walk_the_critical_path_and_jump_along_edges(page):
    press(page, "n", "n", "n")
    page.get_by_text("chosen: 'op_2'").wait_for()
    press(page, "p", "n", "e", "e")
    assert page.locator(".said").inner_text() == "op_2 → op_3. J jumps to op_3."

    press(page, "j")
    page.get_by_text("chosen: 'op_3'").wait_for()
    press(page, "j")  # and back
    page.get_by_text("chosen: 'op_2'").wait_for()

    press(page, "?")
    assert page.locator(".keys").get_by_text("Next operator on the critical path").is_visible()
    press(page, "Escape")
    page.locator(".keys").wait_for(state="hidden")
    page.get_by_text("chosen: None").wait_for()


def test_a_rerun_between_two_presses_of_e_does_not_begin_again(page):
    page.evaluate(f"{VIEW}.choice.pick('op_2')")
    press(page, "e")
    page.evaluate(
        f"(() => {{ const v = {VIEW}; v.show(v.data, [, v.scene.facts, v.scene.shape]); }})()"
    )
    press(page, "e")

    assert page.locator(".said").inner_text() == "op_2 → op_3. J jumps to op_3."


def test_modules_collapse_and_expand_in_place(page):
    page.get_by_text("modules").click()
    becomes(page, "view.nodes.size", 4)
    group = "part2 @ op_100"
    before = where(page, group)
    assert page.evaluate(f"{VIEW}.title({VIEW}.nodes.get('{group}'))") == "part2 (50 operators)"

    double_click_on_a_busy_page(page, *before)
    becomes(page, "view.nodes.size", 3 + 5)
    assert where(page, "inner10 @ op_100".replace("inner", "part2.inner")) == pytest.approx(
        before, abs=1
    )
    page.evaluate(f"{VIEW}.place()")  # drawn once more, as after a run that a newer one overtook
    page.evaluate(f"{VIEW}.camera.resize()")
    assert where(page, "part2.inner10 @ op_100") == pytest.approx(before, abs=1)
    press(page, "n")
    page.evaluate(f"{VIEW}.choice.go('part2.inner10 @ op_100')")
    press(page, "x")  # one level further
    becomes(page, "view.nodes.size", 3 + 4 + 10)
    page.evaluate(f"{VIEW}.choice.go('op_105')")
    page.get_by_role("button", name="Collapse").click()
    becomes(page, "view.nodes.size", 3 + 5)


def test_a_graph_lives_as_long_as_its_place_in_the_page(page):
    page.evaluate(f"window.first = {VIEW}")
    page.evaluate("() => { first.close = () => { window.ended = true; }; }")

    for box in ("modules", "two clusters", "modules", "two clusters"):
        page.get_by_text(box).click()  # a run may overtake the one before
    becomes(page, "view.nodes.size", 200)
    assert page.evaluate(f"{VIEW} === first && !window.ended")

    page.get_by_text("no graph").click()
    page.wait_for_function("window.ended")
    page.get_by_text("no graph").click()
    page.wait_for_function(f"{VIEW}?.camera.opened")
    assert page.evaluate(f"{VIEW} !== first")


def test_names_that_are_markup_are_shown_as_text(page):
    names = page.evaluate(f"[...{VIEW}.nodes.keys()].slice(0, 2)")
    for name in names:
        page.mouse.move(*where(page, "op_3"))
        page.mouse.move(*where(page, name))
        page.locator(".tip .head", has_text=name[:20]).wait_for()
        page.evaluate("(name) => " + f"{VIEW}.choice.pick(name)", name)
        page.wait_for_function(
            f"(name) => {VIEW}.find('.said').textContent.startsWith(name)", arg=name
        )
    assert len(names[1]) > 500

    page.mouse.move(10, 10)  # off the graph
    page.locator(".tip").wait_for(state="hidden")
    assert page.locator(".graph img, .graph script").count() == 0
    assert page.title() != "owned"


def test_the_player_goes_through_clustering_and_merging_without_python(visit):
    page = visit("?play")
    plan = make_plan(Graph.parse(SHAPES["inception"]))
    chains, last = len(plan.linear), len(plan.linear) + len(plan.steps)
    assert page.locator(".when").inner_text() == f"Clustering: 0 of {chains} chains"
    assert page.locator(".legend button").count() == 0  # no operator has a cluster

    page.locator(".transport select").select_option("10")
    page.evaluate(  # a rerun gives the view another way to tell, but not this
        f"const {{ rest }} = {VIEW}.player, tell = rest.tell; window.told = 0;"
        "rest.tell = (told) => { window.told += 1; tell(told); }; 0"
    )
    page.get_by_role("button", name="Play", exact=True).click()
    becomes(page, "view.player.frame", last)
    page.get_by_text(f"rests at: {last}").wait_for()
    assert page.evaluate("window.told") == 1  # where it came to rest, and no step on the way
    assert page.locator(".figures dd").all_inner_texts()[2] == str(plan.fixpoint)
    assert page.locator(".legend button").count() == plan.fixpoint

    press(page, ",")
    becomes(page, "view.player.frame", last - 1)
    before = plan.steps[-2]
    assert page.locator(".figures dd").all_inner_texts()[1:3] == [
        str(before.cut_edges),
        str(before.clusters),
    ]
    assert before.reason in page.locator(".reason").inner_text()
    page.get_by_text(f"rests at: {last - 1}").wait_for()


def test_the_merging_clusters_flash_and_a_click_on_a_chart_goes_to_its_step(visit):
    page = visit("?play")
    plan = make_plan(Graph.parse(SHAPES["inception"]))
    chart = page.locator(".charts svg").first

    chart.click(position={"x": chart.bounding_box()["width"] - 5, "y": 10})
    becomes(page, "view.player.frame", len(plan.linear) + len(plan.steps))

    step = plan.steps[-1]
    glowing = page.evaluate(
        f"{VIEW}.scene.boxes.filter((b) => {VIEW}.player.glow(b)).map((b) => b.id)"
    )
    moved = set(plan.linear[step.kept]) | {*plan.linear[step.gone]}
    assert moved <= set(glowing)
    slider = page.get_by_role("slider")
    slider.press("Home")
    becomes(page, "view.player.frame", 0)


def test_nothing_moves_for_those_who_asked_for_less_motion(visit):
    page = visit("?play")
    page.emulate_media(reduced_motion="reduce")

    press(page, ".")

    becomes(page, "view.player.frame", 1)
    assert page.evaluate(f"{VIEW}.player.pulsing") is None
    still = page.evaluate(f"{VIEW}.scene.boxes.map((b) => {VIEW}.player.glow(b))")
    assert {round(glow, 3) for glow in still} == {0, 0.01}  # an outline that stays as it is
