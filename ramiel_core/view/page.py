"""Reports -> one HTML page that needs nothing else: no script, no network, no Ramiel."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median

from ramiel_core.ir import Bar, BarKind, Report, Timeline
from ramiel_core.view import palette
from ramiel_core.words import times

Paths = Mapping[str, Collection[Bar]]
WIDTH, LEFT, ROW, TOP = 1120, 76, 26, 20  # px of a drawing
THIN: Mapping[BarKind, int] = {"compute": 0, "copy": 3, "wait": 7, "dispatch": 5}  # px, each side
TICKS = 8  # at most
MOST_ROWS = 40  # of the table of slowest operators
# Whatever a name may hold: the page can neither run scripts nor fetch anything.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
KINDS: Mapping[BarKind, str] = {
    "compute": "computes an operator",
    "copy": "copies a value out",
    "wait": "waits for a value",
    "dispatch": "wakes up, changes its thread count, or gets to the next operator",
}


def html(reports: Sequence[tuple[Report, Paths]]) -> str:
    """Everything that some benchmarks found, as one page.

    Parameters
    ----------
    reports : sequence of pairs
        Each with the bars of the critical paths of its "predicted" and "measured" timeline.

    Returns
    -------
    str
        HTML of some 100 kB a report, light or dark as its reader prefers.
    """
    models = ", ".join(report.model for report, _ in reports)
    style = Path(__file__).with_suffix(".css").read_text()
    body = "\n".join(_section(report, paths) for report, paths in reports)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(models)} · Ramiel</title><style>\n{style}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _section(report: Report, paths: Paths) -> str:
    warnings = "".join(f'<p class="warning">Note: {escape(w)}</p>' for w in report.warnings)
    shown = {"predicted": report.predicted, "measured": report.measured}
    latest = max(timeline.makespan_ms for timeline in shown.values())
    drawings = "".join(
        f"<h3>{name}, {timeline.makespan_ms:.2f} ms</h3>"
        + _gantt(timeline, frozenset(paths.get(name, ())), latest)
        for name, timeline in shown.items()
    )
    return f"""<h1>{escape(report.model)}</h1>
<p class="quiet">{escape(_told(report))}</p>
<p class="verdict">{escape(report.verdict)}</p>{warnings}
{_numbers(report)}
<h2>Who did what when</h2>
<p class="quiet">One row for each worker, both on one axis. Outlined: the critical path, the chain
of events that decided how long the run took. Point at a bar for its name.</p>
{_key()}{drawings}
<h2>All runs</h2>{_table(_run_rows(report))}
<h2>Where the time goes</h2>{_table(_operator_rows(report))}
<details><summary>Host and settings</summary>{_facts(report)}</details>
<details><summary>Who runs what</summary><pre>{escape(str(report.plan))}</pre></details>"""


def _told(report: Report) -> str:
    job = report.job
    return (
        f"{report.operators} operators, {job.kernels} kernels, planner "
        f"{report.plan.planner or job.planner}, {report.plan.workers} × {job.threads} threads, "
        f"{job.repeats} rounds, {report.cost_model} costs."
    )


def _numbers(report: Report) -> str:
    low, high = report.speedup_ci
    cells = (
        ("Sequential", f"{report.sequential_ms:.2f} ms", "median"),
        ("Parallel", f"{report.parallel_ms:.2f} ms", "median"),
        ("Speedup", times(report.speedup), f"95 %: {low:.2f} to {high:.2f}"),
        ("Bound", times(report.bound), "no plan of whole operators can gain more"),
        ("Predicted", f"{report.predicted.makespan_ms:.2f} ms", "from measured costs"),
        ("Outputs", "equal" if report.equal else "NOT equal", "to the model's own"),
    )
    shown = (
        f"<div>{escape(label)}<b>{escape(value)}</b>"
        f'<span class="quiet">{escape(meaning)}</span></div>'
        for label, value, meaning in cells
    )
    return f'<div class="numbers">{"".join(shown)}</div>'


def _key() -> str:
    found = "".join(
        f'<span><svg viewBox="0 0 26 14" role="img">{_box(0, 14, 26, kind)}</svg>'
        f"<b>{kind}</b> {escape(meaning)}</span>"
        for kind, meaning in KINDS.items()
    )
    return f'<div class="key">{found}</div>'


def _box(x: float, height: float, width: float, kind: BarKind, more: str = "") -> str:
    inset = min(THIN[kind], height / 2 - 2)
    return (
        f'<rect x="{x:.2f}" y="{inset:g}" width="{max(width, 0.3):.2f}" '
        f'height="{height - 2 * inset:g}" fill="{palette.BARS[kind]}"{more}/>'
    )


def _gantt(timeline: Timeline, critical: Collection[Bar], latest_ms: float) -> str:
    rows = sorted({bar.worker for bar in timeline.bars})
    scale = (WIDTH - LEFT - 8) / (latest_ms or 1.0)
    height = TOP + (ROW + 6) * len(rows) + 22
    parts = []
    for at_ms in ticks(latest_ms):
        x = LEFT + at_ms * scale
        unit = "" if at_ms else " ms"
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 20}"/>')
        text = f"{at_ms:g}{unit}"
        parts.append(f'<text x="{x:.1f}" y="{height - 5}" text-anchor="middle">{text}</text>')
    for place, worker in enumerate(rows):
        parts.append(f'<g transform="translate({LEFT} {TOP + place * (ROW + 6)})">')
        parts.append(f'<text x="-8" y="{ROW - 8}" text-anchor="end">worker {worker}</text>')
        own = sorted(
            (b for b in timeline.bars if b.worker == worker),
            key=lambda b: (b in critical, b.start_ms),
        )
        parts += (_bar(bar, scale, critical=bar in critical) for bar in own)
        parts.append("</g>")
    label = f"Gantt chart of {len(rows)} workers over {timeline.makespan_ms:.2f} ms"
    drawn = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{drawn}</svg>'


def ticks(latest_ms: float) -> list[float]:
    """Round numbers from 0 on, at even steps of 1, 2 or 5.

    >>> ticks(27.0)
    [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
    """
    if latest_ms <= 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(latest_ms / TICKS))
    step = next(s * power for s in (1, 2, 5, 10) if latest_ms / (s * power) <= TICKS)
    return [float(f"{i * step:.6g}") for i in range(math.floor(latest_ms / step) + 1)]


def _bar(bar: Bar, scale: float, *, critical: bool) -> str:
    took_ms = bar.end_ms - bar.start_ms
    on_path = ", on the critical path" if critical else ""
    told = (
        f"{bar.kind} {bar.name}: {took_ms:.3f} ms, {bar.start_ms:.3f} to {bar.end_ms:.3f}{on_path}"
    )
    mark = ' class="critical"' if critical else ""
    box = _box(bar.start_ms * scale, ROW, took_ms * scale, bar.kind, mark)
    return f"<g><title>{escape(told)}</title>{box}</g>"


def _run_rows(report: Report) -> Iterable[Sequence[str]]:
    yield "run", "workers", "threads", "inferences", "median, ms", "fastest", "slowest", "equal"
    for run in report.runs:
        took_ms = run.times_ms
        spread = (f"{x:.3f}" for x in (median(took_ms), min(took_ms), max(took_ms)))
        equal = "yes" if run.equal else "NO"
        counts = map(str, (run.workers, run.threads, len(took_ms)))
        yield run.label, *counts, *spread, equal


def _operator_rows(report: Report) -> Iterable[Sequence[str]]:
    yield "operator", "worker", "predicted, ms", "measured, ms", "difference"
    measured = {bar.name: bar for bar in report.measured.bars if bar.kind == "compute"}
    bars = [bar for bar in report.predicted.bars if bar.kind == "compute" and bar.name in measured]
    bars.sort(key=lambda bar: bar.start_ms - bar.end_ms)
    for bar in bars[:MOST_ROWS]:
        was, came = bar.end_ms - bar.start_ms, measured[bar.name]
        took = came.end_ms - came.start_ms
        change = f"{100 * (took / was - 1):+.0f} %" if was else ""
        yield bar.name, str(bar.worker), f"{was:.3f}", f"{took:.3f}", change


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *others = rows
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in others
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def _facts(report: Report) -> str:
    rows = {**report.host, "signals": report.job.signals, "run-time": report.job.runtime}
    pairs = (f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in rows.items())
    return f"<dl>{''.join(pairs)}</dl>"
