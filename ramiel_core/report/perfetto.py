"""Timelines -> a trace that ui.perfetto.dev and chrome://tracing open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ramiel_core.ir import Bar, BarKind, Timeline
from ramiel_core.report.critical import labelled

Edges = Iterable[tuple[str, str]]
Event = dict[str, Any]
US = 1e3  # the format counts microseconds
_SAYS: Mapping[BarKind, str] = {
    "compute": "{}",
    "copy": "copy {}",
    "wait": "wait for {}",
    "dispatch": "dispatch {}",
}


def trace(timelines: Mapping[str, tuple[Timeline, Edges | None]]) -> dict[str, Any]:
    """Every timeline as a process, every worker as a thread of it, every send as an arrow.

    Parameters
    ----------
    timelines : mapping
        By the name of the process: a timeline, and the graph's edges. Where these are unknown
        (None), arrows end where a worker waited for a value.

    Returns
    -------
    dict
        To be written as JSON. Time in microseconds since each inference began, ascending.

    References
    ----------
    .. [1] "Trace Event Format", the Chromium project: phases M (names), X (slices), s and f
       (arrows; `bp: e` ends one at the slice around it).
    """
    named: list[Event] = []
    events: list[Event] = []
    for pid, (name, (timeline, edges)) in enumerate(timelines.items(), start=1):
        named += _names(pid, name, timeline)
        full = labelled(timeline)
        events += (_slice(pid, bar) for bar in full.bars)
        events += _arrows(pid, timeline, edges)
    events.sort(key=lambda event: event["ts"])
    return {"traceEvents": named + events, "displayTimeUnit": "ms"}


def _names(pid: int, name: str, timeline: Timeline) -> Iterator[Event]:
    shared = {"ph": "M", "pid": pid, "ts": 0}
    yield {**shared, "tid": 0, "name": "process_name", "args": {"name": name}}
    yield {**shared, "tid": 0, "name": "process_sort_index", "args": {"sort_index": pid}}
    for worker in sorted({bar.worker for bar in timeline.bars}):
        said = {"name": f"worker {worker}"}
        yield {**shared, "tid": worker + 1, "name": "thread_name", "args": said}
        order = {"sort_index": worker}
        yield {**shared, "tid": worker + 1, "name": "thread_sort_index", "args": order}


def _slice(pid: int, bar: Bar) -> Event:
    return {
        "ph": "X",
        "pid": pid,
        "tid": bar.worker + 1,
        "ts": round(bar.start_ms * US, 3),
        "dur": round((bar.end_ms - bar.start_ms) * US, 3),
        "name": _SAYS[bar.kind].format(bar.name),
        "cat": bar.kind,
        "args": {"operator": bar.name},
    }


def _arrows(pid: int, timeline: Timeline, edges: Edges | None) -> Iterator[Event]:
    copies = {bar.name: bar for bar in timeline.bars if bar.kind == "copy"}
    readers = _readers(timeline, edges)
    for number, ((value, worker), reader) in enumerate(sorted(readers.items())):
        copy = copies.get(value)
        if copy is None or copy.worker == worker:
            continue
        read_ms = reader.end_ms if reader.kind == "wait" else reader.start_ms
        shared = {"id": f"{pid}.{number}", "pid": pid, "name": f"send {value}", "cat": "send"}
        begins, ends = round(copy.start_ms * US, 3), round(read_ms * US, 3)
        yield {**shared, "ph": "s", "tid": copy.worker + 1, "ts": begins}
        yield {**shared, "ph": "f", "bp": "e", "tid": worker + 1, "ts": ends}


def _readers(timeline: Timeline, edges: Edges | None) -> dict[tuple[str, int], Bar]:
    """The first bar on each worker that needs a value, by value and worker."""
    found: dict[tuple[str, int], Bar] = {}
    if edges is None:
        for bar in timeline.bars:
            if bar.kind == "wait":
                found.setdefault((bar.name, bar.worker), bar)
        return found
    computed = {bar.name: bar for bar in timeline.bars if bar.kind == "compute"}
    for value, reader in edges:
        if reader in computed:
            key = value, computed[reader].worker
            known = found.setdefault(key, computed[reader])
            found[key] = min(known, computed[reader], key=lambda bar: bar.start_ms)
    return found
