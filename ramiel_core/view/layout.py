"""Graph -> Layout: a fixed place for every operator.

Graphviz's `dot` places them, in a process with a time limit; long graphs are folded into
columns; what it made is kept on disk, because stepping through merges only recolours it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ramiel_core.cache import cache_dir
from ramiel_core.ir import Graph
from ramiel_core.view import dot_process, layers, reduction, sections, stack
from ramiel_core.view.fold import GAP, Route, Sheet, fold
from ramiel_core.view.layers import Point
from ramiel_core.view.reduction import Edge

BOX_WIDTH = 190.0  # px, of every operator
BOX_HEIGHT = 44.0
BETWEEN = (26.0, 26.0)  # two boxes of a layer, and two layers, px
PITCH = (BOX_WIDTH + BETWEEN[0], BOX_HEIGHT + BETWEEN[1])  # from one centre to the next, px
TIME_LIMIT_S = 10.0

_VERSION = 3  # of the drawing: a change here forgets every layout on disk


@dataclass(frozen=True)
class Layout:
    """Where to draw each operator and each edge."""

    positions: Mapping[str, Point]  # centre of each operator, px, y downwards
    routes: Mapping[Edge, Route]  # Bezier control points of every edge, dropped ones included
    width: float  # px
    height: float  # px
    engine: str  # how it was made, in words for the reader
    dropped_edges: tuple[Edge, ...] = ()  # left out of the layout: draw them as thin arcs


def lay_out(graph: Graph, time_limit_s: float = TIME_LIMIT_S) -> Layout:
    """Place every operator of a graph, once and for all.

    Parameters
    ----------
    graph : Graph
        Costs play no part.
    time_limit_s : float
        For Graphviz, wall-clock seconds. Past it the operators are placed in plain layers, and
        `engine` says so.

    Returns
    -------
    Layout
        From the cache where Graphviz placed this graph before within the same limit. Plain layers
        are not kept: the host may have been busy for a moment only.
    """
    if not graph.nodes:
        return Layout({}, {}, 0.0, 0.0, "nothing to lay out")
    path = cache_dir() / "layouts" / f"{graph.fingerprint}-{time_limit_s:g}s-v{_VERSION}.json"
    kept = _read(path)
    if kept is not None:
        return kept
    rank = reduction.ranks(graph)
    engine = "Graphviz dot"
    dropped: tuple[Edge, ...] = ()
    if reduction.is_dominated_by_long_edges(graph, rank):
        engine = "Graphviz dot on the transitive reduction"
        dropped = reduction.redundant_edges(graph)
    left_out = set(dropped)
    edges = [edge for edge in graph.edges if edge not in left_out]
    try:
        parts = sections.sections([*graph.index], edges)
        placed = stack.place(parts, (BOX_WIDTH, BOX_HEIGHT), BETWEEN, time_limit_s)
    except dot_process.DotTimeoutError:
        engine = f"layers (Graphviz took longer than {time_limit_s:g} s)"
        return _drawn(layers.layered(graph, rank, PITCH), {}, edges, engine, dropped)
    made = _drawn(*placed, edges, engine, dropped)
    _write(path, made)
    return made


def _drawn(
    positions: Mapping[str, Point],
    routes: Mapping[Edge, Route],
    edges: Sequence[Edge],
    engine: str,
    dropped: tuple[Edge, ...],
) -> Layout:
    """Fold what was placed into columns, with arcs for the edges that were dropped."""
    sheet = fold(positions, routes, edges, (BOX_WIDTH, BOX_HEIGHT))
    arcs = {edge: _arc(sheet.positions[edge[0]], sheet.positions[edge[1]]) for edge in dropped}
    return _rounded(sheet, arcs, engine, dropped)


def _arc(start: Point, end: Point) -> Route:
    """From the right side of one box, out and back, or on to the left side of another column."""
    x, y = start[0] + BOX_WIDTH / 2, start[1]
    if abs(end[0] - start[0]) < BOX_WIDTH:
        out = max(x, end[0] + BOX_WIDTH / 2) + min(GAP - 10.0, 14.0 + (end[1] - y) * 0.05)
        return (x, y), (out, y), (out, end[1]), (end[0] + BOX_WIDTH / 2, end[1])
    left = end[0] - BOX_WIDTH / 2
    return (x, y), (x + GAP, y), (left - GAP, end[1]), (left, end[1])


def _rounded(
    sheet: Sheet, arcs: Mapping[Edge, Route], engine: str, dropped: tuple[Edge, ...]
) -> Layout:
    """Round to a tenth of a px, which is enough, and halves what the page has to send."""
    return Layout(
        {name: (round(x, 1), round(y, 1)) for name, (x, y) in sheet.positions.items()},
        {
            edge: tuple((round(x, 1), round(y, 1)) for x, y in route)
            for edge, route in (*sheet.routes.items(), *arcs.items())
        },
        round(sheet.width, 1),
        round(sheet.height, 1),
        engine,
        dropped,
    )


def _read(path: Path) -> Layout | None:
    """Load a layout; none where there is none, or one that does not read as such."""
    try:
        kept = json.loads(path.read_text())
        return Layout(
            {name: (x, y) for name, (x, y) in kept["positions"].items()},
            {(a, b): tuple((x, y) for x, y in route) for a, b, route in kept["routes"]},
            kept["width"],
            kept["height"],
            kept["engine"],
            tuple((a, b) for a, b in kept["dropped_edges"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, layout: Layout) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    record = {
        "positions": layout.positions,
        "routes": [(a, b, route) for (a, b), route in layout.routes.items()],
        "width": layout.width,
        "height": layout.height,
        "engine": layout.engine,
        "dropped_edges": layout.dropped_edges,
    }
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(record, file)
    Path(file.name).replace(path)  # so that a second page never reads half a file
