"""How long does planning take?  `python -m benchmarks.planning [--out FILE]`.

Times trace + plan + emit for DenseNet-121 and planning of random graphs, after import, and
writes them as JSON with machine and versions beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ramiel_core import pipeline
from ramiel_core.graph.costs import weigh_flops
from ramiel_core.graph.extract import extract
from ramiel_core.ir import Graph, OpNode
from ramiel_core.plan.planner import make_plan
from ramiel_core.program.emit import emit
from ramiel_core.run import host

SIZES = (1_000, 5_000, 20_000)


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


def main() -> None:
    """Time everything, print it, write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    cases: dict[str, Callable[[], object]] = {
        "densenet121: trace + plan + emit": lambda: densenet(len(host.cores())),
    }
    for size in SIZES:
        graph = random_graph(size)
        for workers in (None, 2, 16):
            name = f"{graph.model}: plan, {workers or 'natural'} workers"
            cases[name] = lambda graph=graph, workers=workers: make_plan(graph, workers)
    records: list[dict[str, Any]] = []
    for name, work in cases.items():
        times = seconds(work, options.repeats)
        records.append({"case": name, "seconds": times, "median_s": statistics.median(times)})
        print(f"{records[-1]['median_s']:7.3f} s  {name}")
    if options.out:
        options.out.write_text(json.dumps({"host": host.facts(), "cases": records}, indent=1))


if __name__ == "__main__":
    main()
