"""Sections -> one drawing: Graphviz places each, and they are set below each other.

A value that crosses from one section to another has a place of its own, a gate, in the last row of
the one and in the first row of the other. Its edges run through both, and Graphviz leads them round
whatever else stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ramiel_core.view import dot_process
from ramiel_core.view.fold import Route
from ramiel_core.view.layers import Point
from ramiel_core.view.reduction import Edge
from ramiel_core.view.sections import Section

_POINTS = 72.0  # to the inch; one point is one px here
_GATE = 2.0  # px, width and height


@dataclass(frozen=True)
class _Drawn:
    """What Graphviz made of a section, px, y downwards; all by the names in the DOT text."""

    places: Mapping[str, Point]
    routes: Mapping[tuple[str, str], Route]

    def shifted(self, dx: float, dy: float) -> _Drawn:
        """The same, elsewhere."""
        return _Drawn(
            {name: (x + dx, y + dy) for name, (x, y) in self.places.items()},
            {ends: tuple((x + dx, y + dy) for x, y in r) for ends, r in self.routes.items()},
        )


def place(
    sections: Sequence[Section],
    box: tuple[float, float],
    gap: tuple[float, float],
    time_limit_s: float,
) -> tuple[dict[str, Point], dict[Edge, Route]]:
    """Positions of operators and routes of edges.

    Parameters
    ----------
    sections : sequence of Section
        From top to bottom.
    box : tuple of float
        Width and height of each operator, px.
    gap : tuple of float
        Between boxes of a row, and between rows, px.
    time_limit_s : float
        For Graphviz and all sections together, wall-clock seconds.

    Raises
    ------
    DotTimeoutError
        Past the limit.
    """
    texts = [_dot(section, box, gap) for section in sections]
    once = list(dict.fromkeys(texts))  # cells repeat
    made = dot_process.render_each(once, "json0", time_limit_s)
    drawn = dict(zip(once, map(_read, made), strict=True))
    positions: dict[str, Point] = {}
    routes: dict[Edge, Route] = {}
    led: dict[str, Route] = {}  # from each operator whose value leaves a section to its last gate
    bottom = -gap[1]
    for section, text in zip(sections, texts, strict=True):
        here = _below(drawn[text], section, led, bottom + gap[1], box[1])
        own, into, out = _names(section)
        positions |= {name: here.places[own[name]] for name in section.names}
        for a, b in section.edges:
            routes[a, b] = here.routes[own[a], own[b]]
        for a, b in section.read:
            routes[a, b] = _joined(led[a], here.routes[into[a], own[b]])
        led = {
            a: _joined(led[a], here.routes[into[a], out[a]])
            if a in into
            else here.routes[own[a], out[a]]
            for a in section.leaving
        }
        bottom = max(y + _height(name, box[1]) / 2 for name, (_, y) in here.places.items())
    return positions, routes


def _names(section: Section) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Operators, gates above and gates below in DOT text, which so is the same for equal cells."""
    return (
        {name: str(i) for i, name in enumerate(section.names)},
        {name: f"i{i}" for i, name in enumerate(section.entering)},
        {name: f"o{i}" for i, name in enumerate(section.leaving)},
    )


def _height(name: str, box_height: float) -> float:
    return box_height if name.isdigit() else _GATE


def _dot(section: Section, box: tuple[float, float], gap: tuple[float, float]) -> str:
    own, into, out = _names(section)
    return "\n".join(
        (
            "digraph {",
            f"nodesep={gap[0] / _POINTS:.3f}",
            f"ranksep={gap[1] / _POINTS:.3f}",
            'node [shape=box fixedsize=true label=""]',
            "edge [dir=none]",
            f"node [width={_GATE / _POINTS:.4f} height={_GATE / _POINTS:.4f}]",
            f"{{rank=source {' '.join(into.values())}}}" if into else "",
            f"{{rank=sink {' '.join(out.values())}}}" if out else "",
            f"node [width={box[0] / _POINTS:.4f} height={box[1] / _POINTS:.4f}]",
            *own.values(),
            *(f"{own[a]} -> {own[b]}" for a, b in section.edges),
            *(f"{into[a]} -> {own[b]}" for a, b in section.read),
            *(f"{into.get(a) or own[a]} -> {out[a]}" for a in section.leaving),
            "}",
        )
    )


def _read(picture: bytes) -> _Drawn:
    drawing = json.loads(picture)
    names = [item["name"] for item in drawing["objects"]]  # rows of gates among them, without pos
    return _Drawn(
        {item["name"]: _point(item["pos"]) for item in drawing["objects"] if "pos" in item},
        {
            (names[item["tail"]], names[item["head"]]): tuple(map(_point, item["pos"].split()))
            for item in drawing.get("edges", ())
        },
    )


def _point(text: str) -> Point:
    x, y = text.split(",")
    return float(x), -float(y)  # Graphviz counts y upwards


def _below(
    drawn: _Drawn, section: Section, led: Mapping[str, Route], top: float, box_height: float
) -> _Drawn:
    """Move a section down to `top`, and sideways to where the values come from that enter it."""
    into = _names(section)[1]
    asides = [led[name][-1][0] - drawn.places[gate][0] for name, gate in into.items()]
    aside = sum(asides) / len(asides) if asides else 0.0
    highest = min(y - _height(name, box_height) / 2 for name, (_, y) in drawn.places.items())
    return drawn.shifted(aside, top - highest)


def _joined(above: Route, below: Route) -> Route:
    """One route out of two, with an upright bend from the end of one to the start of the other."""
    (x0, y0), (x1, y1) = above[-1], below[0]
    middle = (y0 + y1) / 2
    return (*above, (x0, middle), (x1, middle), *below)
