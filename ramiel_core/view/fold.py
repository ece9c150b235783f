"""A tall drawing, folded into columns like a newspaper, so that it fits a screen.

A chain of 430 operators is 170 times as tall as wide. Cut between layers and set side by side,
it has the shape of a window and can be read at half its size.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ramiel_core.view.layers import Point
from ramiel_core.view.reduction import Edge

Route = tuple[Point, ...]
"""Control points of joined cubic Bezier curves: 1, 4, 7, ... of them."""

ASPECT = 1.6  # width to height of the window to be filled
GAP = 64.0  # between two columns, px, before the lanes of the edges that turn there
LANE = 7.0  # between the edges of two operators that turn at the same fold, px
SLACK = 0.4  # a column may end this part early, where fewer values cross the cut
TURN = 44.0  # how far an edge swings out above and below a column, px
TRIES = 80  # lengths of a column tried, each 5 % shorter than the one before


@dataclass(frozen=True)
class Sheet:
    """A drawing: centres of boxes of one size, and the routes of edges."""

    positions: Mapping[str, Point]
    routes: Mapping[Edge, Route]
    width: float
    height: float


@dataclass(frozen=True)
class _Strip:
    """One or several layers that stay together, and the room they take."""

    names: tuple[str, ...]
    left: float
    right: float
    top: float
    bottom: float


def fold(
    positions: Mapping[str, Point],
    routes: Mapping[Edge, Route],
    edges: Sequence[Edge],
    box: tuple[float, float],
) -> Sheet:
    """Fold a drawing that goes from top to bottom.

    Parameters
    ----------
    positions : Mapping[str, Point]
        Centres, px; operators of one layer share their y.
    routes : Mapping[Edge, Route]
        Of the edges that have one; kept where both ends stay in one column.
    edges : Sequence[Edge]
        All that are drawn; every one has a route in the result.
    box : tuple of float
        Width and height of each operator, px.
    """
    layers = _layers(positions, routes, box)
    crossing = _crossing(layers, edges)
    best: list[_Strip] = []
    least = math.inf  # height of the window that shows all of it at full size
    for shorter in range(TRIES):
        limit = math.ceil(len(layers) * 0.95**shorter)
        strips = [_joined(layers[first:end]) for first, end in pairwise(_cuts(limit, crossing))]
        width = sum(s.right - s.left for s in strips) + GAP * (len(strips) - 1)
        window = max(width / ASPECT, *(s.bottom - s.top for s in strips))
        if window < least:
            best, least = strips, window
    return _set_side_by_side(best, positions, routes, edges, box)


def _layers(
    positions: Mapping[str, Point], routes: Mapping[Edge, Route], box: tuple[float, float]
) -> list[_Strip]:
    by_y: dict[float, list[str]] = {}
    for name, (_, y) in positions.items():
        by_y.setdefault(y, []).append(name)
    heights = sorted(by_y)
    xs = [
        [positions[name][0] + s * box[0] / 2 for name in by_y[y] for s in (-1, 1)] for y in heights
    ]
    for route in routes.values():  # an edge may swing wide of every box that it passes
        first = bisect_left(heights, route[0][1])
        for layer in xs[first : bisect_left(heights, route[-1][1])]:
            layer += [x for x, _ in route]
    return [
        _Strip(tuple(by_y[y]), min(x), max(x), y - box[1] / 2, y + box[1] / 2)
        for y, x in zip(heights, xs, strict=True)
    ]


def _joined(strips: Sequence[_Strip]) -> _Strip:
    return _Strip(
        tuple(name for strip in strips for name in strip.names),
        min(strip.left for strip in strips),
        max(strip.right for strip in strips),
        strips[0].top,
        strips[-1].bottom,
    )


def _crossing(layers: Sequence[_Strip], edges: Sequence[Edge]) -> list[int]:
    """How many operators have edges that a cut below each layer would cross."""
    layer_of = {name: i for i, layer in enumerate(layers) for name in layer.names}
    last: dict[str, int] = {}
    for a, b in edges:
        last[a] = max(last.get(a, 0), layer_of[b])
    change = [0] * (len(layers) + 1)
    for name, end in last.items():
        change[layer_of[name]] += 1
        change[end] -= 1
    return list(accumulate(change))[: len(layers)]


def _cuts(limit: int, crossing: Sequence[int]) -> list[int]:
    """Layer numbers that start a column, and the end: none longer than `limit` layers.

    >>> _cuts(4, [1, 1, 1, 2, 2, 1, 1])
    [0, 3, 7]
    """
    cuts = [0]
    while len(crossing) - cuts[-1] > limit:
        soonest = cuts[-1] + max(1, math.ceil(limit * (1 - SLACK)))
        near = range(cuts[-1] + limit, soonest - 1, -1)  # of equals, the longest column
        cuts.append(min(near, key=lambda at: crossing[at - 1]))
    return [*cuts, len(crossing)]


def _set_side_by_side(
    strips: Sequence[_Strip],
    positions: Mapping[str, Point],
    routes: Mapping[Edge, Route],
    edges: Sequence[Edge],
    box: tuple[float, float],
) -> Sheet:
    column = {name: i for i, strip in enumerate(strips) for name in strip.names}
    turning = [(a, b) for a, b in edges if column[a] != column[b]]
    lanes = _lanes(turning, column)
    shift, ends = _columns(strips, [column[a] for a in lanes])
    moved = {
        name: (positions[name][0] + shift[i][0], positions[name][1] + shift[i][1])
        for name, i in column.items()
    }
    drawn: dict[Edge, Route] = {}
    for a, b in edges:
        if column[a] == column[b]:
            dx, dy = shift[column[a]]
            known = tuple((x + dx, y + dy) for x, y in routes.get((a, b), ()))
            drawn[a, b] = known or _straight(moved[a], moved[b], box[1])
    for a, b in turning:
        lane = ends[column[a]] + GAP / 2 + lanes[a] * LANE
        drawn[a, b] = _turn(moved[a], moved[b], lane, box[1])
    height = max(strip.bottom - strip.top for strip in strips)
    return Sheet(moved, drawn, ends[-1], height)


def _lanes(turning: Sequence[Edge], column: Mapping[str, int]) -> dict[str, int]:
    """Lane of each operator whose edges turn: they share it, and part above the next column."""
    lanes: dict[str, int] = {}
    used: dict[int, int] = {}
    for a, _ in turning:
        if a not in lanes:
            lanes[a] = used[column[a]] = used.get(column[a], 0) + 1
    return lanes


def _columns(
    strips: Sequence[_Strip], turning_from: Sequence[int]
) -> tuple[list[Point], list[float]]:
    """How far each strip moves, and the right end of each column."""
    shift, ends = [], []
    x = 0.0
    for i, strip in enumerate(strips):
        shift.append((x - strip.left, -strip.top))
        ends.append(x + strip.right - strip.left)
        x = ends[-1] + GAP + LANE * turning_from.count(i)
    return shift, ends


def _straight(start: Point, end: Point, box_height: float) -> Route:
    """From below one box to above another, leaving and arriving upright."""
    top, bottom = start[1] + box_height / 2, end[1] - box_height / 2
    bend = (bottom - top) * 0.4
    return (start[0], top), (start[0], top + bend), (end[0], bottom - bend), (end[0], bottom)


def _turn(start: Point, end: Point, lane: float, box_height: float) -> Route:
    """Out below one column, up the gap beside it, and into the next column from above."""
    below, above = start[1] + box_height / 2, end[1] - box_height / 2
    return (
        *((start[0], below), (start[0], below + TURN), (lane, below + TURN)),
        *((lane, below), (lane, (below * 2 + above) / 3), (lane, (below + above * 2) / 3)),
        *((lane, above), (lane, above - TURN), (end[0], above - TURN)),
        (end[0], above),
    )
