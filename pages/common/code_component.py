"""An emitted program as a Streamlit component: a click on a line selects its operator."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.common import agreed, shelf
from pages.common.components import SHARED, component
from ramiel_core.view.scene import Part

FILES = ("code/code.html", ("code/code.css",), (*SHARED, "code/code.js"))
SELECTED = "selected"


def code_view(
    listing: Part,
    *,
    key: str,
    height: int,
    selected: str | None,
    on_select: Callable[[str | None], None],
) -> None:
    """Show a program, whose lines select their operators.

    Parameters
    ----------
    listing : Part
        From `ramiel_core.view.listing`.
    key : str
        Of this view among the session's widgets.
    height : int
        px.
    selected : str, optional
        The operator whose lines are marked, the first of them brought into view.
    on_select : Callable
        Told the operator of a line that was clicked, before the page runs again; none lets go.
    """
    agreed.catch_up(key, {SELECTED: on_select})
    with st.container(gap=None):
        shelf.send(listing, f"{key}-listing")
        component("ramiel_code", *FILES)(
            key=key,
            data={
                "listing": listing.key,
                "height": height,
                "selected": agreed.sent(key, SELECTED, selected),
            },
            default={SELECTED: None},
            on_selected_change=partial(agreed.act, key, SELECTED, on_select),
        )
