"""Charts and tables of operators, in which a click selects an operator on every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.common import address, lists
from ramiel_core.view import palette
from ramiel_core.view.figures import plain

PLAIN = {"displayModeBar": False}
TABLE_HEIGHT = 360  # px
REST = 0.3  # opacity of what is not selected
NAME_SHOWN = 40  # characters of a name beside its bar


def chart(figure: go.Figure, key: str, selected: str | None) -> None:
    """Show a chart whose bars or points are operators.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        `customdata` of its traces begins with the escaped name of an operator.
    key : str
        Of the widget.
    selected : str, optional
        The operator to bring out.
    """
    mark(figure, selected)
    st.plotly_chart(
        figure,
        config=PLAIN,
        key=key,
        on_select=lambda: _from_chart(key),
        selection_mode="points",
    )


def mark(figure: go.Figure, name: str | None) -> None:
    """Let everything of other operators step back, where this one is in the figure at all."""
    if name is None:
        return
    found = [
        [i for i, data in enumerate(trace.customdata or ()) if unescape(str(data[0])) == name]
        for trace in figure.data
    ]
    if any(found):
        for trace, places in zip(figure.data, found, strict=True):
            trace.selectedpoints = places
            trace.unselected = {"marker": {"opacity": REST}}
            for i in places:  # a low bar would not be seen among others, whatever its colour
                figure.add_annotation(
                    x=trace.x[i],
                    y=trace.y[i],
                    text=plain(name if len(name) <= NAME_SHOWN else f"…{name[-NAME_SHOWN:]}"),
                    arrowcolor=palette.CRITICAL,
                    ax=0,
                    ay=-24,
                )


def _from_chart(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    address.select(unescape(str(points[0]["customdata"][0])) if points else None)


def table(
    rows: Sequence[Mapping[str, Any]], widths: Mapping[str, int], key: str, selected: str | None
) -> None:
    """Show a table with an operator in each row, the selected one ticked.

    One that was selected elsewhere comes first: a data frame cannot be told to scroll.

    Parameters
    ----------
    rows : sequence of mappings
        Each with the key "operator".
    widths : Mapping[str, int]
        Columns shown, as for `lists.show`.
    key : str
        Of the widget.
    selected : str, optional
        The operator to tick.
    """
    # Only a new widget takes a new selection, and the user's own click must not cost the scroll.
    number, ticked, first = st.session_state.get(key, (0, None, None))
    if selected != ticked:
        number, first = number + 1, selected
    st.session_state[key] = (number, selected, first)
    widget = f"{key}-{number}"
    rows = sorted(rows, key=lambda row: row["operator"] != first)
    names = [row["operator"] for row in rows]
    chosen = [names.index(selected)] if selected in names else []
    lists.show(
        rows,
        widths,
        "Operators",
        height=TABLE_HEIGHT,
        key=widget,
        on_select=lambda: _from_table(key, widget, names),
        selection_mode="single-row",
        selection_default={"selection": {"rows": chosen, "columns": [], "cells": []}},
    )


def _from_table(key: str, widget: str, names: Sequence[str]) -> None:
    rows = st.session_state[widget]["selection"]["rows"]
    name = names[rows[0]] if rows else None
    number, _, first = st.session_state[key]
    st.session_state[key] = (number, name, first)
    address.select(name)
