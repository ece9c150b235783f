"""The operator graph as a Streamlit component: zoom, pan, search, and clicks back to Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import streamlit as st

from pages.common import agreed, shelf
from pages.common.components import SHARED, component
from ramiel_core.view.scene import Part, Scene

PARTS = (
    *("query", "scene", "camera", "drawing", "colours", "choice", "groups"),
    *("search", "minimap", "tip", "keys", "player", "story", "charts", "link"),
)
FILES = (
    "graph/graph.html",
    ("shared/controls.css", "graph/graph.css"),
    (*SHARED, *(f"graph/{name}.js" for name in (*PARTS, "graph"))),
)
STATES = ("selected", "expanded", "viewport", "colour", "frame")
CHOSEN, EXPANDED, VIEWPORT, COLOUR, FRAME = STATES
AGREED = (CHOSEN, EXPANDED, FRAME)  # that both sides change


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
    agreed.catch_up(key, {name: on.get(name, _nobody) for name in AGREED})
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
        component("ramiel_graph", *FILES)(
            key=key,
            data={
                "facts": scene.facts.key,
                "shape": scene.shape.key,
                "playback": playback.key if playback else None,
                "paint": scene.paint,
                "height": height,
                "selected": agreed.sent(key, CHOSEN, selected),
                "expanded": agreed.sent(key, EXPANDED, expanded(key)),
                "colour": colour,
                "frame": agreed.sent(key, FRAME, frame),
                "link": link,
                "viewport": st.session_state[opening],
            },
            default={CHOSEN: None, EXPANDED: None, VIEWPORT: None, COLOUR: colour, FRAME: None},
            # A state exists only with a callback.
            **{
                f"on_{name}_change": partial(agreed.act, key, name, on.get(name, _nobody))
                for name in AGREED
            },
            on_colour_change=lambda: on.get(COLOUR, _nobody)(agreed.last(key, COLOUR)),
            on_viewport_change=partial(_moved, key, link, on.get(VIEWPORT, _nobody)),
        )


def expanded(key: str) -> list[str]:
    """Groups that the user has expanded in the view with this key."""
    known = agreed.last(key, EXPANDED)
    return list(known["value"]) if known else []


def _moved(key: str, link: str | None, listener: Callable[[Any], None]) -> None:
    """Remember a viewport beyond this page, and pass it on."""
    viewport = dict(agreed.last(key, VIEWPORT))
    st.session_state[f"{link or key}-viewport"] = viewport
    listener(viewport)


def _nobody(_: Any) -> None:
    """Listen to nothing."""
