"""Measured costs on disk, so that planning with them does not mean measuring again.

A cost belongs to a model, its shapes, a processor, a thread count and versions of torch; a cost
cache moved to another machine would mislead, so all of these are in the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ramiel_core.cache import cache_dir
from ramiel_core.graph.costs import SendLine
from ramiel_core.ir import Graph


def load(
    graph: Graph, host: Mapping[str, str], threads: int
) -> tuple[dict[str, float], SendLine] | None:
    """Milliseconds by operator name and the send line, or None where they were never measured."""
    path = _path(graph, host, threads)
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return found["cost_ms"], SendLine(**found["send"])


def save(
    graph: Graph,
    host: Mapping[str, str],
    threads: int,
    cost_ms: Mapping[str, float],
    send: SendLine,
) -> None:
    """Keep what was measured; replaces what was known before."""
    path = _path(graph, host, threads)
    text = json.dumps(
        {
            "model": graph.model,
            "host": dict(host),
            "threads": threads,
            "send": asdict(send),
            "cost_ms": dict(cost_ms),
        }
    )
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)  # a reader never sees half a file


def _path(graph: Graph, host: Mapping[str, str], threads: int) -> Path:
    key = json.dumps([graph.fingerprint, dict(host), threads], sort_keys=True)
    folder = cache_dir() / "costs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
