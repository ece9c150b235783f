"""What if, Edit, Compare and Export in a real browser: what a user does there most."""

from __future__ import annotations

import json
from pathlib import Path

from ramiel_core import pipeline
from ramiel_core.plan import saved as plans
from tests.chromium import at_rest, metric, ready, settled

VIEWS = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.graph, .lanes')?.view).filter((view) => view)"
)
CAMERAS = f"""{VIEWS}.map(({{ network }}) => {{
    const {{ x, y }} = network.getViewPosition();
    return [network.getScale(), x, y].map((value) => value.toFixed(3)).join(' ');
}})"""
RUNNING_MS = 240_000  # twenty rounds, on a host that may be busy


def test_a_slider_moves_the_prediction_by_the_keyboard_and_f5_keeps_it(page):
    page.goto("/what_if?model=googlenet&workers=2")
    page.get_by_test_id("stPlotlyChart").wait_for()
    before = metric(page, "Prediction")

    slider = page.get_by_role("slider", name="Threads per worker")
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_url("**threads=2*")

    after = metric(page, "Prediction")
    assert float(after.split()[0]) < float(before.split()[0])
    page.get_by_text("prediction, not run").wait_for()  # charts come after the script has ended
    page.locator("[data-testid=stPageLink] a[href*='threads=2']").first.wait_for()  # links follow
    page.reload()
    page.get_by_test_id("stPlotlyChart").wait_for()
    assert metric(page, "Prediction") == after


def test_an_operator_is_moved_saved_run_and_compared(page, uploaded):
    page.goto(f"/edit?model={uploaded}&workers=2")
    ready(page.get_by_role("combobox", name="Operators")).fill("left")
    page.get_by_role("option", name="left (worker").click()
    page.keyboard.press("Escape")
    move = page.get_by_role("button", name="Move 1 operator")
    move.wait_for()
    ready(page.get_by_role("combobox", name="To", exact=True)).click()
    page.get_by_role("option", name="a new one").click()
    ready(move).click()
    page.wait_for_url("**plan=*")
    page.get_by_test_id("stMetric").filter(has_text="Operators moved").get_by_text(
        "1", exact=True
    ).wait_for()

    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    file = Path(download.value.path())
    document = json.loads(file.read_text())
    assert ["left"] in document["clusters"]
    document["clusters"][0] = [*document["clusters"][0][1:], "<b>nobody</b>"]
    wrong = {"name": "wrong.json", "mimeType": "application/json"}
    page.locator("input[type=file]").set_input_files(
        {**wrong, "buffer": json.dumps(document).encode()}
    )
    page.get_by_text("The plan names '<b>nobody</b>'").wait_for()

    ready(page.get_by_role("button", name="Run this plan")).click()
    page.wait_for_url("**job=*")
    page.get_by_text("over sequential (95 %").wait_for(timeout=RUNNING_MS)
    ready(page.get_by_role("link", name="The whole result")).click()
    page.get_by_role("heading", name="Who did what when").wait_for()
    page.get_by_text("Bit for bit equal in 40 of 40").wait_for()
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download trace").click()
    events = json.loads(Path(download.value.path()).read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "s", "f"}
    ready(page.get_by_role("button", name="Recalibrate")).click()
    page.wait_for_url("**cost=measured*")
    page.get_by_text("4 operators recalibrated").wait_for()

    page.get_by_test_id("stSidebar").get_by_role("link", name="Compare").click()
    ready(page.get_by_role("combobox", name="Planner A")).click()
    page.get_by_role("option", name="by hand").click()
    page.get_by_text("Not measured yet: B.").wait_for()


def test_the_report_of_a_graph_can_be_taken_along(page):
    page.goto("/export?model=squeezenet1_0")
    page.get_by_role("heading", name="The plan").wait_for()

    for label, begins in (("Picture, PNG", b"\x89PNG"), ("Operators, CSV", b"operator,")):
        settled(page)
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        assert Path(download.value.path()).read_bytes().startswith(begins)


def test_the_program_that_a_benchmark_runs_can_be_taken_along(page):
    """Its slow poolings are cut, as on page Code; the plan that page Edit loads has them whole."""
    graph = pipeline.graph_of("squeezenet1_0")
    plan = pipeline.plan_of(graph, 2)
    cut, planned = pipeline.adapted(graph, plan, 2, split=True)
    assert cut.split

    page.goto("/export?model=squeezenet1_0&workers=2")
    page.get_by_text("Operators are whole in it.").wait_for()
    for label, wanted in (
        ("Program, Python", pipeline.program_of(cut, planned).source),
        ("Plan, JSON", plans.to_json(graph, plan)),
    ):
        settled(page)
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        assert Path(download.value.path()).read_text() == wanted


def test_an_operator_dropped_on_another_lane_moves_the_prediction(page):
    page.goto("/edit?model=squeezenet1_0&workers=2&operator=features_0")
    page.wait_for_function(f"{VIEWS}[0]?.chosen.has('features_0')")
    settled(page)
    x, y, row = at_rest(
        page,
        f"""() => {{
            const [view] = {VIEWS}, box = view.bars.get('features_0').getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2, view.row];
        }}""",
    )

    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 2 * row, steps=3)
    page.mouse.up()

    page.wait_for_url("**plan=*")
    page.wait_for_function(f"!{VIEWS}[0].awaits")
    settled(page)
    assert metric(page, "Operators moved") == "1"
    assert page.evaluate(f"{VIEWS}[0].plan.workers") == 3
    page.get_by_test_id("stMain").get_by_role("button", name="Undo").last.click()
    page.wait_for_url(lambda url: "plan=" not in url)


def test_two_plans_are_looked_at_and_chosen_from_together(page):
    page.emulate_media(reduced_motion="reduce")
    page.goto("/compare?model=squeezenet1_0&a=ramiel:2&b=ramiel:1")
    page.wait_for_function(f"{VIEWS}.filter((view) => view.camera.opened).length === 2")
    settled(page)
    page.wait_for_function(f"new Set({CAMERAS}).size === 1")
    before, _ = page.evaluate(CAMERAS)
    marked = page.evaluate(
        f"{VIEWS}.map((view) => view.scene.boxes.filter((b) => b.marked).length)"
    )
    assert marked[0] == marked[1] == int(metric(page, "Operators moved")) > 0

    page.get_by_role("button", name="Zoom in").first.click()
    page.wait_for_function(f"(before) => {CAMERAS}.every((at) => at !== before)", arg=before)
    page.wait_for_function(f"new Set({CAMERAS}).size === 1")
    name, x, y = at_rest(
        page,
        f"""() => {{
            const view = {VIEWS}[1], middle = view.network.getViewPosition();
            const away = ({{ x, y }}) => Math.hypot(x - middle.x, y - middle.y);
            const box = view.scene.boxes.reduce((a, b) => away(b) < away(a) ? b : a);
            view.stage.scrollIntoView({{ block: 'center' }});
            const stage = view.stage.getBoundingClientRect(), place = view.network.canvasToDOM(box);
            return [box.id, stage.x + place.x, stage.y + place.y];
        }}""",
    )
    page.mouse.click(x, y)
    page.wait_for_url(f"**operator={name}*")
    page.wait_for_function(
        f"(name) => {VIEWS}.every(({{ choice }}) => choice.selected === name)", arg=name
    )
    settled(page)
    page.wait_for_function(f"new Set({CAMERAS}).size === 1")
