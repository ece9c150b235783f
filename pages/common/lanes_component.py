"""Workers as lanes, as a Streamlit component: operators are dragged from one to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.common import agreed, shelf
from pages.common.components import SHARED, component
from ramiel_core.view.scene import Part

FILES = (
    "lanes/lanes.html",
    ("shared/controls.css", "lanes/sheet.css", "lanes/lanes.css"),
    (*SHARED, *(f"lanes/{name}.js" for name in ("sheet", "carry", "pointer", "steps", "lanes"))),
)
CHOSEN, DEED = "chosen", "deed"
UNDO = "undo"  # a deed; any other is a move


def lanes_view(
    lanes: Part,
    *,
    key: str,
    planned_ms: float,
    chosen: Sequence[str],
    may_undo: bool,
    may_add: bool,
    on_choose: Callable[[list[str]], None],
    on_move: Callable[[list[str], int], None],
    on_undo: Callable[[], None],
) -> None:
    """Show who runs what when, and let operators be given to other workers.

    Parameters
    ----------
    lanes : Part
        From `ramiel_core.view.lanes`.
    key : str
        Of this view among the session's widgets.
    planned_ms : float
        Predicted time of the planner's plan, to compare with.
    chosen : Sequence[str]
        Operators that are marked, and carried together.
    may_undo, may_add : bool
        Whether there is a move to undo, and whether a worker can be added.
    on_choose, on_move, on_undo : Callable
        Told what the user did before the page runs again: the operators chosen; those dropped,
        and on which worker; that the last move shall be undone.
    """

    def do(deed: Any) -> None:
        if deed == UNDO:
            on_undo()
        else:
            on_move(list(deed["names"]), int(deed["worker"]))

    agreed.catch_up(key, {CHOSEN: on_choose, DEED: do})
    with st.container(gap=None):
        shelf.send(lanes, f"{key}-lanes")
        component("ramiel_lanes", *FILES)(
            key=key,
            data={
                "lanes": lanes.key,
                "planned": planned_ms,
                "chosen": agreed.sent(key, CHOSEN, list(chosen)),
                "undo": may_undo,
                "more": may_add,
                "deed": agreed.sent(key, DEED, None),  # whatever was asked for is done by now
            },
            default={CHOSEN: None, DEED: None},
            on_chosen_change=partial(agreed.act, key, CHOSEN, on_choose),
            on_deed_change=partial(agreed.act, key, DEED, do),
        )
