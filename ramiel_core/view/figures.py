"""What all plotly figures share: no ground of their own, quiet axes, the palette's colours."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go

from ramiel_core.view import palette

AXIS = {
    "automargin": True,
    "gridcolor": palette.GRID,
    "linecolor": palette.GRID,
    "zeroline": False,
}


def quiet(figure: go.Figure, height: int) -> go.Figure:
    """Fit a figure into a light and a dark page; the page's font and text colour stay.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    height : int
        px.
    """
    return figure.update_layout(quiet_layout(height)).update_xaxes(AXIS).update_yaxes(AXIS)


def quiet_layout(height: int) -> dict[str, Any]:
    """What `quiet` lays down for a figure as a whole."""
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 32, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "title": {"text": ""},
        },
        "hoverlabel": {"align": "left"},
        "bargap": 0.25,
    }


def plain(name: str) -> str:
    """Escape a name for plotly, whose texts know some HTML, links among it."""
    return escape(name, quote=False)
