"""How far are predictions off?  `python -m benchmarks.predictions [MODEL …] [--repeats 20]`.

Benchmarks models under torch's two kernel families, as clusters side by side and as a moldable
plan, on all cores, and prints, as a table in Markdown, what was predicted beside what was measured
in the same rounds, and what one worker took in them, with one thread and with all. In the end it
says how far the worst is off, and where a moldable plan lost to either of its two ends in the same
rounds, and where surely: beyond the 95 % interval of their ratio.
`--out FILE` keeps the records, `--read FILE …` prints their table again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import models
from benchmarks.zoo import benchmarked
from ramiel_core.bootstrap import paired_ratio
from ramiel_core.errors import RamielError
from ramiel_core.ir import MOLDABLE, Job
from ramiel_core.run import host

FAMILIES = ("eager", "fused")
PLANNERS = ("ramiel", MOLDABLE)
HEAD = (
    "| model | kernels | clusters: predicted → measured, ms | moldable: predicted → measured, ms "
    "| one worker, ms | cores as threads, ms |"
)

Record = dict[str, Any]


def measured(names: Iterable[str], repeats: int) -> Iterator[tuple[Record, Record]]:
    """For each model and family the records of both plans; a model that cannot run is told."""
    for name in names:
        for kernels in FAMILIES:
            jobs = [
                Job(name, kernels=kernels, planner=p, workers=len(host.cores()), repeats=repeats)
                for p in PLANNERS
            ]
            try:
                clusters, moldable = map(benchmarked, jobs)
            except RamielError as error:
                print(f"{name}, {kernels}: {error}", flush=True)
                continue
            yield clusters | {"model": name}, moldable | {"model": name}


def off(record: Record) -> float:
    """How much longer it took than predicted, as a share."""
    return float(record["parallel_ms"] / record["predicted_ms"] - 1)


def times_ms(record: Record) -> dict[str, list[float]]:
    """What each contender of a benchmark took, round by round."""
    return {run["label"]: run["times_ms"] for run in record["runs"]}


def behind(moldable: Record) -> tuple[float, bool]:
    """How much longer the moldable plan took than the better of its ends in the same rounds.

    And whether surely. An end that is not there is the plan itself, or what one worker does; in
    records from before moldable benchmarks timed clusters, these are missing.
    """
    took = times_ms(moldable)
    ends = [label for label in ("sequential", "threads", "clusters") if label in took]
    longer, (low, _) = max(paired_ratio(took["parallel"], took[end]) for end in ends)
    return longer - 1, low > 1


def line(clusters: Record, moldable: Record) -> str:
    """One line of the table."""
    took = times_ms(moldable)
    cells = (
        clusters["model"],
        clusters["job"]["kernels"],
        *(_compared(record) for record in (clusters, moldable)),
        *(_median(took.get(key)) for key in ("sequential", "threads")),
    )
    return f"| {' | '.join(cells)} |"


def _median(times: Sequence[float] | None) -> str:
    return f"{statistics.median(times):.1f}" if times else "–"


def _compared(record: Record) -> str:
    one = ", one worker" if record["workers"] == 1 else ""
    took = f"{record['predicted_ms']:.1f} → {record['parallel_ms']:.1f}"
    return f"{took} ({off(record):+.1%}){one}"


def main() -> None:
    """Benchmark and print, a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(models.NAMES))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="time nothing")
    options = parser.parse_args()
    print(HEAD)
    print(f"|{' --- |' * 6}")
    if options.read:
        found = (pair for file in options.read for pair in json.loads(file.read_text()))
    else:
        found = measured(options.models or models.NAMES, options.repeats)
    kept = []
    for pair in found:
        kept.append(pair)
        print(line(*pair), flush=True)
        if options.out:
            options.out.write_text(json.dumps(kept))
    records = [record for pair in kept for record in pair]
    worst = max((abs(off(record)) for record in records), default=0.0)
    print(f"\nWithin {worst:.1%} in all {len(records)}. {_moldable(kept)}")
    loads = sorted(record["host"]["load_1min"] for record in records)
    print(f"Load {' to '.join(map(str, (*loads[:1], *loads[-1:])))}.")
    for told, rounds in {(_host(record), record["job"]["repeats"]) for record in records}:
        print(f"{told}; {rounds} rounds each.")


def _host(record: Record) -> str:
    told = record["host"]
    return f"{told['processor']}, {told['cores']} cores, torch {told['torch']}"


def _moldable(kept: Iterable[tuple[Record, Record]]) -> str:
    lost = [
        f"{moldable['model']} {moldable['job']['kernels']} {share:+.1%}" + " (surely)" * surely
        for _, moldable in kept
        for share, surely in [behind(moldable)]
        if share > 0
    ]
    return f"Moldable behind its better end: {', '.join(lost) or 'nowhere'}."


if __name__ == "__main__":
    main()
