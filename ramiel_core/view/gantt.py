"""Timelines -> Gantt chart: what each worker does when, one timeline below the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

import plotly.graph_objects as go

from ramiel_core.ir import Bar, BarKind, Timeline
from ramiel_core.view import palette
from ramiel_core.view.figures import AXIS, plain, quiet_layout

ROW_PX = 34  # of one worker
MANY, LOW_ROW_PX = 12, 18  # from so many workers on, rows are lower
OUTLINE_PX = 2.5
BETWEEN_ROWS = 0.28  # two timelines, in rows of workers
_VERB: dict[BarKind, str] = {
    "compute": "computes",
    "copy": "copies out",
    "wait": "waits for",
    "dispatch": "is on its way to",
}
_HATCH: dict[BarKind, str] = {"compute": "", "copy": "/", "wait": "", "dispatch": "."}


def gantt(
    predicted: Timeline,
    measured: Timeline | None = None,
    outlined: Mapping[str, Collection[Bar]] | None = None,
) -> go.Figure:
    """Draw one row for each worker, both timelines on one axis in ms.

    Parameters
    ----------
    predicted : Timeline
        Of the plan.
    measured : Timeline, optional
        Of a traced run; without it the prediction stands alone.
    outlined : mapping, optional
        Bars drawn with a strong outline, by "predicted" or "measured": those of a critical path.
    """
    shown = {"predicted": predicted} | ({"measured": measured} if measured else {})
    return stacked(shown, outlined)


def stacked(
    shown: Mapping[str, Timeline],
    outlined: Mapping[str, Collection[Bar]] | None = None,
    because: str = "on the critical path",
) -> go.Figure:
    """Draw timelines below each other on one axis in ms, one row for each worker.

    Parameters
    ----------
    shown : mapping
        By what each is called.
    outlined : mapping, optional
        Bars drawn with a strong outline, by the name of their timeline.
    because : str
        What an outline means, for the hover text.

    Returns
    -------
    plotly.graph_objects.Figure
        One trace for each kind of bar and timeline: a trace for each bar would take seconds to
        draw at 300 bars.

    Notes
    -----
    Made in one go: plotly copies and checks a figure anew with every change of it, which took
    five times as long as this and more than the planning of 431 operators.
    """
    counts = [1 + max((bar.worker for bar in t.bars), default=0) for t in shown.values()]
    traces: list[dict[str, Any]] = []
    in_legend: set[BarKind] = set()
    for row, (label, timeline) in enumerate(shown.items(), start=1):
        strong = frozenset((outlined or {}).get(label, ()))
        for kind in get_args(BarKind):
            # Outlined ones last, on top; the first one also gives the legend its look.
            bars = sorted((b for b in timeline.bars if b.kind == kind), key=strong.__contains__)
            if not bars and kind == "dispatch":
                continue  # predictions know none
            axes = {"xaxis": f"x{_nth(row)}", "yaxis": f"y{_nth(row)}"}
            legend = {"showlegend": kind not in in_legend}
            traces.append(_trace(bars, kind, strong, because) | axes | legend)
            in_legend.add(kind)
    row_px = ROW_PX if sum(counts) <= MANY else LOW_ROW_PX
    height = 110 + row_px * sum(counts) + 24 * len(shown)
    ends = list(enumerate(shown.items(), start=1))
    return go.Figure(
        {
            "data": traces,
            "layout": quiet_layout(height)
            | _axes(shown, counts)
            | {
                "shapes": [_end(timeline, row) for row, (_, timeline) in ends],
                "annotations": [_caption(label, timeline, row) for row, (label, timeline) in ends],
                "barmode": "overlay",
            },
        }
    )


def _nth(row: int) -> str:
    """What plotly adds to the names of a row's axes."""
    return "" if row == 1 else str(row)


def _axes(shown: Mapping[str, Timeline], counts: Sequence[int]) -> dict[str, Any]:
    """Two axes for each timeline, as high as it has workers; times are on one scale."""
    latest = max(timeline.makespan_ms for timeline in shown.values())
    last = len(shown)
    spacing = BETWEEN_ROWS / sum(counts)
    room = (1 - spacing * (last - 1)) / sum(counts)
    axes: dict[str, Any] = {}
    top = 1.0
    for row, count in enumerate(counts, start=1):
        bottom = max(top - room * count, 0.0)
        # From 0, with room for the label of the later end.
        x = AXIS | {"anchor": f"y{_nth(row)}", "domain": [0, 1], "range": [0, latest * 1.02]}
        if row == last:
            x["title"] = {"text": "time since the inference began, ms"}
        else:
            x |= {"matches": f"x{_nth(last)}", "showticklabels": False}
        axes[f"xaxis{_nth(row)}"] = x
        axes[f"yaxis{_nth(row)}"] = AXIS | {
            "anchor": f"x{_nth(row)}",
            "domain": [bottom, top],
            "autorange": "reversed",
            "showgrid": False,
            "type": "category",
        }
        top = bottom - spacing
    return axes


def _trace(bars: list[Bar], kind: BarKind, strong: frozenset[Bar], because: str) -> dict[str, Any]:
    thin, thick = "rgba(255, 255, 255, 0.55)", palette.CRITICAL
    line: dict[str, Any] = {"width": 0.5, "color": thin}
    if strong:
        line = {
            "width": [OUTLINE_PX if bar in strong else 0.5 for bar in bars],
            "color": [thick if bar in strong else thin for bar in bars],
        }
    return {
        "type": "bar",
        "orientation": "h",
        "name": kind,
        "legendgroup": kind,
        "base": [bar.start_ms for bar in bars],
        "x": [bar.end_ms - bar.start_ms for bar in bars],
        "y": [f"worker {bar.worker}" for bar in bars],
        "customdata": [
            (plain(bar.name), bar.end_ms, f"<br>{because}" if bar in strong else "") for bar in bars
        ],
        "hovertemplate": (
            f"%{{y}} {_VERB[kind]} <b>%{{customdata[0]}}</b><br>%{{x:.3f}} ms"
            "<br>from %{base:.3f} to %{customdata[1]:.3f} ms%{customdata[2]}<extra></extra>"
        ),
        "marker": {
            "color": palette.BARS[kind],
            "pattern": {"shape": _HATCH[kind], "size": 5, "fillmode": "overlay"},
            "line": line,
        },
        "opacity": 0.45 if kind == "wait" else 1.0,
        "width": 0.72 if kind != "wait" else 0.36,  # waiting is less than work, at a glance
    }


def _end(timeline: Timeline, row: int) -> dict[str, Any]:
    """A line where the inference ends."""
    return {
        "type": "line",
        "line": {"color": palette.CRITICAL, "width": 1.5, "dash": "dot"},
        "x0": timeline.makespan_ms,
        "x1": timeline.makespan_ms,
        "xref": f"x{_nth(row)}",
        "y0": 0,
        "y1": 1,
        "yref": f"y{_nth(row)} domain",
    }


def _caption(label: str, timeline: Timeline, row: int) -> dict[str, Any]:
    return {
        "text": f"<b>{plain(label)}</b>  {timeline.makespan_ms:.2f} ms",
        "x": 1.0,  # not at its end, where the legend of a longer timeline may stand
        "xref": f"x{_nth(row)} domain",
        "xanchor": "right",
        "y": 1.0,
        "yref": f"y{_nth(row)} domain",
        "yanchor": "bottom",
        "showarrow": False,
    }
