"""What becomes of a benchmark's record: its costs, as those to plan with from now on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ramiel_core import outcomes, pipeline
from ramiel_core.graph import cost_cache
from ramiel_core.graph.costs import Measured, SendLine
from ramiel_core.ir import Graph, Job, Run
from ramiel_core.plan.parts import in_parts
from ramiel_core.report.summarize import record, report_from, summarize
from ramiel_core.run import host

MODEL = "squeezenet1_0"
KNOWN = {"share": 0.1, "crowd": 2}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return pipeline.graph_of(MODEL)


def crowded(graph: Graph, share: float, crowd: int) -> Graph:
    nodes = tuple(replace(node, crowding=share) for node in graph.nodes)
    return replace(graph, nodes=nodes, crowd=crowd)


def recorded(graph: Graph) -> dict[str, Any]:
    """The record of a benchmark whose rounds found the costs of `graph`, read back from disk."""
    plan = pipeline.plan_of(graph, 2)
    timeline = pipeline.timeline_of(graph, plan)
    runs = [Run(label, 1, 1, (9.0, 9.2), True, 0.0) for label in ("sequential", "parallel")]
    facts = {"cores": 2, "load_1min": 0.1}
    job = Job(MODEL, workers=2)
    report = summarize(graph, plan, job, runs=runs, timelines=(timeline, timeline), host=facts)
    return json.loads(json.dumps(record(report)))


def known_before(graph: Graph) -> None:
    share = dict.fromkeys(graph.index, KNOWN["share"])
    found = Measured(dict.fromkeys(graph.index, 1.0), SendLine(), share, KNOWN["crowd"])
    cost_cache.save(graph, host.identity(), 1, found)


def test_recalibrating_takes_the_contention_of_the_rounds(graph: Graph):
    known_before(graph)

    found = outcomes.recalibrate(report_from(recorded(crowded(graph, 0.4, 4))))

    assert found == pipeline.graph_of(MODEL, cost="measured")
    assert {node.crowding for node in found.nodes} == {0.4}
    assert found.crowd == 4
    assert [n.cost_ms for n in found.nodes] == [n.cost_ms for n in graph.nodes]


def test_costs_of_parts_add_up_to_those_of_their_operator(graph: Graph):
    known_before(graph)
    cut = in_parts(graph, {"features_2": 2})
    found = recorded(cut)

    assert found["split"] == {"features_2": 2}
    assert found["operators"] == len(graph)
    assert outcomes.graph_of_report(report_from(found)).parts == cut.parts
    now = outcomes.recalibrate(report_from(found))
    assert [n.cost_ms for n in now.nodes] == pytest.approx([n.cost_ms for n in graph.nodes])
    assert now == pipeline.graph_of(MODEL, cost="measured")


def test_an_older_record_leaves_the_contention_that_was_known(graph: Graph):
    known_before(graph)
    old = recorded(crowded(graph, 0.4, 4))
    del old["crowding"], old["crowd"]

    found = outcomes.recalibrate(report_from(old))

    assert {node.crowding for node in found.nodes} == {KNOWN["share"]}
    assert found.crowd == KNOWN["crowd"]
