"""What a tuner found: kept on disk for `auto`, and told as what each choice bought."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ramiel_core.cache import cache_dir
from ramiel_core.ir import Graph


def gains(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """From eager on one thread to the winner, one choice at a time.

    Parameters
    ----------
    rows : sequence of mapping
        Standings with their `configuration`, the winner first; `ratio` is its time over the
        winner's.

    Returns
    -------
    list of dict
        `choice`, `label` and `ms` by the winner's clock; each step's gain is the difference to
        the one before. A step that was not timed is left out.
    """
    winner = rows[0]["configuration"]
    first = {"kernels": "eager", "workers": 1, "threads": 1}
    steps = [
        ("eager, one thread", first),
        (f"{winner['kernels']} kernels", {**first, "kernels": winner["kernels"]}),
    ]
    cores = winner["workers"] * winner["threads"]
    if cores > 1:
        steps.append(
            (f"{cores} threads", {**first, "kernels": winner["kernels"], "threads": cores})
        )
    told: list[dict[str, Any]] = []
    for choice, wanted in [*steps, ("side by side", winner)]:
        row = next((r for r in rows if _is(r["configuration"], wanted)), None)
        known = row is not None and row["ratio"] is not None
        if known and row is not None and row["label"] not in {t["label"] for t in told}:
            ms = row["ratio"] * rows[0]["median_ms"]
            told.append({"choice": choice, "label": row["label"], "ms": ms})
    return told


def _is(configuration: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(configuration[key] == value for key, value in wanted.items())


def load(graph: Graph, host: Mapping[str, str]) -> dict[str, Any] | None:
    """What was found for a model on this host, or None."""
    path = _path(graph, host)
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def save(graph: Graph, host: Mapping[str, str], found: Mapping[str, Any]) -> None:
    """Keep what was found; replaces what was known before."""
    path = _path(graph, host)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found))
    part.replace(path)  # a reader never sees half a file


def _path(graph: Graph, host: Mapping[str, str]) -> Path:
    key = json.dumps([graph.fingerprint, dict(host)], sort_keys=True)
    folder = cache_dir() / "tuned"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
