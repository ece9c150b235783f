"""The operator graph as a Streamlit component: zoom, pan, search, and clicks back to Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.common import shelf
from ramiel_core.view.scene import Part, Scene

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

ASSETS = Path(__file__).parents[2] / "assets" / "graph"
SCRIPTS = ("shelf", "leaving", "element", "query", "scene", "keys", "player", "link", "graph")
STATES = ("selected", "expanded", "viewport", "colour", "frame")
CHOSEN, EXPANDED, VIEWPORT, COLOUR, FRAME = STATES
AGREED = (CHOSEN, FRAME)  # that both sides change: told with a number that says how often


def graph_view(
    scene: Scene,
    *,
    key: str,
    height: int = 640,
    selected: str | None = None,
    colour: str = "cluster",
    playback: Part | None = None,
    frame: int = 0,
    link: str | None = None,
    on: Mapping[str, Callable[[Any], None]] = MappingProxyType({}),
) -> None:
    """Show a graph, and tell what the user does in it.

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
    link : str, optional
        Views of one page with the same link and the same shape move, zoom and select together.
    on : Mapping[str, Callable]
        What to call with a new value before the page runs again, by `CHOSEN`, `EXPANDED`,
        `VIEWPORT` (x, y, scale, and the shape shown), `COLOUR` or `FRAME`.
    """
    opening = f"{key}-opening"
    if key not in st.session_state:  # shown for the first time, or again after another page
        place = f"{link or key}-viewport"
        st.session_state[opening] = st.session_state.get(place, {})
    with st.container(gap=None):
        shelf.send_vis_network(f"{key}-vis-network")
        for name, part in {
            "facts": scene.facts,
            "shape": scene.shape,
            "playback": playback,
        }.items():
            if part is not None:
                shelf.send(part, f"{key}-{name}")
        _graph()(
            key=key,
            data={
                "facts": scene.facts.key,
                "shape": scene.shape.key,
                "playback": playback.key if playback else None,
                "paint": scene.paint,
                "height": height,
                "selected": {"value": selected, "turn": _turn(key, CHOSEN)},
                "expanded": expanded(key),
                "colour": colour,
                "frame": {"value": frame, "turn": _turn(key, FRAME)},
                "link": link,
                "viewport": st.session_state[opening],
            },
            default={CHOSEN: None, EXPANDED: [], VIEWPORT: None, COLOUR: colour, FRAME: None},
            # A state exists only with a callback.
            **{
                f"on_{name}_change": partial(_told, key, name, link, on.get(name))
                for name in STATES
            },
        )


def expanded(key: str) -> list[str]:
    """Groups that the user has expanded in the view with this key."""
    return list(_last(key, EXPANDED) or [])


def _last(key: str, name: str) -> Any:
    """What the view has told last of one of its states; none at first."""
    return (st.session_state.get(key) or {}).get(name)


def _turn(key: str, name: str) -> int:
    """How often the view had changed a value when this run began."""
    return (_last(key, name) or {"turn": 0})["turn"]


def _told(key: str, name: str, link: str | None, listener: Callable[[Any], None] | None) -> None:
    """Pass a new value on; a viewport is remembered beyond this page as well."""
    value = _last(key, name)
    if name in AGREED:
        value = value["value"]
    if name == VIEWPORT:
        st.session_state[f"{link or key}-viewport"] = dict(value)
    if listener is not None:
        listener(value)


@cache  # registering a name twice logs a warning
def _graph() -> ComponentRenderer:
    return st.components.v2.component(
        "ramiel_graph",
        html=(ASSETS / "graph.html").read_text(),
        css=(ASSETS / "graph.css").read_text(),
        js="\n".join((ASSETS / f"{name}.js").read_text() for name in SCRIPTS),
    )
