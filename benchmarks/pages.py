"""How soon do the pages answer?  `python -m benchmarks.pages [--out FILE]`.

What if, on DenseNet-121 (431 operators) and others: processor time of the engine for a step of a
slider, and the time in a browser from the press of a key to the frame in which prediction and Gantt
chart are new; medians, marked where past the limit. Writes JSON with machine and versions beside
them. Needs chromium (packages.txt).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.planning import random_graph
from ramiel_core import pipeline
from ramiel_core.ir import Graph
from ramiel_core.plan.what_if import speedup_curve
from ramiel_core.run import host
from ramiel_core.view import gantt
from tests.chromium import ROOT, browser, served, settled

WORKERS = (2, 8, 64)
MODELS = ("googlenet", "inception_v3", "densenet121")
LAPS = (("ArrowRight", 6), ("ArrowLeft", 6), ("ArrowRight", 3))  # of the slider of threads
LIMIT_S = 0.3
PREDICTED = '[data-testid="stMetricValue"]'
VIEW = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.gantt')?.view).find((view) => view)"
)
# From the next key until a frame has been painted in which prediction and chart are new.
LISTEN = f"""() => {{
    const says = () => document.querySelector('{PREDICTED}')?.textContent;
    const shows = () => JSON.stringify({VIEW}?.data.shown);
    const [said, shown] = [says(), shows()];
    window.answered = new Promise((done) => addEventListener("keydown", () => {{
        const pressed = performance.now();
        const look = () => (says() === said || shows() === shown
            ? requestAnimationFrame(look)
            : setTimeout(() => done((performance.now() - pressed) / 1000)));
        look();
    }}, {{ capture: true, once: true }}));
}}"""
# The page around the answer is drawn after it; its links then carry what is assumed.
FOLLOWED = """() => {
    const link = document.querySelector('[data-testid="stSidebar"] [data-testid="stPageLink"] a');
    const threads = (address) => new URL(address).searchParams.get("threads");
    return threads(link.href) === threads(location.href);
}"""


def engine(graph: Graph, repeats: int) -> Iterator[dict[str, Any]]:
    """Weigh, plan, check, simulate and draw, as one move of a slider does; processor time."""
    for workers in WORKERS:
        times = []
        for i in range(repeats):
            start = time.process_time()
            weighed = pipeline.assumed(graph, threads=1 + i)
            plan = pipeline.what_if(weighed, workers)
            gantt.bars(pipeline.timeline_of(weighed, plan))
            times.append(time.process_time() - start)
        case = f"{graph.model}: prediction and Gantt chart, {workers} workers"
        yield {"case": case, "operators": len(graph), "seconds": times}
    start = time.process_time()
    speedup_curve(graph)
    case = f"{graph.model}: speedup curve, 12 counts of workers"
    yield {"case": case, "operators": len(graph), "seconds": [time.process_time() - start]}


def in_browser(page: Any, model: str) -> dict[str, Any]:
    """One step of the slider of threads after another; between the laps the bandwidth changes."""
    page.goto(f"/what_if?model={model}&workers=8")
    page.wait_for_function(f"{VIEW}?.data")
    settled(page)
    times = []
    for key, steps in LAPS:  # with another bandwidth each, so that nothing was planned before
        _focus(page, "Bandwidth, GB/s")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(1000)
        settled(page)
        _focus(page, "Threads per worker")
        for _ in range(steps):
            page.evaluate(LISTEN)
            page.keyboard.press(key)
            times.append(page.evaluate("window.answered"))
            page.wait_for_function(FOLLOWED)
            settled(page)
    case = f"{model}: one step of a slider, in a browser"
    return {"case": case, "seconds": times, "limit_s": LIMIT_S}


def _focus(page: Any, slider: str) -> None:
    page.get_by_role("slider", name=slider).focus()


def cases(repeats: int) -> Iterator[dict[str, Any]]:
    """Everything that is timed, one after another."""
    for graph in (*map(pipeline.graph_of, MODELS), random_graph(431)):
        yield from engine(graph, repeats)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ROOT / "app.py", Path(folder)) as url,
        browser() as chromium,
    ):
        for model in MODELS:
            context = chromium.new_context(base_url=url)
            yield in_browser(context.new_page(), model)
            context.close()


def main() -> None:
    """Time everything, print it, write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    records = []
    for found in cases(options.repeats):
        median_s = statistics.median(found["seconds"])
        records.append({**found, "median_s": median_s})
        over = " !" if median_s > found.get("limit_s", math.inf) else ""
        print(f"{median_s:7.3f} s  {found['case']}{over}", flush=True)
    if options.out:
        options.out.write_text(json.dumps({"host": host.facts(), "cases": records}, indent=1))


if __name__ == "__main__":
    main()
