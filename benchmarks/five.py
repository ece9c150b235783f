"""Does parallel pay on the five published models?  `python -m benchmarks.five [RESULTS ...]`.

Prints the README's table from the records that `python -m ramiel_core bench` writes, one file or
several runs of it (`--whole`: those with `--no-split`), beside the figures that a public
re-implementation reports for its own host.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

PUBLISHED = {  # 8 cores, queues of signals, eager kernels
    "squeezenet1_0": 0.97,
    "googlenet": 1.21,
    "resnet50": 1.01,
    "densenet121": 0.86,
    "inception_v3": 1.35,
}


def row(model: str, records: list[dict[str, Any]], whole: list[dict[str, Any]]) -> str:
    """One line of the table: medians over the runs, the interval of the median run."""
    middle = _middle(records)
    low, high = middle["speedup_ci"]
    bound = min(2.0, statistics.median(r["parallelism"] for r in records))
    inside = next((r for r in middle["runs"] if r["label"] == "threads"), None)
    threads = "–"
    if inside:
        threads = f"{middle['sequential_ms'] / statistics.median(inside['times_ms']):.2f}"
    cells = (
        model,
        f"{middle['sequential_ms']:.1f}",
        f"{middle['parallel_ms']:.1f}",
        f"{middle['predicted_ms']:.1f} ({middle['parallel_ms'] / middle['predicted_ms'] - 1:+.1%})",
        f"**{middle['speedup']:.2f}** ({low:.2f}–{high:.2f})",
        f"{bound:.2f}",
        f"{middle['speedup'] / bound:.2f}",
        str(len(middle["split"])),
        f"{_middle(whole)['speedup']:.2f}" if whole else "–",
        threads,
        "yes" if all(r["equal"] for r in records + whole) else "NO",
        f"{PUBLISHED[model]:.2f}" if model in PUBLISHED else "–",
    )
    return f"| {' | '.join(cells)} |"


def _middle(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of median speedup."""
    return sorted(records, key=lambda r: r["speedup"])[len(records) // 2]


def _by_model(files: list[Path]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        for record in json.loads(file.read_text()):
            found.setdefault(record["model"], []).append(record)
    return found


def main() -> None:
    """Print the table and the host it belongs to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[Path("results.json")])
    parser.add_argument("--whole", nargs="+", type=Path, default=[], help="those of --no-split")
    options = parser.parse_args()
    by_model, whole = _by_model(options.files), _by_model(options.whole)
    print(
        "| model | sequential ms | parallel ms | predicted ms | speedup (95 %) | bound | of bound "
        "| poolings in parts | operators whole | both cores as threads | equal "
        "| re-implementation |"
    )
    print(f"|{' --- |' * 12}")
    for model, records in by_model.items():
        print(row(model, records, whole.get(model, [])))
    host = next(iter(by_model.values()))[-1]["host"]
    print(
        f"\n{host['processor']}, {host['cores']} cores, load {host['load_1min']}, "
        f"torch {host['torch']}, Python {host['python']}; {len(options.files)} runs."
    )


if __name__ == "__main__":
    main()
