"""What do wider models gain?  `python -m benchmarks.zoo [MODEL ...] [--analyze-only] [--out FILE]`.

Nine models whose graphs have wide sections, each analysed, planned and benchmarked against one
worker in turns: operators, clusters, T1/T∞, predicted and measured, as a table in Markdown. Takes
about half an hour for all, with the largest ones in minutes each. `--out` keeps the records, and
`--read FILE` prints their table again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import models
from ramiel_core import client, pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Job
from ramiel_core.run import host


def analyzed(name: str, workers: int) -> dict[str, Any]:
    """What planning says by estimated costs; nothing is timed."""
    graph = pipeline.graph_of(*models.build(name))
    return {**pipeline.summary(graph, pipeline.plan_of(graph, workers)), "model": name}


def benchmarked(job: Job) -> dict[str, Any]:
    """The record of one benchmark, by costs measured in the very same minutes."""
    for event in client.finish(client.start(job, *models.build(job.model))):
        if event["kind"] == "report":
            found: dict[str, Any] = event["record"]
            return found
    raise RamielError(f"the benchmark of {job.model} was cancelled; start it again.")


def row(record: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table; what was not timed stays empty."""
    cells = (
        record["model"],
        f"{record['operators']}",
        f"{record['clusters_linear']} → {record['clusters_merged']}",
        f"{record['parallelism']:.2f}",
        f"{record['workers']}",
        f"{record['predicted_ms']:.1f}",
    )
    if "parallel_ms" not in record:
        return (*cells, "", "", "", "", "")
    low, high = record["speedup_ci"]
    wide = [run["times_ms"] for run in record["runs"] if run["label"] == "threads"]
    return (
        *cells,
        f"{record['parallel_ms']:.1f}",
        f"{record['sequential_ms']:.1f}",
        f"{statistics.median(wide[0]):.1f}" if wide else "",
        f"**{record['speedup']:.2f}** ({low:.2f}–{high:.2f})",
        "yes" if record["equal"] else "NO",
    )


def table(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """All models, with the host they belong to and the cost model behind each prediction."""
    titles = ("model", "operators", "clusters", "T1/T∞", "workers", "predicted ms", "measured ms")
    titles += ("one worker ms", "cores as threads ms", "speedup (95 %)", "equal")
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for record in records:
        yield f"| {' | '.join(row(record))} |"
    told = records[-1].get("host") or host.facts()
    yield ""
    yield (
        f"{told['processor']}, {told['cores']} cores, load {told['load_1min']}, torch "
        f"{told['torch']}; {records[0]['cost_model']} costs behind T1/T∞ and predictions."
    )


def main() -> None:
    """Analyse or benchmark each model, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(models.WIDE_ZOO))
    parser.add_argument("--analyze-only", action="store_true", help="estimated costs, no timing")
    parser.add_argument("--workers", type=int, default=min(2, len(host.cores())))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--clone", action="store_true", help="workers may repeat operators")
    parser.add_argument("--out", type=Path, help="JSON, written after each model")
    parser.add_argument("--read", type=Path, metavar="FILE", help="time nothing")
    options = parser.parse_args()
    if options.read:
        print("\n".join(table(json.loads(options.read.read_text()))))
        return
    if unknown := sorted(set(options.models).difference(models.WIDE_ZOO)):
        parser.error(f"there is no model {unknown[0]!r}; choose {', '.join(models.WIDE_ZOO)}")
    records = []
    for name in options.models or models.WIDE_ZOO:
        job = Job(name, workers=options.workers, repeats=options.repeats, clone=options.clone)
        only = options.analyze_only
        records.append(analyzed(name, options.workers) if only else benchmarked(job))
        print(" ".join(row(records[-1])), flush=True)
        if options.out:
            options.out.write_text(json.dumps(records, indent=1) + "\n")
    print("\n".join(table(records)))


if __name__ == "__main__":
    main()
