"""The main job in a real browser: choose a model, see its clusters, click to benchmark."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.chromium import at_rest, metric, ready, settled
from tests.onnx_files import BAD, sound

GRAPH = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.graph')?.view).find((view) => view)"
)
PAGES = {
    "": "Find the parallelism hidden in a model",
    "graph": "Graph",
    "merging": "Merging",
    "code": "Code",
    "benchmark": "Benchmark",
    "tune": "Tune",
}
TUNING_MS = 300_000  # every configuration gets its first rounds, whatever the budget


def title(page, text: str) -> None:
    page.get_by_role("heading", level=1, name=text, exact=True).wait_for()


def graph_drawn(page) -> None:
    page.wait_for_function(f"{GRAPH}?.camera.opened")
    settled(page)


def follow_link(page, label: str) -> None:
    page.get_by_test_id("stSidebar").get_by_role("link", name=label).click()
    title(page, label)
    settled(page)


def click_operator(page, name: str) -> None:
    graph_drawn(page)
    x, y = at_rest(
        page,
        f"(name) => {{ const v = {GRAPH}, r = v.stage.getBoundingClientRect(),"
        " p = v.network.canvasToDOM(v.nodes.get(name)); return [r.x + p.x, r.y + p.y]; }",
        name,
    )
    page.mouse.click(x, y)


def ask_for_repeats(page, repeats: int) -> None:
    settled(page)
    box = page.get_by_role("spinbutton", name="Repeats")
    box.fill(str(repeats))
    box.press("Enter")
    settled(page)


def run(page) -> str:
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**job=*")
    return re.search(r"job=([0-9a-f]{16})", page.url)[1]


def test_from_choosing_a_model_to_the_verdict(page):
    page.goto("/?model=squeezenet1_0")
    title(page, PAGES[""])
    ready(page.get_by_role("combobox", name="Model")).click()
    page.get_by_role("combobox", name="Model").fill("googl")
    page.get_by_role("option", name="GoogLeNet · googlenet").click()
    page.wait_for_url("**model=googlenet*")
    page.get_by_text("28 → 4").wait_for()
    page.get_by_text("197 operators, ").wait_for()

    follow_link(page, "Graph")
    page.get_by_text("28 chains merged into 4 clusters").wait_for()
    click_operator(page, "conv1_conv")
    page.locator(".rv-name", has_text="conv1_conv").wait_for()
    page.get_by_text("float32[1×").first.wait_for()
    page.get_by_role("button", name="conv1_bn").click()  # its reader
    page.locator(".rv-name", has_text="conv1_bn").wait_for()
    page.wait_for_function(f"{GRAPH}.choice.selected === 'conv1_bn'")

    follow_link(page, "Merging")
    page.get_by_text("Clustering: 28 of 28 chains").wait_for()
    page.wait_for_function(f"{GRAPH}.choice.selected === 'conv1_bn'")  # chosen on the other page
    page.get_by_role("button", name="Step on").click()
    page.get_by_text("one worker can do both in turn").wait_for()
    page.wait_for_url("**step=1*")

    follow_link(page, "Code")
    line = page.get_by_role("option", selected=True)
    line.first.wait_for()
    assert line.first.inner_text().strip().startswith("conv1_bn = ")
    page.get_by_role("option", name="conv1_conv = F.conv2d").click()
    page.wait_for_url("**operator=conv1_conv*")
    page.get_by_text("def cluster_3(w, receive, send, shared):").wait_for()

    follow_link(page, "Benchmark")
    ask_for_repeats(page, 3)
    job = run(page)
    page.reload()  # F5 while it runs
    page.locator(".rv-verdict").wait_for()
    assert job in page.url
    assert page.get_by_role("spinbutton", name="Repeats").input_value() == "3"
    page.get_by_text("Bit for bit equal in 6 of 6 inferences.").wait_for()
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download results.json").click()
    (record,) = json.loads(Path(download.value.path()).read_text())
    assert record["model"] == "googlenet"
    assert record["equal"]
    assert len(record["runs"][0]["times_ms"]) == 3

    verdict = page.locator(".rv-verdict").inner_text()
    other = page.context.new_page()  # anybody with the address
    other.goto(page.url)
    other.locator(".rv-verdict").wait_for()
    assert other.locator(".rv-verdict").inner_text() == verdict


def test_a_cancelled_benchmark_says_so_and_leaves_nothing_running(page):
    page.goto("/benchmark?model=squeezenet1_0&workers=2")
    ask_for_repeats(page, 1000)
    run(page)
    page.get_by_text("of 1000 done").wait_for()

    page.get_by_role("button", name="Cancel").click()

    page.get_by_text("The benchmark was cancelled").wait_for()
    page.reload()
    page.get_by_text("The benchmark was cancelled").wait_for()


def test_tuning_ends_with_a_leaderboard_whose_winner_can_be_benchmarked(page, uploaded):
    page.goto(f"/tune?model={uploaded}")
    page.get_by_text("Not tuned on this host yet").wait_for()
    box = page.get_by_role("spinbutton", name="Budget, seconds")
    box.fill("1")
    box.press("Enter")
    settled(page)
    page.get_by_role("button", name="Tune", exact=True).click()
    page.wait_for_url("**job=*")

    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_role("region", name="Leaderboard").wait_for(timeout=TUNING_MS)  # the race is on
    page.reload()  # F5 while it runs
    page.locator(".rv-verdict", has_text=".onnx runs fastest here with").wait_for(timeout=TUNING_MS)
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    assert box.input_value() == "1"
    page.get_by_role("heading", name="Leaderboard").wait_for()
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download tuning.json").click()
    record = json.loads(Path(download.value.path()).read_text())
    assert record["standings"][0]["state"] == "best"
    assert not [row["reason"] for row in record["standings"] if row["state"] == "failed"]

    page.get_by_role("link", name="Benchmark this configuration").click()
    title(page, "Benchmark")
    page.wait_for_url(f"**kernels={record['winner']['kernels']}*")
    page.wait_for_url(f"**threads={record['winner']['threads']}*")
    settled(page)
    assert page.locator(".rv-error").count() == 0
    follow_link(page, "Tune")
    page.get_by_text("Found on").wait_for()  # kept, and shown at once


def test_a_cancelled_tuning_says_so_and_leaves_nothing_running(page):
    page.goto("/tune?model=resnet18")
    settled(page)
    page.get_by_role("button", name="Tune", exact=True).click()
    page.wait_for_url("**job=*")

    page.get_by_role("button", name="Cancel").click()

    page.get_by_text("The tuning was cancelled").wait_for()
    page.get_by_text("Not tuned on this host yet").wait_for()


def test_costs_measured_from_the_sidebar_are_used_from_then_on(page, uploaded):
    page.goto(f"/graph?model={uploaded}")
    graph_drawn(page)
    page.get_by_role("button", name="Measure on this host").click()

    page.wait_for_url("**cost=measured*")

    page.get_by_role("link", name="Model").click()
    title(page, PAGES[""])
    assert metric(page, "all the work · measured").endswith(" ms")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_first_by_its_address(page, name):
    page.goto(f"/{name}?model=squeezenet1_0&cost=unit&workers=2")

    title(page, PAGES[name])
    settled(page)
    assert page.get_by_test_id("stException").count() == 0
    if name in ("graph", "merging"):
        graph_drawn(page)
    follow_link(page, "Code")
    assert "model=squeezenet1_0&cost=unit&workers=2" in page.url


def test_the_picture_can_be_taken_along(page):
    page.goto("/graph?model=squeezenet1_0")
    graph_drawn(page)

    for button, begins in (("DOT", "digraph"), ("SVG", "<?xml"), ("HTML", "<html>")):
        settled(page)
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        text = Path(download.value.path()).read_text()
        assert text.lstrip().startswith(begins)
        assert "Fire" in text or "fire" in text or "features" in text


def test_a_file_of_ones_own_goes_from_upload_to_the_verdict(page):
    page.goto("/?model=squeezenet1_0")
    uploader = ready(page.get_by_test_id("stFileUploader").first)
    chooser = uploader.locator("input[type=file]")
    chooser.set_input_files(
        {"name": "weights.pth", "mimeType": "application/zip", "buffer": BAD["checkpoint"][0]()}
    )
    page.get_by_text("weights.pth is a pickle of torch.save").wait_for()
    settled(page)
    chooser.set_input_files(
        {"name": "small.onnx", "mimeType": "application/octet-stream", "buffer": sound()}
    )
    page.get_by_text("ONNX, opset 18").wait_for()
    page.get_by_role("spinbutton", name="batch").wait_for()
    settled(page)
    page.get_by_role("button", name="Open its graph").click()

    title(page, "Graph")
    graph_drawn(page)
    click_operator(page, "dense")
    page.locator(".rv-name", has_text="dense").wait_for()
    follow_link(page, "Code")
    page.get_by_text('w["dense.weight"]').first.wait_for()
    follow_link(page, "Benchmark")
    ask_for_repeats(page, 3)
    run(page)
    page.get_by_text("Imported rightly: outputs are within").wait_for()
    page.reload()
    page.get_by_text("Imported rightly: outputs are within").wait_for()


def test_a_hostile_address_is_shown_as_text(page):
    page.goto("/graph?model=%3Cimg%20src%3Dhttp%3A%2F%2Fevil.example%2Fx%3E![](http://evil/y)")

    page.get_by_text("There is no torchvision classification model called").wait_for()
    assert page.locator("img[src*=evil]").count() == 0
