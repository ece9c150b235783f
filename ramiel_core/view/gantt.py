"""Timelines -> Gantt chart: what each worker does when, predicted above measured."""

from __future__ import annotations

from typing import get_args

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ramiel_core.ir import Bar, BarKind, Timeline
from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet

ROW_PX = 34  # of one worker
_VERB: dict[BarKind, str] = {"compute": "computes", "copy": "copies out", "wait": "waits for"}


def gantt(predicted: Timeline, measured: Timeline | None = None) -> go.Figure:
    """Draw one row for each worker, both timelines on one axis in ms.

    Parameters
    ----------
    predicted : Timeline
        Of the plan.
    measured : Timeline, optional
        Of a traced run; without it the prediction stands alone.

    Returns
    -------
    plotly.graph_objects.Figure
        One trace for each kind of bar and timeline: a trace for each bar would take seconds to
        draw at 300 bars.
    """
    shown = [("predicted", predicted)] + ([("measured", measured)] if measured else [])
    counts = [1 + max((bar.worker for bar in timeline.bars), default=0) for _, timeline in shown]
    figure = make_subplots(
        rows=len(shown), shared_xaxes=True, row_heights=counts, vertical_spacing=0.28 / sum(counts)
    )
    for row, (label, timeline) in enumerate(shown, start=1):
        for kind in get_args(BarKind):
            figure.add_trace(_trace(timeline, kind, in_legend=row == 1), row=row, col=1)
        _mark_end(figure, label, timeline, row)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(title_text="time since the inference began, ms", row=len(shown), col=1)
    quiet(figure, 110 + ROW_PX * sum(counts) + 24 * len(shown))
    # From 0, with room for the label of the later end.
    latest = max(timeline.makespan_ms for _, timeline in shown)
    return figure.update_xaxes(range=[0, latest * 1.02]).update_layout(barmode="overlay")


def _trace(timeline: Timeline, kind: BarKind, *, in_legend: bool) -> go.Bar:
    bars: list[Bar] = [bar for bar in timeline.bars if bar.kind == kind]
    return go.Bar(
        orientation="h",
        name=kind,
        legendgroup=kind,
        showlegend=in_legend,
        base=[bar.start_ms for bar in bars],
        x=[bar.end_ms - bar.start_ms for bar in bars],
        y=[f"worker {bar.worker}" for bar in bars],
        customdata=[(plain(bar.name), bar.end_ms) for bar in bars],
        hovertemplate=(
            f"%{{y}} {_VERB[kind]} <b>%{{customdata[0]}}</b><br>%{{x:.3f}} ms"
            "<br>from %{base:.3f} to %{customdata[1]:.3f} ms<extra></extra>"
        ),
        marker={
            "color": palette.BARS[kind],
            "line": {"width": 0.5, "color": "rgba(255, 255, 255, 0.55)"},
        },
        opacity=0.45 if kind == "wait" else 1.0,
        width=0.72 if kind != "wait" else 0.36,  # waiting is less than work, at a glance
    )


def _mark_end(figure: go.Figure, label: str, timeline: Timeline, row: int) -> None:
    end = {"color": palette.CRITICAL, "width": 1.5, "dash": "dot"}
    figure.add_vline(x=timeline.makespan_ms, line=end, row=row, col=1)
    figure.add_annotation(
        text=f"<b>{label}</b>  {timeline.makespan_ms:.2f} ms",
        x=timeline.makespan_ms,
        xanchor="right",
        y=1.0,
        yref="y domain" if row == 1 else f"y{row} domain",
        yanchor="bottom",
        showarrow=False,
        row=row,
        col=1,
    )
