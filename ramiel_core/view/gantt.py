"""Timelines -> Gantt chart: what each worker does when, one timeline below the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import get_args

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ramiel_core.ir import Bar, BarKind, Timeline
from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet

ROW_PX = 34  # of one worker
MANY, LOW_ROW_PX = 12, 18  # from so many workers on, rows are lower
OUTLINE_PX = 2.5
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
    """
    counts = [1 + max((bar.worker for bar in t.bars), default=0) for t in shown.values()]
    figure = make_subplots(
        rows=len(shown), shared_xaxes=True, row_heights=counts, vertical_spacing=0.28 / sum(counts)
    )
    in_legend: set[BarKind] = set()
    for row, (label, timeline) in enumerate(shown.items(), start=1):
        strong = frozenset((outlined or {}).get(label, ()))
        for kind in get_args(BarKind):
            # Outlined ones last, on top; the first one also gives the legend its look.
            bars = sorted((b for b in timeline.bars if b.kind == kind), key=strong.__contains__)
            if not bars and kind == "dispatch":
                continue  # predictions know none
            trace = _trace(bars, kind, strong, because).update(showlegend=kind not in in_legend)
            in_legend.add(kind)
            figure.add_trace(trace, row=row, col=1)
        _mark_end(figure, label, timeline, row)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(title_text="time since the inference began, ms", row=len(shown), col=1)
    row_px = ROW_PX if sum(counts) <= MANY else LOW_ROW_PX
    quiet(figure, 110 + row_px * sum(counts) + 24 * len(shown))
    # From 0, with room for the label of the later end.
    latest = max(timeline.makespan_ms for timeline in shown.values())
    return figure.update_xaxes(range=[0, latest * 1.02]).update_layout(barmode="overlay")


def _trace(bars: list[Bar], kind: BarKind, strong: frozenset[Bar], because: str) -> go.Bar:
    thin, thick = "rgba(255, 255, 255, 0.55)", palette.CRITICAL
    return go.Bar(
        orientation="h",
        name=kind,
        legendgroup=kind,
        base=[bar.start_ms for bar in bars],
        x=[bar.end_ms - bar.start_ms for bar in bars],
        y=[f"worker {bar.worker}" for bar in bars],
        customdata=[
            (plain(bar.name), bar.end_ms, f"<br>{because}" if bar in strong else "") for bar in bars
        ],
        hovertemplate=(
            f"%{{y}} {_VERB[kind]} <b>%{{customdata[0]}}</b><br>%{{x:.3f}} ms"
            "<br>from %{base:.3f} to %{customdata[1]:.3f} ms%{customdata[2]}<extra></extra>"
        ),
        marker={
            "color": palette.BARS[kind],
            "pattern": {"shape": _HATCH[kind], "size": 5, "fillmode": "overlay"},
            "line": {
                "width": [OUTLINE_PX if bar in strong else 0.5 for bar in bars],
                "color": [thick if bar in strong else thin for bar in bars],
            },
        },
        opacity=0.45 if kind == "wait" else 1.0,
        width=0.72 if kind != "wait" else 0.36,  # waiting is less than work, at a glance
    )


def _mark_end(figure: go.Figure, label: str, timeline: Timeline, row: int) -> None:
    end = {"color": palette.CRITICAL, "width": 1.5, "dash": "dot"}
    figure.add_vline(x=timeline.makespan_ms, line=end, row=row, col=1)
    figure.add_annotation(
        text=f"<b>{plain(label)}</b>  {timeline.makespan_ms:.2f} ms",
        x=1.0,  # not at its end, where the legend of a longer timeline may stand
        xref="x domain" if row == 1 else f"x{row} domain",
        xanchor="right",
        y=1.0,
        yref="y domain" if row == 1 else f"y{row} domain",
        yanchor="bottom",
        showarrow=False,
    )
