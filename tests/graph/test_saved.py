"""Graphs as JSON and back, operators as CSV."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings

from ramiel_core import pipeline
from ramiel_core.errors import GraphError
from ramiel_core.graph.saved import from_json, operators_csv, to_json
from ramiel_core.ir import Bar, Graph, OpNode, Plan, Timeline
from tests.graphs import graphs

HOSTILE = '=cmd|"a",<script>x()</script>\n;' + "n" * 500


@settings(max_examples=40)
@given(graphs())
def test_a_graph_comes_back_as_it_was(graph: Graph):
    assert from_json(to_json(graph)) == graph


def test_shapes_inputs_and_tuples_come_back():
    graph = pipeline.graph_of("squeezenet1_0")

    assert from_json(to_json(graph)) == graph
    assert from_json(to_json(graph)).fingerprint == graph.fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no graph that Ramiel saved"),
        ("[]", "no graph that Ramiel saved"),
        ('{"format": "onnx"}', "this is no 'ramiel graph 1'"),
        ('{"format": "ramiel graph 1"}', "no graph that Ramiel saved .KeyError"),
    ],
)
def test_what_is_no_graph_is_refused_in_a_sentence(text: str, said: str):
    with pytest.raises(GraphError, match=said):
        from_json(text)


def test_a_graph_that_contradicts_itself_is_refused():
    text = json.loads(to_json(Graph.parse("a:1 b:1<a")))
    text["nodes"].reverse()

    with pytest.raises(GraphError, match="which no earlier operator makes"):
        from_json(json.dumps(text))


def test_each_operator_is_a_line_whatever_its_name_holds():
    graph = Graph(
        (OpNode(HOSTILE, "op", (), 1.5, 0.5, module=HOSTILE), OpNode("b", "op", (HOSTILE,)))
    )
    plan = Plan(((HOSTILE,), ("b",)), critical_path=("b",))
    measured = Timeline((Bar(1, "b", "compute", 1.0, 3.0), Bar(1, "b", "copy", 3.0, 9.0)), 9.0)

    first, second = csv.DictReader(io.StringIO(operators_csv(graph, plan, measured)))

    assert (first["operator"], first["module"], first["cost_ms"]) == (HOSTILE, HOSTILE, "1.5")
    assert (first["worker"], first["critical"], first["measured_ms"]) == ("0", "0", "")
    assert (second["worker"], second["critical"], second["measured_ms"]) == ("1", "1", "2")
    assert second["reads"] == HOSTILE
