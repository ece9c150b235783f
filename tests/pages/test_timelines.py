"""A benchmark's timelines on the page Benchmark: critical paths, recalibration, downloads."""

from __future__ import annotations

import pytest

from pages.common.timelines import agreement
from ramiel_core import outcomes, pipeline
from ramiel_core.graph import cost_cache
from ramiel_core.graph.costs import Measured, SendLine
from ramiel_core.report.critical import Difference
from ramiel_core.report.summarize import report_from
from ramiel_core.run import host, jobs
from tests.onnx_files import sound

from .recorded import benchmark
from .screen import button, metrics, texts

PAGE = "pages/benchmark.py"
LINE = SendLine(0.01, 1e7, 0.001)


def open_result(visit, folder, **settings):
    app = visit(PAGE, model="squeezenet1_0", job=benchmark(folder, **settings))
    assert not app.exception
    return app


def test_the_critical_path_is_told_by_what_it_was_spent_on(visit, tmp_path):
    app = open_result(visit, tmp_path)

    spent = [metrics(app)[f"Critical path: {kind}"] for kind in ("compute", "copy", "wait")]
    total = sum(float(ms.removesuffix(" ms")) for ms in spent)
    plan = pipeline.plan_of(pipeline.graph_of("squeezenet1_0"), 2)
    assert total == pytest.approx(plan.makespan_ms, rel=0.02)
    assert "The critical path came as predicted" in texts(app)


def test_where_the_paths_differ_operators_are_named():
    found = [Difference(f"op{i}", 1.0, 2.0, i < 6, i > 4) for i in range(8)]

    said = agreement(tuple(found))

    assert said.startswith("1 operator on the critical path as predicted.")
    assert "were not: op0, op1, op2 and 2 more. On it instead: op6, op7." in said


def test_recalibrating_keeps_the_costs_of_the_benchmark_and_plans_with_them(visit, tmp_path):
    graph = pipeline.graph_of("squeezenet1_0")
    once = dict.fromkeys(graph.index, 1.0)
    cost_cache.save(graph, host.identity(), 1, Measured(once, LINE))
    app = open_result(visit, tmp_path)

    button(app, "Recalibrate").click().run()

    assert not app.exception
    assert app.query_params["cost"] == "measured"
    assert "66 operators recalibrated, and planned again for 2 workers: predicted" in texts(app)
    weighed = pipeline.graph_of("squeezenet1_0", cost="measured")
    assert [n.cost_ms for n in weighed.nodes] == pytest.approx(
        [n.cost_ms for n in graph.nodes], abs=2e-4
    )
    assert pipeline.line_of(weighed) == LINE


def test_a_benchmark_of_an_upload_recalibrates_and_knows_its_graph(visit, tmp_path):
    model = pipeline.keep("small.onnx", memoryview(sound()))
    graph = pipeline.graph_of(model)
    once = dict.fromkeys(graph.index, 1.0)
    cost_cache.save(graph, host.identity(), 1, Measured(once, LINE))
    app = visit(PAGE, model=model, job=benchmark(tmp_path, graph=graph, model=model))
    (record,) = (said for _, said in jobs.reports(model))

    button(app, "Recalibrate").click().run()

    assert "4 operators recalibrated" in texts(app)
    assert outcomes.graph_of_report(report_from(record)).edges == graph.edges


def test_operators_of_other_kernels_are_refused_in_a_sentence(visit, tmp_path):
    app = open_result(visit, tmp_path, kernels="fused")

    button(app, "Recalibrate").click().run()

    assert not app.exception
    assert "Only eager kernels at one thread count run the operators" in texts(app)
    assert "cost" not in app.query_params


def test_costs_of_a_model_never_measured_here_are_refused(visit, tmp_path):
    app = open_result(visit, tmp_path)

    button(app, "Recalibrate").click().run()

    assert "Squeezenet1_0 was never measured on this host with 1 threads" in texts(app)
