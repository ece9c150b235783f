"""What a tuner found: kept on disk for `auto`, and told in words, choice by choice."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ramiel_core.cache import cache_dir, write_whole
from ramiel_core.ir import MOLDABLE, Graph
from ramiel_core.report.verdict import was_busy
from ramiel_core.words import plural, times

FORMAT = 2  # of what is kept, calls of operators among it: raised when older ones cannot be used
USUAL = "ramiel"  # the planner that goes without saying
EAGER = "eager, one thread"  # the first step of all
OWN_LOAD = 1.0  # that a race brings itself, beyond that of all cores
SAME = 1.02  # steps nearer to each other than this are told as equal
Wanted = Mapping[str, Collection[Any]]  # what each entry of a configuration may be
OUT: Mapping[str, str] = MappingProxyType({"failed": "Failed", "skipped": "Not tried"})
KERNEL_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "eager": "eager kernels",
        "fused": "fused kernels",
        "onednn": "oneDNN graphs",
        "inductor": "inductor",
        "onnxruntime": "ONNX Runtime",
        "openvino": "OpenVINO",
    }
)


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
        the one before. One that was not timed is told together with the next; all cores' threads
        are left out then where the winner shares these among workers.
    """
    told: list[dict[str, Any]] = []
    untimed: list[str] = []  # choices that the next step holds as well
    for choice, wanted, stays in _choices([r["configuration"] for r in rows]):
        row = next((r for r in rows if _is(r["configuration"], wanted)), None)
        if row is None or row["ratio"] is None:
            untimed += [choice] if told and stays else []
        elif row["label"] not in {step["label"] for step in told}:
            ms = row["ratio"] * rows[0]["median_ms"]
            told.append({"choice": ", ".join([*untimed, choice]), "label": row["label"], "ms": ms})
            untimed = []
    return told


def _choices(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Wanted, bool]]:
    """What leads from eager on one thread to the winner, the first of these configurations.

    A choice's name, what a configuration then has, and whether the winner keeps to that: where it
    has several workers, all cores' threads are what one would take instead.
    """
    winner = found[0]
    several = winner["workers"] > 1
    cores = winner["workers"] * winner["threads"]
    one: Wanted = {"kernels": {"eager"}, "workers": {1}, "threads": {1}}
    yield EAGER, one, True
    one = {**one, "kernels": {winner["kernels"]}}
    yield f"{winner['kernels']} kernels", one, True
    if cores > 1:
        yield f"{cores} threads", {**one, "threads": {cores}}, not several
    if several:
        clusters = {c["planner"] for c in found} - {MOLDABLE}
        own: Wanted = {key: {winner[key]} for key in ("kernels", "workers", "threads", "planner")}
        apart: Wanted = {**own, "runtime": {"processes"}}
        yield f"{winner['workers']} workers", {**apart, "planner": clusters}, True
        yield f"{winner['planner']} plan", apart, True
        yield "one process", {**own, "runtime": {winner["runtime"]}}, True


def _is(configuration: Mapping[str, Any], wanted: Wanted) -> bool:
    return all(configuration[key] in values for key, values in wanted.items())


def in_words(configuration: Mapping[str, Any]) -> str:
    """A configuration as a sentence names it.

    >>> in_words({"kernels": "openvino", "workers": 1, "threads": 2})
    'OpenVINO, 2 threads'
    """
    c = configuration
    kernels = KERNEL_NAMES.get(c["kernels"], c["kernels"])
    threads = plural(c["threads"], "thread")
    if c["workers"] == 1:
        return f"{kernels}, {threads}"
    workers = f"{kernels}, {c['workers']} workers × {threads}"
    apart = " in one process" if c["runtime"] == "threads" else ""
    planner = "" if c["planner"] == USUAL else f", {c['planner']} plan"
    return f"{workers}{apart}{planner}"


def verdict(found: Mapping[str, Any]) -> str:
    """Which configuration is fastest, and by how much, for a reader in a hurry."""
    best, steps = found["standings"][0], found["steps"]
    said = (
        f"{found['model']} runs fastest here with {in_words(best['configuration'])}: "
        f"{best['median_ms']:.1f} ms"
    )
    if len(steps) == 1:
        said += "; nothing that was tried is faster"
    elif steps[0]["choice"] == EAGER:
        gain = times(steps[0]["ms"] / best["median_ms"])
        said += f", {gain} as fast as eager on one thread ({steps[0]['ms']:.1f} ms)"
    if busy := was_busy(found["host"], OWN_LOAD):
        said += f". {busy}: tune again when it is idle"
    return f"{said}."


def why(found: Mapping[str, Any]) -> str:
    """What each choice did, what lost, and what nobody could tell apart from the winner."""
    rows, steps = found["standings"], found["steps"]
    best, told = rows[0]["configuration"], []
    gained = [
        f"{step['choice']}: {_change(before['ms'], step['ms'])}"
        for before, step in itertools.pairwise(steps)
    ]
    if len(gained) > 1:
        told.append(f"Choice by choice: {'; '.join(gained)}.")
    near = [in_words(r["configuration"]) for r in rows[1:] if is_level(r, rows[0])]
    if near:
        told.append(f"Not told apart from it beyond noise: {'; '.join(near)}.")
    rivals = [r for r in rows[1:] if r["ratio"] is not None and not is_level(r, rows[0])]
    other = [r for r in rivals if (r["configuration"]["workers"] == 1) != (best["workers"] == 1)]
    if other:
        rival = min(other, key=lambda row: row["ratio"])
        words = in_words(rival["configuration"])
        kind = "one worker" if best["workers"] > 1 else "several workers"
        told.append(f"The best with {kind} ({words}) takes {times(rival['ratio'])} as long.")
    return " ".join(told)


def out(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which configurations failed, were not tried or were closed early, and why; alike together.

    >>> alone = {"workers": 1, "threads": 2, "runtime": "processes", "planner": "ramiel"}
    >>> row = {"state": "failed", "reason": "no g++ here", "configuration": alone}
    >>> out([row | {"configuration": {"kernels": "inductor", **alone}}])
    ['Failed: inductor, 2 threads. No g++ here']
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["reason"]:
            how = OUT.get(row["state"], "Closed early")
            alike.setdefault((how, row["reason"]), []).append(in_words(row["configuration"]))
    return [
        f"{how}: {'; '.join(names)}. {reason[:1].upper()}{reason[1:]}"
        for (how, reason), names in alike.items()
    ]


def is_level(row: Mapping[str, Any], winner: Mapping[str, Any]) -> bool:
    """Whether a row that ran beside the winner to the end may be as fast."""
    met = row["state"] == "finalist" and row["against"] == winner["label"]
    return met and bool((row["ratio_ci"] or [2.0])[0] <= 1)


def _change(before_ms: float, after_ms: float) -> str:
    if before_ms > after_ms * SAME:
        return f"{times(before_ms / after_ms)} as fast"
    if after_ms > before_ms * SAME:
        return f"{times(after_ms / before_ms)} as slow"
    return "no difference"


def load(graph: Graph, host: Mapping[str, str]) -> dict[str, Any] | None:
    """What was found for a model on this host, with `found_at` (ISO, UTC), or None."""
    path = _path(graph, host)
    if not path.exists():
        return None
    found_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return {**json.loads(path.read_text()), "found_at": found_at.isoformat(timespec="seconds")}


def save(graph: Graph, host: Mapping[str, str], found: Mapping[str, Any]) -> None:
    """Keep what was found; replaces what was known before."""
    write_whole(_path(graph, host), json.dumps(found))


def _path(graph: Graph, host: Mapping[str, str]) -> Path:
    key = json.dumps([FORMAT, graph.fingerprint, dict(host)], sort_keys=True)
    folder = cache_dir() / "tuned"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
