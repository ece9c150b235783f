"""The page that opens without Ramiel: complete, off line, and every text escaped."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from ramiel_core.ir import Bar, Job, Plan, Report, Run, Timeline
from ramiel_core.view.page import html
from tests.chromium import MISSING, WHY_SKIPPED, browser

HOSTILE = "\"'><script>document.title='owned'</script><img src=http://evil.example/x>" + "n" * 500
BARS = (
    Bar(0, HOSTILE, "dispatch", 0.0, 0.1),
    Bar(0, HOSTILE, "compute", 0.1, 3.0),
    Bar(0, HOSTILE, "copy", 3.0, 3.2),
    Bar(1, HOSTILE, "wait", 0.0, 3.3),
    Bar(1, "b", "compute", 3.3, 4.0),
)
PREDICTED = Timeline(tuple(bar for bar in BARS if bar.kind != "dispatch"), 4.0)
MEASURED = Timeline(BARS, 4.0)


def report(name: str = HOSTILE) -> Report:
    return Report(
        model=name,
        operators=2,
        plan=Plan(((HOSTILE,), ("b",)), planner=HOSTILE),
        job=Job(name, workers=2),
        cost_model="measured",
        runs=tuple(Run(label, 1, 1, (4.0, 5.0), True, 0.0) for label in ("sequential", HOSTILE)),
        sequential_ms=4.5,
        parallel_ms=4.0,
        speedup=1.125,
        speedup_ci=(1.0, 1.2),
        bound=2.0,
        equal=True,
        operator_ms={HOSTILE: 2.9, "b": 0.7},
        predicted=PREDICTED,
        measured=MEASURED,
        verdict=f"{HOSTILE} pays.",
        host={"processor": HOSTILE, "cores": 2},
        warnings=(HOSTILE,),
    )


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_no_text_becomes_a_tag_and_nothing_is_fetched():
    tags = Tags(html([(report(), {"measured": BARS[1:2]})])).found

    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in tags}
    assert not [a for _, attrs in tags for a in attrs if a.startswith("on") or a in ("src", "href")]
    policy = next(a["content"] for _, a in tags if a.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_every_bar_is_drawn_and_those_of_the_critical_path_are_outlined():
    tags = Tags(html([(report(), {"measured": BARS[1:2]})])).found

    boxes = [attrs for tag, attrs in tags if tag == "rect"]
    assert len(boxes) == 4 + len(PREDICTED.bars) + len(MEASURED.bars)  # four explain the colours
    assert len([attrs for attrs in boxes if attrs.get("class") == "critical"]) == 1


def test_several_reports_are_sections_of_one_page():
    text = html([(report("one"), {}), (report("two"), {})])

    assert text.count("<h1>") == 2
    assert "<title>one, two · Ramiel</title>" in text


@pytest.mark.browser
@pytest.mark.skipif(MISSING, reason=WHY_SKIPPED)
def test_a_browser_off_line_shows_it_without_a_complaint(tmp_path):
    file = tmp_path / "report.html"
    file.write_text(html([(report(), {"measured": BARS[1:2]})]))
    wrong = []
    with browser() as chromium:
        context = chromium.new_context(offline=True)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda r: r.url.startswith("file:") or wrong.append(r.url))
        page.goto(file.as_uri())
        assert page.locator(".verdict").inner_text().startswith("\"'><script>")
        assert page.locator("svg[aria-label]").count() == 2
        assert page.title() != "owned"
        context.close()
    assert wrong == []
