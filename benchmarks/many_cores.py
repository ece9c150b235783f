"""What would more cores bring?  `python -m benchmarks.many_cores [--models …] [--kernels fused]`.

A prediction, not a measurement: operators are measured here, one at a time on one thread, and the
simulator plays the plans for more workers than this host has cores. Contention is in it as copies
of the model cause it here; threads inside operators are not.
"""

from __future__ import annotations

import argparse
import os
import sys

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import models
from ramiel_core.ir import KERNELS
from ramiel_core.pipeline import parcel_of, plan_of, traced, with_parts
from ramiel_core.run import host
from ramiel_core.words import times
from ramiel_core.workshop import Workshop

WORKERS = (2, 4, 8, 16)


def main() -> None:
    """Measure, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=models.NAMES, default=models.BRANCHY)
    parser.add_argument("--kernels", choices=KERNELS[:2], default="fused")
    options = parser.parse_args()
    table = Table(title=f"{options.kernels} kernels, costs of one core of {host.processor()}")
    titles = ("T1 ms", "T1/T∞", *(f"{k} workers" for k in WORKERS))
    for title in ("model", *titles):
        table.add_column(title, justify="left" if title == "model" else "right")
    best = []
    for name in options.models:
        model = traced(*models.build(name))
        workshop = Workshop(parcel_of(model, options.kernels), lambda *_, **__: None)
        graph = workshop.weighed(options.kernels, 1)
        whole = {workers: plan_of(graph, workers) for workers in WORKERS}
        plans = [with_parts(graph, plan, workers)[1] for workers, plan in whole.items()]
        ratios = [plan.t1_ms / plan.makespan_ms for plan in plans]
        best.append(ratios[-1])
        bound = plans[0].parallelism
        table.add_row(name, f"{graph.t1_ms:.1f}", f"{bound:.2f}", *(times(r) for r in ratios))
    mean = torch.tensor(best).log().mean().exp().item()
    told = host.facts()
    table.caption = (
        f"Predicted speedups. Geometric mean at {WORKERS[-1]} workers: {times(mean)}. "
        f"Load {told['load_1min']}, torch {told['torch']}."
    )
    Console(width=100).print(table)


if __name__ == "__main__":
    if not set(host.LAUNCHER_ENVIRONMENT.items()) <= set(os.environ.items()):
        os.environ.update(host.LAUNCHER_ENVIRONMENT)  # read when the process starts
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.many_cores", *sys.argv[1:]])  # noqa: S606
    torch.set_num_threads(1)
    main()
