"""Plan <-> JSON, and plans kept under a short name, so that an address can hold one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from ramiel_core.cache import cache_dir, write_whole
from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.deal import Clusters

FORMAT = "ramiel plan 1"
MOST_BYTES = 20_000_000
KEPT = 200  # plans that an address finds again, the latest used


def to_json(graph: Graph, plan: Plan) -> str:
    """Who runs what in which order, and of which graph; costs stay the graph's."""
    told = {
        "format": FORMAT,
        "model": graph.model,
        "kernels": graph.kernels,
        "graph": graph.fingerprint,
        "planner": plan.planner,
        "cost_model": graph.cost_model,
        "predicted_ms": plan.makespan_ms,
        "clusters": plan.clusters,
    }
    return json.dumps(told, indent=1)


def from_json(text: str | bytes, graph: Graph) -> Clusters:
    """The clusters that `to_json` wrote, of the same model; not checked against the graph.

    Raises
    ------
    PlanError
        For text that is no such plan, or one of another model; says what is wrong.
    """
    if len(text) > MOST_BYTES:
        raise PlanError(f"a plan of more than {MOST_BYTES // 1_000_000} MB is not read.")
    try:
        found = json.loads(text)
        said, model, clusters = found["format"], found["model"], found["clusters"]
        names = [name for cluster in clusters for name in cluster]
    except (ValueError, KeyError, TypeError, RecursionError) as cause:
        raise PlanError(
            f"this is no plan that Ramiel saved ({type(cause).__name__}); save one as JSON first."
        ) from cause
    if said != FORMAT or not all(isinstance(name, str) for name in names):
        raise PlanError(f"this is no {FORMAT!r}; save the plan again with this Ramiel.")
    if model != graph.model:
        raise PlanError(
            f"this is a plan of {str(model)[:60]!r}, not of {graph.model}: choose that model first."
        )
    return tuple(map(tuple, clusters))


def keep(graph: Graph, plan: Plan) -> str:
    """Keep a plan on this host; returns the short name under which `kept` finds it."""
    text = to_json(graph, plan)
    name = hashlib.sha256(repr((graph.fingerprint, plan.clusters)).encode()).hexdigest()[:16]
    write_whole(_folder() / f"{name}.json", text)
    by_age = sorted(_folder().glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in by_age[KEPT:]:
        old.unlink(missing_ok=True)
    return name


def kept(name: str, graph: Graph) -> Clusters:
    """The clusters of a plan that `keep` has kept.

    Raises
    ------
    PlanError
        Where there is none of this name, or it is of another model.
    """
    path = _folder() / f"{name}.json"
    if not re.fullmatch(r"[0-9a-f]{16}", name) or not path.exists():
        raise PlanError("there is no such plan any more; load it from its file, or start anew.")
    return from_json(path.read_text(), graph)


def _folder() -> Path:
    folder = cache_dir() / "plans"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
