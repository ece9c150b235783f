"""What all plotly figures share: no ground of their own, quiet axes, the palette's colours."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

from ramiel_core.view import palette


def quiet(figure: go.Figure, height: int) -> go.Figure:
    """Fit a figure into a light and a dark page; the page's font and text colour stay.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    height : int
        px.
    """
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "title": {"text": ""}},
        hoverlabel={"align": "left"},
        bargap=0.25,
    )
    axis = {"automargin": True, "gridcolor": palette.GRID, "linecolor": palette.GRID}
    figure.update_xaxes(zeroline=False, **axis)
    figure.update_yaxes(zeroline=False, **axis)
    return figure


def plain(name: str) -> str:
    """Escape a name for plotly, whose texts know some HTML, links among it."""
    return escape(name, quote=False)
