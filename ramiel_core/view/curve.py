"""Speedup over workers -> a figure of the prediction between its bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from ramiel_core.ir import Point
from ramiel_core.view import palette
from ramiel_core.view.figures import AXIS, quiet_layout


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
    top = max([speedup, *(max(point.most, point.speedup) for point in points)])
    x = {
        "title": {"text": "workers, each with cores of its own"},
        "type": "log",
        "tickvals": at,
        "range": [-0.04, 1.84],
    }
    y = {"title": {"text": "speedup over one worker, ×"}, "range": [0, top * 1.12]}
    return go.Figure(  # in one go, for the time that plotly takes for every change of a figure
        {
            "data": [*_bounds(points), _predicted(points), _as_set(workers, speedup)],
            "layout": quiet_layout(360)
            | {"xaxis": AXIS | x, "yaxis": AXIS | y}
            | {"shapes": [_fit_line(fit)], "annotations": [_fit_caption(fit)]},
        }
    )


def _bounds(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "x": [point.workers for point in points],
            "y": values,
            "name": name,
            "mode": "lines",
            "line": line,
            "hovertemplate": f"%{{x}} worker(s): {meaning}<extra></extra>",
        }
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
        )
    ]


def _predicted(points: Sequence[Point]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [point.workers for point in points],
        "y": [point.speedup for point in points],
        "name": "predicted",
        "mode": "lines+markers",
        "line": {"color": palette.ACCENT, "width": 2.5},
        "marker": {"size": 6},
        "customdata": [point.used for point in points],
        "hovertemplate": (
            "%{x} worker(s): %{y:.2f}× predicted, %{customdata} with work<extra></extra>"
        ),
    }


def _as_set(workers: int, speedup: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [workers],
        "y": [speedup],
        "name": "as set",
        "mode": "markers",
        "marker": {
            "symbol": "diamond",
            "size": 13,
            "color": palette.ACCENT,
            "line": {"color": palette.CRITICAL, "width": 2},
        },
        "hovertemplate": "as set: %{x} worker(s), %{y:.2f}×<extra></extra>",
    }


def _fit_line(fit: int) -> dict[str, Any]:
    return {
        "type": "line",
        "line": {"color": palette.MUTED, "width": 1.5},
        "x0": fit,
        "x1": fit,
        "xref": "x",
        "y0": 0,
        "y1": 1,
        "yref": "y domain",
    }


def _fit_caption(fit: int) -> dict[str, Any]:
    return {
        "x": math.log10(fit),  # annotations, unlike lines, count in powers on such an axis
        "y": 0,
        "xanchor": "left",
        "yanchor": "bottom",
        "xshift": 4,
        "showarrow": False,
        "text": f"this host has cores for {fit}",
    }
