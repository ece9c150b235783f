"""An operator selected in one place is selected in all of them."""

from __future__ import annotations

import re

from tests.chromium import ready, settled

ADDRESS = "model=squeezenet1_0&workers=2"


def selected(page) -> str | None:
    found = re.search(r"[?&]operator=([^&]+)", page.url)
    return found and found[1]


def click_bar(page, number: int) -> None:
    """Click one of the widest bars of the chart on the page."""
    page.locator(".barlayer .point path").first.wait_for()
    settled(page)
    place = page.evaluate(
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
    grid.wait_for()
    settled(page)
    grid.locator(".dvn-scroller").click(position={"x": 18, "y": 87})  # the tick of the second row
    page.wait_for_url(re.compile(r"operator=features_1(&|$)"))
    page.locator(".rv-name", has_text=re.compile("^features_1$")).wait_for()

    page.goto(f"/benchmark?{ADDRESS}&operator=features_1")
    click_bar(page, 0)
    page.wait_for_url(re.compile(r"operator=(?!features_1(&|$))"))
    name = selected(page)

    page.goto(f"/code?{ADDRESS}&operator={name}")
    line = page.get_by_role("option", selected=True).first
    line.wait_for()
    assert line.inner_text().strip().startswith(f"{name} = ")
