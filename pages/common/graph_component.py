"""The operator graph as a Streamlit component: zoom, pan, search, and clicks back to Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.common import shelf
from ramiel_core.view.scene import Part, Scene

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

ASSETS = Path(__file__).parents[2] / "assets" / "graph"
SCRIPTS = ("shelf", "query", "scene", "keys", "player", "graph")
CHOSEN, EXPANDED, VIEWPORT, COLOUR, FRAME = "selected", "expanded", "viewport", "colour", "frame"


@dataclass(frozen=True)
class Seen:
    """What the user has done in a graph."""

    selected: str | None  # operator or group clicked last
    viewport: Mapping[str, Any] | None  # where the view rests: x, y, scale, and the shape shown
    colour: str  # what fills stand for
    frame: int | None  # of the player, once it rests


def graph_view(
    scene: Scene,
    *,
    key: str,
    height: int = 640,
    selected: str | None = None,
    colour: str = "cluster",
    playback: Part | None = None,
    frame: int = 0,
) -> Seen:
    """Show a graph; say what the user has done in it.

    Parameters
    ----------
    scene : Scene
        While its shape stays the same, a new one only recolours: zoom, position and search stay
        as the user left them. They come back when the page is opened again.
    key : str
        Of this view among the session's widgets.
    height : int
        px.
    selected : str, optional
        An operator or group to mark and to bring into view, whenever this value changes.
    colour : str
        What fills stand for at first: a key of `Scene`'s scales, "cluster", "worker" or "kind".
    playback : Part, optional
        From `ramiel_core.view.playback`: the view is then a player, in the browser alone.
    frame : int
        Which the player shows, whenever this value changes.
    """
    kept, opening = f"{key}-viewport", f"{key}-opening"
    if key not in st.session_state:  # shown for the first time, or again after another page
        st.session_state[opening] = st.session_state.get(kept, {})
    with st.container(gap=None):
        shelf.send_vis_network(f"{key}-vis-network")
        for name, part in {
            "facts": scene.facts,
            "shape": scene.shape,
            "playback": playback,
        }.items():
            if part is not None:
                shelf.send(part, f"{key}-{name}")
        result = _graph()(
            key=key,
            data={
                "facts": scene.facts.key,
                "shape": scene.shape.key,
                "playback": playback.key if playback else None,
                "paint": scene.paint,
                "height": height,
                "selected": selected,
                "expanded": expanded(key),
                "colour": colour,
                "frame": frame,
                "viewport": st.session_state[opening],
            },
            default={CHOSEN: selected, EXPANDED: [], VIEWPORT: None, COLOUR: colour, FRAME: None},
            # A state exists only with a callback; the rerun itself is all it has to cause.
            **{f"on_{name}_change": _nothing for name in (CHOSEN, EXPANDED, COLOUR, FRAME)},
            on_viewport_change=lambda: _keep(key, kept),
        )
    return Seen(result[CHOSEN], result[VIEWPORT], result[COLOUR], result[FRAME])


def expanded(key: str) -> list[str]:
    """Groups that the user has expanded in the view with this key."""
    return list((st.session_state.get(key) or {}).get(EXPANDED) or [])


def _nothing() -> None:
    pass


def _keep(key: str, kept: str) -> None:
    """Remember a viewport beyond this page."""
    st.session_state[kept] = dict(st.session_state[key][VIEWPORT])


@cache  # registering a name twice logs a warning
def _graph() -> ComponentRenderer:
    return st.components.v2.component(
        "ramiel_graph",
        html=(ASSETS / "graph.html").read_text(),
        css=(ASSETS / "graph.css").read_text(),
        js="\n".join((ASSETS / f"{name}.js").read_text() for name in SCRIPTS),
    )
