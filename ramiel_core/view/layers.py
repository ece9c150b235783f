"""A layout of our own, for graphs on which Graphviz takes too long."""

from __future__ import annotations

from collections.abc import Mapping

from ramiel_core.ir import Graph

Point = tuple[float, float]

SWEEPS = 4  # down and up; more changed nothing that one could see


def layered(graph: Graph, rank: Mapping[str, int], pitch: Point) -> dict[str, Point]:
    """Centre of each operator, one row a rank, each row ordered by where its neighbours stand.

    Good at chains and at narrow blocks of branches. Bad at long edges, which it leads straight
    through whatever stands between their ends.

    Parameters
    ----------
    graph : Graph
        To be drawn.
    rank : Mapping[str, int]
        Row of each operator.
    pitch : tuple of float
        Distance between columns and between rows, px.

    Returns
    -------
    dict[str, tuple of float]
        px, y downwards.
    """
    rows: list[list[str]] = [[] for _ in range(1 + max(rank.values(), default=-1))]
    for node in graph.nodes:
        rows[rank[node.name]].append(node.name)
    place = {name: float(i) for row in rows for i, name in enumerate(row)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = graph.producers if down else graph.consumers
        for row in rows if down else reversed(rows):
            _order(row, neighbours, place)
    return {name: (place[name] * pitch[0], rank[name] * pitch[1]) for name in place}


def _order(
    row: list[str], neighbours: Mapping[str, tuple[str, ...]], place: dict[str, float]
) -> None:
    """Sort one row by the mean place of its neighbours, and centre it on 0."""
    wanted = {
        name: sum(place[n] for n in neighbours[name]) / len(neighbours[name])
        if neighbours[name]
        else place[name]
        for name in row
    }
    row.sort(key=wanted.__getitem__)
    middle = (len(row) - 1) / 2
    for i, name in enumerate(row):
        place[name] = i - middle
