from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

import pygraphviz
import pytest

from ramiel_core.errors import GraphError
from ramiel_core.ir import Graph
from ramiel_core.view import dag, palette
from ramiel_core.view.layout import Layout, lay_out

Zoo = Callable[[str], Graph]

DIAMOND = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")
CLUSTERS = {0: ("a", "b", "d"), 3: ("c",)}
CRITICAL = ("a", "b", "d")


class Tags(HTMLParser):
    """The elements that a browser would make of a page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


@cache
def places() -> Layout:
    """Of the diamond, by a Graphviz process that takes longer to start than to lay it out."""
    return lay_out(DIAMOND)


def diamond() -> dag.Network:
    return dag.network(DIAMOND, CLUSTERS, CRITICAL, places())


def test_fill_is_the_cluster_and_border_the_critical_path():
    nodes = {node["id"]: node for node in diamond().nodes}

    assert nodes["c"]["color"]["background"] == palette.fill(3)
    assert nodes["c"]["label"] == "c\nop · cluster 3"
    assert nodes["c"]["borderWidth"] == 1
    assert nodes["b"]["borderWidth"] == 3
    assert nodes["b"]["color"]["border"] == palette.CRITICAL


def test_edges_on_the_critical_path_are_wide_and_edges_between_clusters_are_marked():
    edges = {(edge["from"], edge["to"]): edge for edge in diamond().edges}

    assert [e for e in edges if edges[e]["critical"]] == [("a", "b"), ("b", "d")]
    assert [e for e in edges if edges[e]["crosses"]] == [("a", "c"), ("c", "d")]
    assert edges["a", "b"]["width"] > edges["a", "c"]["width"]


def test_the_title_names_cost_model_shape_and_cluster(zoo_graph: Zoo):
    graph = zoo_graph("googlenet")

    title = dag.title(graph, graph["conv1_conv"], 2).split("\n")

    assert title == [
        "operator: conv1_conv",
        "kind: conv2d",
        "module: conv1.conv",
        "output: float32[1×64×112×112]",
        "cost: 0 ms (unit cost model)",
        "output size: 3,211,264 bytes",
        "reads: 639,744 bytes",
        "parameters: 9,408",
        "work: 236,027,904 flops",
        "cluster: 2",
    ]


def test_positions_are_fixed_and_nothing_moves():
    drawing = diamond()

    assert {n["id"]: (n["x"], n["y"]) for n in drawing.nodes} == places().positions
    assert drawing.options["physics"] == {"enabled": False}


def test_an_operator_in_no_cluster_is_grey_and_says_so():
    drawing = dag.network(DIAMOND, {}, (), places())

    assert drawing.nodes[0]["label"] == "a\nop · no cluster"


@pytest.mark.parametrize("model", ["googlenet", "densenet121"])
def test_the_svg_shows_every_operator(model: str, zoo_graph: Zoo):
    graph = zoo_graph(model)

    picture = ET.fromstring(dag.svg(graph, {0: tuple(graph.index)}, ()))

    classes = [group.get("class") for group in picture.iter("{http://www.w3.org/2000/svg}g")]
    assert classes.count("node") == len(graph)


def test_the_svg_of_densenet_says_which_edges_it_leaves_out(zoo_graph: Zoo):
    picture = dag.svg(zoo_graph("densenet121"), {}, ())

    assert "431 operators, 965 edges; 535 edges that other paths imply are not drawn" in picture


def test_an_svg_past_its_time_limit_is_an_error_not_another_picture():
    with pytest.raises(GraphError, match=r"Graphviz took longer than 0\.01 s"):
        dag.svg(DIAMOND, CLUSTERS, CRITICAL, time_limit_s=0.01)


def test_the_dot_text_is_read_back_with_every_name_as_it_was(hostile_graph: Graph):
    names = tuple(hostile_graph.index)
    text = dag.dot_text(hostile_graph, {0: names}, names)
    read = pygraphviz.AGraph(string=text)

    assert len(read.nodes()) == len(names)
    assert len(read.edges()) == len(names) - 1
    assert all(not node.attr["label"].startswith("<<") for node in read.nodes())


def test_hostile_names_are_text_in_the_svg(hostile_graph: Graph):
    picture = ET.fromstring(dag.svg(hostile_graph, {}, ()))

    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert set(hostile_graph.index) <= set(texts)
    assert {element.tag.rpartition("}")[2] for element in picture.iter()} == {
        *("svg", "desc", "g", "title", "path", "polygon", "text")
    }


def test_hostile_names_are_text_in_the_page(hostile_graph: Graph):
    drawing = dag.network(hostile_graph, {}, (), lay_out(hostile_graph))
    page = dag.standalone_html(drawing)

    seen = Tags()
    seen.feed(page)
    assert set(seen.tags) == {
        *("html", "head", "meta", "style", "script", "center", "h1", "body", "div")
    }
    assert seen.tags.count("script") == 3  # pyvis's helpers, vis-network, this graph
    assert "popup.innerHTML" not in page  # pyvis writes titles with "href" into the page so


def test_the_page_asks_nobody_for_anything():
    page = dag.standalone_html(diamond())

    assert re.findall(r"<[^>]*\b(?:src|href)\s*=", page) == []
    assert "default-src 'none'" in page
    assert "sourceMappingURL" not in page
