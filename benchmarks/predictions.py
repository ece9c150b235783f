"""How far are predictions off?  `python -m benchmarks.predictions [--models …] [--repeats 20]`.

Benchmarks models under several kernels and planners on all cores and prints, as a table in
Markdown, what was predicted beside what was measured in the same rounds, and what one worker took
in them, with one thread and with all.
"""

from __future__ import annotations

import argparse
import statistics

import ramiel_core
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.run import host

WAYS = (("eager", "ramiel"), ("eager", "moldable"), ("fused", "ramiel"), ("fused", "moldable"))


def main() -> None:
    """Benchmark and print, a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=pipeline.FIVE)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    workers = len(host.cores())
    print(
        "| model | kernels | planner | workers | predicted ms | measured ms | off | one worker ms "
        "| cores as threads ms |"
    )
    print(f"|{' --- |' * 9}")
    worst = 0.0
    for model in options.models:
        for kernels, planner in WAYS:
            try:
                found = ramiel_core.bench(
                    model,
                    kernels=kernels,
                    planner=planner,
                    workers=workers,
                    repeats=options.repeats,
                )
            except RamielError as error:
                print(f"| {model} | {kernels} | {planner} |{' – |' * 5} {error} |", flush=True)
                continue
            off = found["parallel_ms"] / found["predicted_ms"] - 1
            worst = max(worst, abs(off))
            took_ms = {run["label"]: statistics.median(run["times_ms"]) for run in found["runs"]}
            cells = (
                *(model, kernels, planner, found["workers"]),
                *(f"{found[key]:.1f}" for key in ("predicted_ms", "parallel_ms")),
                f"{off:+.1%}",
                *(f"{took_ms[k]:.1f}" if k in took_ms else "–" for k in ("sequential", "threads")),
            )
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    told = host.facts()
    print(
        f"\n{told['processor']}, {told['cores']} cores, load {told['load_1min']}, torch "
        f"{told['torch']}; {options.repeats} rounds each. The worst is {worst:.1%} off."
    )


if __name__ == "__main__":
    main()
