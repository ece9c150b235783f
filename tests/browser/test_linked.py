"""An operator selected in one place is selected in all of them."""

from __future__ import annotations

import re

import psutil
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.chromium import at_rest, ready, settled

VIEW = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.graph')?.view).find((view) => view)"
)
ADDRESS = "model=squeezenet1_0&workers=2"


def selected(page) -> str | None:
    found = re.search(r"[?&]operator=([^&]+)", page.url)
    return found and found[1]


def click_bar(page, number: int) -> None:
    """Click one of the widest bars of the chart on the page."""
    page.locator(".barlayer .point path").first.wait_for()
    place = at_rest(
        page,
        """(number) => {
            const boxes = [...document.querySelectorAll('.barlayer .point path')]
                .map((bar) => { bar.scrollIntoView({ block: 'center' }); return bar; })
                .map((bar) => bar.getBoundingClientRect())
                .filter(({ width, height }) => width * height > 4)
                .sort((a, b) => b.width * b.height - a.width * a.height);
            const { x, y, width, height } = boxes[number];
            return [x + width / 2, y + height / 2];
        }""",
        number,
    )
    page.mouse.move(*place)
    page.mouse.click(*place)
    page.wait_for_url("**operator=*")
    settled(page)


def test_a_link_clicked_right_after_the_graph_is_followed(page, address):
    """Under load, a stopped server here, the graph rests before the other page can answer."""
    page.goto(f"/graph?{ADDRESS}")
    page.wait_for_function(f"{VIEW}?.camera.opened")
    settled(page)
    link = page.get_by_test_id("stSidebar").get_by_role("link", name="Export")
    place = link.bounding_box()
    port = address.rpartition(":")[2]
    running = psutil.process_iter(["cmdline"])
    (server,) = [p for p in running if "streamlit" in (c := p.info["cmdline"] or ()) and port in c]

    server.suspend()
    try:
        page.evaluate(
            f"const view = {VIEW}, {{ tell }} = view;"
            "view.tell = (...told) => { window.rested = true; tell(...told); }; 0"
        )
        page.get_by_role("button", name="Zoom in").click()
        page.mouse.click(place["x"] + 30, place["y"] + place["height"] / 2)
        page.wait_for_function("window.rested")
    finally:
        server.resume()

    page.get_by_role("heading", name="Export", exact=True).wait_for()
    settled(page)
    assert "/export?" in page.url


def test_chart_table_timeline_and_code_select_the_same_operator(page):
    page.goto(f"/graph?{ADDRESS}")
    ready(page.get_by_text("Cost of every operator")).click()
    click_bar(page, 0)
    name = selected(page)
    page.locator(
        ".rv-name", has_text=re.compile(f"^{name}$")
    ).wait_for()  # the panel beside the graph

    ready(page.get_by_text("All operators")).click()
    grid = page.get_by_test_id("stDataFrame")
    grid.locator("canvas [role=gridcell]").first.wait_for(state="attached")  # drawn: it listens
    settled(page)
    grid.locator(".dvn-scroller").click(position={"x": 18, "y": 87})  # the tick of the second row
    second = "features_1" if name == "features_0" else "features_0"  # what is selected comes first
    page.wait_for_url(re.compile(rf"operator={second}(&|$)"))
    page.locator(".rv-name", has_text=re.compile(f"^{second}$")).wait_for()

    page.goto(f"/benchmark?{ADDRESS}&operator={second}")
    bar = page.locator(".gantt .compute:not(:empty)").filter(has_not_text=second).first
    ready(bar).click()
    page.wait_for_url(re.compile(rf"operator=(?!{second}(&|$))"))
    name = selected(page)

    page.goto(f"/code?{ADDRESS}&operator={name}")
    line = page.get_by_role("option", selected=True).first
    line.wait_for()
    assert line.inner_text().strip().startswith(f"{name} = ")


class Wire:
    """The connection to the app, on which its answers can be held back."""

    def __init__(self, page):
        self.page, self.asked, self.held = page, 0, None
        page.route_web_socket(re.compile("/_stcore/stream"), self.opened)

    def opened(self, browser) -> None:
        self.browser, self.app = browser, browser.connect_to_server()
        browser.on_message(self.ask)
        self.app.on_message(self.answered)

    def ask(self, message) -> None:
        self.asked += 1
        self.app.send(message)

    def answered(self, message) -> None:
        if self.held is None:
            self.browser.send(message)
        else:
            self.held.append(message)

    def hold(self) -> None:
        self.held = []

    def wait_for_end_of_run(self) -> None:
        """The app has acted, and nobody has heard."""
        while not any(ForwardMsg.FromString(m).HasField("script_finished") for m in self.held):
            self.page.wait_for_timeout(20)

    def wait_for_question(self, before: int) -> None:
        while self.asked == before:
            self.page.wait_for_timeout(20)

    def release(self) -> None:
        messages, self.held = self.held, None
        for message in messages:
            self.browser.send(message)


def test_a_click_before_the_answer_to_another_loses_neither_and_back_goes_back(page):
    wire = Wire(page)
    page.goto(f"/graph?{ADDRESS}")
    page.wait_for_function(f"{VIEW}?.camera.opened")
    settled(page)

    wire.hold()
    page.evaluate(f"{VIEW}.choice.pick('features_0')")
    wire.wait_for_end_of_run()
    asked = wire.asked
    page.evaluate(f"{VIEW}.colours.set('cost')")
    wire.wait_for_question(asked)
    wire.release()

    page.wait_for_url(re.compile("(?=.*operator=features_0)(?=.*colour=cost)"))
    settled(page)
    assert page.evaluate(f"{VIEW}.choice.selected") == "features_0"
    page.go_back()
    page.wait_for_url(lambda url: "colour=cost" not in url)
    settled(page)
    assert "colour=cost" not in page.url
