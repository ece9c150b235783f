"""Speedup over workers -> a figure of the prediction between its bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from ramiel_core.ir import Point
from ramiel_core.view import palette
from ramiel_core.view.figures import quiet


def speedup_curve(points: Sequence[Point], workers: int, speedup: float, fit: int) -> go.Figure:
    """Draw predicted speedup over the number of workers, with what bounds it.

    Parameters
    ----------
    points : sequence of Point
        By ascending workers.
    workers, speedup
        What is shown beside the curve, marked on it.
    fit : int
        Workers that this host has cores for.
    """
    at = [point.workers for point in points]
    figure = go.Figure()
    for name, values, line, meaning in (
        (
            "bound min(workers, T1/T∞)",
            [point.most for point in points],
            {"color": palette.CRITICAL, "dash": "dash", "width": 1.5},
            "at most %{y:.2f}×",
        ),
        (
            "Graham’s guarantee, sends free",
            [point.least for point in points],
            {"color": palette.MUTED, "dash": "dot", "width": 1.5},
            "at least %{y:.2f}× if sends were free",
        ),
    ):
        figure.add_scatter(
            x=at,
            y=values,
            name=name,
            mode="lines",
            line=line,
            hovertemplate=f"%{{x}} worker(s): {meaning}<extra></extra>",
        )
    figure.add_scatter(
        x=at,
        y=[point.speedup for point in points],
        name="predicted",
        mode="lines+markers",
        line={"color": palette.ACCENT, "width": 2.5},
        marker={"size": 6},
        customdata=[point.used for point in points],
        hovertemplate="%{x} worker(s): %{y:.2f}× predicted, %{customdata} with work<extra></extra>",
    )
    figure.add_scatter(
        x=[workers],
        y=[speedup],
        name="as set",
        mode="markers",
        marker={
            "symbol": "diamond",
            "size": 13,
            "color": palette.ACCENT,
            "line": {"color": palette.CRITICAL, "width": 2},
        },
        hovertemplate="as set: %{x} worker(s), %{y:.2f}×<extra></extra>",
    )
    figure.add_vline(x=fit, line={"color": palette.MUTED, "width": 1.5})
    figure.add_annotation(
        x=math.log10(fit),  # annotations, unlike lines, count in powers on such an axis
        y=0,
        xanchor="left",
        yanchor="bottom",
        xshift=4,
        showarrow=False,
        text=f"this host has cores for {fit}",
    )
    figure.update_xaxes(
        title_text="workers, each with cores of its own",
        type="log",
        tickvals=at,
        range=[-0.04, 1.84],
    )
    top = max([speedup, *(max(point.most, point.speedup) for point in points)])
    figure.update_yaxes(title_text="speedup over one worker, ×", range=[0, top * 1.12])
    return quiet(figure, 360)
