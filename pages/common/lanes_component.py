"""Workers as lanes, as a Streamlit component: operators are dragged from one to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.common import shelf
from ramiel_core.view.scene import Part

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

ASSETS = Path(__file__).parents[2] / "assets"
SCRIPTS = ("graph/shelf.js", "graph/leaving.js", "graph/element.js", "lanes/lanes.js")


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
    heard = f"{key}-heard"  # number of the last deed told; the view ignores answers to earlier ones

    def told(name: str) -> dict[str, Any]:
        deed = dict(st.session_state[key][name])
        st.session_state[heard] = max(st.session_state.get(heard, 0), int(deed["number"]))
        return deed

    def moved() -> None:
        deed = told("move")
        on_move(list(deed["names"]), int(deed["worker"]))

    def undone() -> None:
        told("undo")
        on_undo()

    with st.container(gap=None):
        shelf.send(lanes, f"{key}-lanes")
        _lanes()(
            key=key,
            data={
                "lanes": lanes.key,
                "planned": planned_ms,
                "chosen": list(chosen),
                "undo": may_undo,
                "more": may_add,
                "heard": st.session_state.get(heard, 0),
            },
            default={"chosen": None},
            on_chosen_change=lambda: on_choose(list(told("chosen")["names"])),
            on_move_change=moved,
            on_undo_change=undone,
        )


@cache  # registering a name twice logs a warning
def _lanes() -> ComponentRenderer:
    return st.components.v2.component(
        "ramiel_lanes",
        html=(ASSETS / "lanes" / "lanes.html").read_text(),
        css=(ASSETS / "lanes" / "lanes.css").read_text(),
        js="\n".join((ASSETS / name).read_text() for name in SCRIPTS),
    )
