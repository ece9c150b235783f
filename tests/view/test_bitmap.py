from __future__ import annotations

from ramiel_core.ir import Graph
from ramiel_core.view.bitmap import png

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_graph_of_hostile_names_becomes_a_picture(hostile_graph: Graph):
    picture = png(hostile_graph, {0: tuple(hostile_graph.index)}, tuple(hostile_graph.index)[:2])

    assert picture.startswith(PNG)
    assert len(picture) > 1000
