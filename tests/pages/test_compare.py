"""The pages Compare and Export."""

from __future__ import annotations

import shutil

import pytest

from ramiel_core import client, pipeline
from ramiel_core.ir import Graph
from ramiel_core.plan import saved
from ramiel_core.plan.parts import in_parts
from tests.onnx_files import sound

from .recorded import benchmark
from .screen import button, metrics, texts

PAGE = "pages/compare.py"
SMALL = {"model": "squeezenet1_0"}


def test_two_plans_are_told_apart_by_what_moved(visit):
    app = visit(PAGE, **SMALL, a="ramiel:2", b="ramiel:1")

    assert not app.exception
    assert metrics(app)["Operators moved"] != "0"
    assert metrics(app)["B over A, predicted"].startswith("+")
    moved = app.dataframe[0].value
    assert list(moved["worker in B"]) == [0] * len(moved)
    assert "Not measured yet: A and B." in texts(app)


def test_a_plan_is_not_different_from_itself(visit):
    app = visit(PAGE, **SMALL, a="ramiel:2", b="ramiel:2")

    assert metrics(app)["Operators moved"] == "0"
    assert metrics(app)["B over A, predicted"] == "+0.00 %"


def test_the_choice_stands_in_the_address(visit):
    app = visit(PAGE, **SMALL)

    app.selectbox(key="compare-planner-B").select("dsc").run()
    app.number_input(key="compare-workers-A").set_value(3).run()

    assert (app.query_params["a"], app.query_params["b"]) == ("ramiel:3", "dsc:2")


def test_a_plan_by_hand_can_be_compared(visit):
    graph = pipeline.graph_of("squeezenet1_0")
    name = saved.keep(graph, pipeline.what_if(graph, 2, {"features_0": 2}))

    app = visit(PAGE, **SMALL, a="by hand:1", b="ramiel:2", plan=name)

    assert not app.exception
    assert app.selectbox(key="compare-planner-A").value == "by hand"
    assert "features_0" in set(app.dataframe[0].value["operator"])


def test_measured_medians_differ_by_so_much_within_an_interval(visit, tmp_path):
    benchmark(tmp_path)

    app = visit(PAGE, **SMALL, a="ramiel:2", b="ramiel:2")

    assert metrics(app)["A, measured"] == metrics(app)["B, measured"] == "8.10 ms"
    assert metrics(app)["B − A, medians"] == "+0.000 ms"
    assert "cannot be told apart" in texts(app)


def test_benchmarks_of_an_upload_are_found_by_its_name(visit, tmp_path, monkeypatch):
    """A graph has the name that people see, by which no job can be found or started."""
    model = pipeline.keep("small.onnx", memoryview(sound()))
    graph = pipeline.graph_of(model)
    benchmark(tmp_path, graph=graph, model=model)
    started = []
    monkeypatch.setattr(client, "start", lambda job: started.append(job.model) or "0" * 16)

    assert metrics(visit(PAGE, model=model, a="ramiel:2", b="ramiel:2"))["A, measured"] == "8.10 ms"
    assert metrics(visit("pages/what_if.py", model=model))["Last measured"] == "8.10 ms"
    assert "No benchmark of this model" not in texts(visit("pages/export.py", model=model))
    button(visit("pages/edit.py", model=model, workers="2"), "Run this plan").click().run()
    button(visit(PAGE, model=model, b="heft:3"), "Measure B").click().run()
    assert started == [model, model]


@pytest.mark.parametrize("text", ["best:2", "heft:0", "heft:65", "heft:²", "<b>", "x" * 500])
def test_a_wrong_plan_in_the_address_gets_one_sentence(visit, text):
    app = visit(PAGE, **SMALL, a=text)

    assert not app.exception
    assert "Plan A is a planner and 1 to 64 workers" in texts(app)


def test_everything_that_there_is_can_be_exported(visit, tmp_path):
    app = visit("pages/export.py", **SMALL)
    assert not app.exception
    assert "No benchmark of this model is kept" in texts(app)

    benchmark(tmp_path)
    app = visit("pages/export.py", **SMALL)

    labels = [found.proto.label for found in app.get("download_button")]
    assert labels == [
        "Graph, JSON", "Operators, CSV", "Picture, SVG", "Picture, PNG", "Picture, DOT",
        "Plan, JSON", "Program, Python", "Predicted trace",
        "Report, HTML", "Trace", "Results, JSON", "Operators measured, CSV",
    ]  # fmt: skip


def test_operators_of_another_graph_are_not_exported_one_by_one(visit, tmp_path):
    """By fused kernels the operators are others, with parts there are more of them."""
    graph = pipeline.graph_of("squeezenet1_0")
    cut = in_parts(graph, {"features_2": 2})
    fused = Graph(graph.nodes[:9], graph.inputs, (graph.nodes[8].name,), model=graph.model)
    found = {}
    for name, of in (("parts", cut), ("fused", fused)):
        benchmark(tmp_path / name, graph=of)
        shutil.copytree(tmp_path / name / "jobs", tmp_path / "jobs", dirs_exist_ok=True)
        app = visit("pages/export.py", **SMALL)
        found[name] = [b.proto.label for b in app.get("download_button")]

    assert "Operators measured, CSV" in found["parts"]
    assert found["fused"][-1] == "Results, JSON"
