from __future__ import annotations

import json
from dataclasses import replace

from ramiel_core.ir import Graph
from ramiel_core.plan.distance import distance_to_end, slack
from ramiel_core.plan.planner import make_plan
from ramiel_core.view import dag, palette, scene
from ramiel_core.view.collapse import collapse, hierarchy
from ramiel_core.view.layout import lay_out
from ramiel_core.view.listing import listing
from ramiel_core.view.operators import costs, table
from ramiel_core.view.playback import playback
from tests.graphs import SHAPES

DIAMOND = Graph.parse("a:1 b:5<a c:2<a d:1<b,c")
CLUSTERS = {0: ("a", "b", "d"), 3: ("c",)}


def facts(graph: Graph, error=None) -> scene.Part:
    return scene.facts(graph, ("a", "b", "d"), slack(graph), error)


def shape(graph: Graph, by=None) -> scene.Part:
    boxes = collapse(graph, hierarchy(graph, by, CLUSTERS))
    drawing = dag.network(boxes.graph, {}, (), lay_out(boxes.graph))
    return scene.shape(drawing, boxes, graph.index)


def test_facts_are_columns_with_a_scale_for_each_amount():
    value = facts(DIAMOND).value

    assert json.loads(json.dumps(value)) == value
    assert value["critical"] == [0, 1, 3]
    assert value["values"]["slack"] == [0, 0, 3, 0]
    assert [(s["key"], s["unit"]) for s in value["scales"]] == [
        ("cost", "units"),
        ("slack", "units"),
    ]
    assert all(len(s["fills"]) == len(s["edges"]) + 1 for s in value["scales"])


def test_errors_are_there_only_where_costs_were_measured():
    error = dict.fromkeys("abcd", 25.0)

    assert "error" not in facts(DIAMOND).value["values"]
    assert facts(DIAMOND, error).value["values"]["error"] == [25.0] * 4
    assert facts(DIAMOND, error).value["scales"][-1]["unit"] == "%"


def test_a_part_is_named_by_its_content():
    assert facts(DIAMOND).key == facts(DIAMOND).key
    assert shape(DIAMOND).key != shape(DIAMOND, "cluster").key


def test_a_shape_holds_every_operator_in_a_box_and_a_route_for_every_edge():
    value = shape(DIAMOND, "cluster").value

    assert [box["members"] for box in value["boxes"]] == [[0, 1], [2], [3]]
    assert [box["label"] for box in value["boxes"]] == ["cluster 0", None, None]
    assert [(a, b) for a, b, _, _ in value["edges"]] == [(0, 1), (0, 2), (1, 2)]
    assert all(len(route) % 6 == 2 for *_, route in value["edges"])


def test_paint_says_who_does_what_and_has_every_colour_that_is_needed():
    paint = scene.paint(DIAMOND, CLUSTERS, {"a": 0, "b": 1, "c": 1, "d": 1}, ["op"])

    assert paint["cluster"] == [0, 0, 3, 0]
    assert paint["worker"] == [0, 1, 1, 1]
    assert paint["fills"]["3"] == [palette.fill(3), palette.text_on(palette.fill(3))]
    assert set(paint["fills"]) == {"0", "1", "3"}


def test_the_playback_has_a_value_for_every_frame():
    graph = Graph.parse(SHAPES["inception"])
    plan = make_plan(graph)
    value = playback(graph, plan, distance_to_end(graph), 30.0).value

    frames = len(plan.linear) + 1 + len(plan.steps)
    assert [len(value[key]) for key in ("makespan", "cut", "clusters")] == [frames] * 3
    assert value["clusters"] == [*range(len(plan.linear) + 1), *(s.clusters for s in plan.steps)]
    assert value["makespan"][len(plan.linear)] == 30.0
    chain = [graph.index[name] for name in plan.linear[0]]
    assert {value["chain"][i] for i in chain} == {0}
    cut = sum(
        value["chain"][graph.index[a]] != value["chain"][graph.index[b]] for a, b in graph.edges
    )
    assert value["cut"][len(plan.linear)] == cut


def test_lines_of_a_program_know_their_operators():
    source = (
        "def cluster_0(w, receive, send, shared):\n"
        '    """Two."""\n'
        '    a = receive("a")  # from cluster 1\n'
        "    b = F.relu(\n"
        "        a,\n"
        "    )\n"
        '    send("b", b)\n'
        "    del a, b\n"
    )
    lines = listing(source, {"a", "b"}).value["lines"]

    assert [line[0] for line in lines] == [None, None, "a", "b", None, None, "b", None]
    assert "\n".join("".join(line[2::2]) for line in lines) + "\n" == source
    assert lines[0][1:5] == ["keyword", "def", "", " "]
    assert lines[2][-2:] == ["comment", "# from cluster 1"]


def test_chart_and_table_have_every_operator_in_order():
    figure = costs(DIAMOND, CLUSTERS)
    rows = table(DIAMOND, CLUSTERS, [0, 1, 1, 1], [0.0, 0.0, 3.0, 0.0], ("a", "b", "d"))

    assert [name for name, *_ in figure.data[0].customdata] == ["a", "b", "c", "d"]
    assert figure.data[0].marker.color[2] == palette.fill(3)
    assert rows[2] == {
        "operator": "c", "kind": "op", "module": "", "cost, units": 2.0, "share, %": 22.22,
        "slack, units": 3.0, "critical": False, "cluster": 3, "worker": 1, "parameters": 0,
    }  # fmt: skip


def test_a_hostile_name_is_text_in_the_chart():
    name = "<a href='x'>"
    graph = replace(DIAMOND, nodes=(replace(DIAMOND.nodes[0], name=name),), outputs=(name,))

    assert costs(graph, {}).data[0].customdata[0][0] == "&lt;a href='x'&gt;"
