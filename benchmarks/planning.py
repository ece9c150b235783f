"""How long does planning take?  `python -m benchmarks.planning [--out FILE] [--plot FILE]`.

Times, after import, trace + plan + emit for DenseNet-121, every planner on random graphs of 2,500
operators, and linear clustering + merging from 1,000 to 200,000 operators, with the exponent of
its growth. Writes JSON with machine and versions beside the figures, and a plot (.html, .svg if
kaleido is installed).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ramiel_core import pipeline
from ramiel_core.graph.costs import weigh_flops
from ramiel_core.graph.extract import extract
from ramiel_core.ir import Graph, OpNode
from ramiel_core.plan.planner import PLANNERS, make_plan
from ramiel_core.program.emit import emit
from ramiel_core.run import host

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
FOR_ALL = 2_500  # operators on which every planner is timed
WORKERS = (2, 16, 64)


def densenet(workers: int) -> None:
    """Trace, plan and emit DenseNet-121, as a page does for a new model."""
    graph = weigh_flops(extract(pipeline.traced("densenet121")))
    emit(graph, make_plan(graph, workers))


def random_graph(count: int, seed: int = 0) -> Graph:
    """Each operator reads one to three of all earlier ones."""
    draw = random.Random(seed)  # noqa: S311 - a graph, not a secret
    nodes = []
    for i in range(count):
        reads = {f"n{draw.randrange(i)}" for _ in range(draw.choice((1, 1, 2, 3)))} if i else ()
        nodes.append(OpNode(f"n{i}", "op", tuple(sorted(reads)), draw.random(), draw.random() / 10))
    return Graph(tuple(nodes), model=f"random, {count} operators")


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Wall time of each repeat."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


def growth(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Exponent of the power law through sizes and times: 1 is linear, 2 quadratic."""
    x, y = np.log(sizes), np.log(times)
    return float(np.polyfit(x, y, 1)[0])


def plot(records: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw linear clustering + merging over the size of the graph, both axes logarithmic."""
    figure = go.Figure()
    for workers in (None, 2):
        mine = [r for r in records if r.get("growth") == (workers or "natural")]
        sizes, times = [r["operators"] for r in mine], [r["median_s"] for r in mine]
        name = f"to {workers} workers" if workers else "to the natural fixpoint"
        slope = f"{name} (n^{growth(sizes, times):.2f})"
        figure.add_scatter(x=sizes, y=times, mode="lines+markers", name=slope)
    first = min(r["median_s"] for r in records if r.get("growth"))
    linear = [first * size / SIZES[0] for size in SIZES]
    figure.add_scatter(x=SIZES, y=linear, mode="lines", name="linear", line={"dash": "dot"})
    figure.update_xaxes(type="log", title_text="operators")
    figure.update_yaxes(type="log", title_text="seconds")
    title = f"linear clustering + merging, {host.facts()['processor']}"
    figure.update_layout(template="plotly_white", title_text=title)
    if file.suffix == ".html":
        figure.write_html(file)
    else:
        figure.write_image(file)


def cases() -> Iterator[tuple[dict[str, Any], Callable[[], object]]]:
    """What is timed, and how it is called."""
    name = "densenet121: trace + plan + emit"
    yield {"case": name}, lambda: densenet(len(host.cores()))
    graph = random_graph(FOR_ALL)
    for planner in PLANNERS:
        if PLANNERS[planner].refuses(graph):
            continue
        for workers in WORKERS:
            name = f"{graph.model}: {planner}, {workers} workers"
            yield {"case": name}, partial(make_plan, graph, workers, planner)
    for size in SIZES:
        graph = random_graph(size)
        for workers in (None, 2):
            said = workers or "natural"
            name = f"{graph.model}: linear clustering + merging, {said} workers"
            told = {"case": name, "operators": size, "growth": said}
            yield told, partial(make_plan, graph, workers, "merging")


def main() -> None:
    """Time everything, print it, write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    records: list[dict[str, Any]] = []
    for told, work in cases():
        times = seconds(work, options.repeats)
        records.append({**told, "seconds": times, "median_s": statistics.median(times)})
        print(f"{records[-1]['median_s']:7.3f} s  {told['case']}", flush=True)
    for said in ("natural", 2):
        mine = [r for r in records if r.get("growth") == said]
        slope = growth([r["operators"] for r in mine], [r["median_s"] for r in mine])
        print(f"linear clustering + merging, {said} workers: grows as n^{slope:.2f}")
    if options.out:
        options.out.write_text(json.dumps({"host": host.facts(), "cases": records}, indent=1))
    if options.plot:
        plot(records, options.plot)


if __name__ == "__main__":
    main()
