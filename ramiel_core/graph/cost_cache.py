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

from ramiel_core.cache import cache_dir, write_whole
from ramiel_core.graph.costs import Measured, SendLine
from ramiel_core.ir import Graph

FORMAT = 4  # of what is kept: files of another one are not found


def load(graph: Graph, host: Mapping[str, str], threads: int) -> Measured | None:
    """What was measured of this graph here, or None where it never was."""
    path = _path(graph, host, threads)
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return Measured(**{**found["measured"], "send": SendLine(**found["measured"]["send"])})


def save(graph: Graph, host: Mapping[str, str], threads: int, measured: Measured) -> None:
    """Keep what was measured; replaces what was known before."""
    path = _path(graph, host, threads)
    about = {"model": graph.model, "host": dict(host), "threads": threads}
    write_whole(path, json.dumps({**about, "measured": asdict(measured)}))


def _path(graph: Graph, host: Mapping[str, str], threads: int) -> Path:
    key = json.dumps([FORMAT, graph.fingerprint, dict(host), threads], sort_keys=True)
    folder = cache_dir() / "costs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
