"""How soon do the pages answer?  `python -m benchmarks.pages [--out FILE]`.

What if: from a slider's change until prediction and Gantt chart are new, on DenseNet-121 (431
operators) and others: processor time of the engine alone, wall time in a browser before the app.
Prints medians and writes JSON with machine and versions beside them. Needs chromium
(packages.txt).
"""

from __future__ import annotations

import argparse
import json
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
from tests.chromium import ROOT, browser, served

WORKERS = (2, 8, 64)
MODELS = ("googlenet", "inception_v3", "densenet121")
STEPS = 6  # of a slider in the browser
PREDICTED = '[data-testid="stMetricValue"]'
# Resolves when the prediction says something else and the chart has been drawn anew.
ANSWERED = f"""
(before) => document.querySelector('{PREDICTED}')?.innerText !== before
  && document.querySelector('[data-testid="stPlotlyChart"]')
    ?.closest('[data-testid="stElementContainer"]')?.dataset.stale !== 'true'
"""


def engine(graph: Graph, repeats: int) -> Iterator[dict[str, Any]]:
    """Weigh, plan, check, simulate and draw, as one move of a slider does; processor time."""
    for workers in WORKERS:
        times = []
        for i in range(repeats):
            start = time.process_time()
            weighed = pipeline.assumed(graph, threads=1 + i)
            plan = pipeline.what_if(weighed, workers)
            gantt.stacked({"prediction": pipeline.timeline_of(weighed, plan)}).to_json()
            times.append(time.process_time() - start)
        case = f"{graph.model}: prediction and Gantt chart, {workers} workers"
        yield {"case": case, "operators": len(graph), "seconds": times}
    start = time.process_time()
    speedup_curve(graph)
    case = f"{graph.model}: speedup curve, 12 counts of workers"
    yield {"case": case, "operators": len(graph), "seconds": [time.process_time() - start]}


def in_browser(page: Any, model: str) -> dict[str, Any]:
    """From a key on the slider of threads until everything above the curve is new."""
    page.goto(f"/what_if?model={model}&workers=8")
    page.wait_for_selector('[data-testid="stPlotlyChart"]')
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    slider = page.get_by_role("slider", name="Threads per worker")
    times = []
    for key in ("ArrowRight",) * STEPS:
        before = page.locator(PREDICTED).first.inner_text()
        slider.focus()
        start = time.perf_counter()
        page.keyboard.press(key)
        page.wait_for_function(ANSWERED, arg=before, polling=5)
        times.append(time.perf_counter() - start)
        page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    return {"case": f"{model}: one step of a slider, in a browser", "seconds": times}


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
        records.append({**found, "median_s": statistics.median(found["seconds"])})
        print(f"{records[-1]['median_s']:7.3f} s  {found['case']}", flush=True)
    if options.out:
        options.out.write_text(json.dumps({"host": host.facts(), "cases": records}, indent=1))


if __name__ == "__main__":
    main()
