"""Timelines as a Gantt chart, a Streamlit component: a click on a bar selects its operator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import streamlit as st

from pages.common import address, agreed, shelf
from pages.common.components import SHARED, component
from ramiel_core.ir import Bar, Timeline
from ramiel_core.view import gantt

FILES = (
    "lanes/gantt.html",
    ("shared/controls.css", "lanes/sheet.css", "lanes/gantt.css"),
    (*SHARED, "lanes/sheet.js", "lanes/walk.js", "lanes/gantt.js"),
)
SELECTED = "selected"


def gantt_view(
    shown: Mapping[str, Timeline],
    *,
    key: str,
    unit: str = "ms",
    outlined: Mapping[str, Collection[Bar]] | None = None,
    because: str = "",
    on_select: Callable[[str | None], None] = address.select,
) -> None:
    """Show timelines below each other on one axis, one row for each worker.

    Parameters
    ----------
    shown : Mapping[str, Timeline]
        By what each is called.
    key : str
        Of this view among the session's widgets.
    unit : str
        What times are counted in.
    outlined : Mapping[str, Collection[Bar]], optional
        Bars drawn with a strong outline, by the name of their timeline.
    because : str
        What an outline means.
    on_select : Callable
        Told the operator of a bar that was clicked before the page runs again; none lets go.
    """
    parts = {
        label: gantt.bars(timeline, (outlined or {}).get(label, ()))
        for label, timeline in shown.items()
    }
    agreed.catch_up(key, {SELECTED: on_select})
    with st.container(gap=None):
        for i, part in enumerate(parts.values()):
            shelf.send(part, f"{key}-{i}")
        component("ramiel_gantt", *FILES)(
            key=key,
            data={
                "shown": [{"label": label, "key": part.key} for label, part in parts.items()],
                "unit": unit,
                "because": because,
                "colours": gantt.COLOURS,
                "selected": agreed.sent(key, SELECTED, address.operator()),
            },
            default={SELECTED: None},
            on_selected_change=partial(agreed.act, key, SELECTED, on_select),
        )
