"""How long does planning take?  `python -m benchmarks.planning [--out FILE] [--plot FILE]`.

Seconds of CPU, after import, for trace + plan + emit of DenseNet-121, for every planner on a random
graph of 2,500 operators, and for linear clustering + merging from 1,000 to 200,000 operators: these
as a table, with the exponent of their growth. `--out` writes JSON with machine and versions beside
the figures, `--plot` a page of the growth (.html), which asks no other host for anything.
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
from ramiel_core.graph.assume import assume
from ramiel_core.graph.costs import weigh_flops
from ramiel_core.graph.extract import extract
from ramiel_core.ir import MOLDABLE, Graph, OpNode
from ramiel_core.plan.moldable import moldable_ways
from ramiel_core.plan.planner import PLANNERS, make_plan
from ramiel_core.program.emit import emit
from ramiel_core.run import host

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
FOR_ALL = 2_500  # operators on which every planner is timed
WORKERS = (2, 16, 64)
ENDS = {"to the fixpoint": None, "to 2 workers": 2}  # until where chains are merged


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
    """CPU time of each repeat."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return found


def growth(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Exponent of the power law through sizes and times: 1 is linear, 2 quadratic.

    >>> round(growth([1_000, 2_000, 4_000], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    x, y = np.log(sizes), np.log(times)
    return float(np.polyfit(x, y, 1)[0])


def grown(records: Sequence[dict[str, Any]], end: str) -> tuple[list[int], list[float]]:
    """Sizes and seconds of the graphs that were merged until there."""
    mine = [r for r in records if r.get("end") == end]
    return [r["operators"] for r in mine], [r["median_s"] for r in mine]


def table(records: Sequence[dict[str, Any]]) -> str:
    """Seconds by size, and the exponent of the growth over all sizes."""
    found = [grown(records, end) for end in ENDS]
    lines = [["operators", *(f"{end}, s" for end in ENDS)], ["---"] * (1 + len(ENDS))]
    for i, size in enumerate(found[0][0]):
        lines.append([f"{size:,}", *(f"{times[i]:.2f}" for _, times in found)])
    lines.append(["growth", *(f"n^{growth(*pair):.2f}" for pair in found)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot(records: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw linear clustering + merging over the size of the graph, both axes logarithmic."""
    figure = go.Figure()
    for end in ENDS:
        sizes, times = grown(records, end)
        name = f"{end} (n^{growth(sizes, times):.2f})"
        figure.add_scatter(x=sizes, y=times, mode="lines+markers", name=name)
    sizes, times = grown(records, next(iter(ENDS)))
    linear = [times[0] * size / sizes[0] for size in sizes]
    figure.add_scatter(x=sizes, y=linear, mode="lines", name="linear", line={"dash": "dot"})
    figure.update_xaxes(type="log", title_text="operators")
    figure.update_yaxes(type="log", title_text="seconds of CPU")
    title = f"linear clustering + merging, {host.facts()['processor']}"
    figure.update_layout(template="plotly_white", title_text=title)
    figure.write_html(file, include_plotlyjs=True)


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
    for workers in WORKERS:
        name = f"{graph.model}: {MOLDABLE}, {workers} workers"
        wide = assume(graph, threads=workers)
        yield {"case": name}, partial(moldable_ways, graph, wide, workers, 1, workers)
    for size in SIZES:
        graph = random_graph(size)
        for end, workers in ENDS.items():
            name = f"{graph.model}: linear clustering + merging {end}"
            told = {"case": name, "operators": size, "end": end}
            yield told, partial(make_plan, graph, workers, "merging")


def main() -> None:
    """Time everything, print it, write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path, metavar="HTML")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--growth", action="store_true", help="only the graphs of many sizes")
    options = parser.parse_args()
    records: list[dict[str, Any]] = []
    for told, work in cases():
        if options.growth and "end" not in told:
            continue
        times = seconds(work, options.repeats)
        records.append({**told, "seconds": times, "median_s": statistics.median(times)})
        print(f"{records[-1]['median_s']:7.3f} s  {told['case']}", flush=True)
    print(f"linear clustering + merging, seconds of CPU:\n\n{table(records)}")
    if options.out:
        options.out.write_text(json.dumps({"host": host.facts(), "cases": records}, indent=1))
    if options.plot:
        plot(records, options.plot)


if __name__ == "__main__":
    main()
