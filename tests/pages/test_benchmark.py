"""The page Benchmark: kernels, planner and run-time, and how near outputs are."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from streamlit.testing.v1 import AppTest

from ramiel_core import client, pipeline
from ramiel_core.ir import Job, Run
from ramiel_core.report import tuned
from ramiel_core.report.summarize import record, summarize
from ramiel_core.run import host, jobs
from tests.tunings import HOST, tuning

from .recorded import benchmark, ended_job
from .screen import button, texts

PAGE = "pages/benchmark.py"


def test_a_bookmark_holds_the_whole_configuration(visit):
    app = visit(PAGE, kernels="fused", planner="heft", runtime="threads", workers="2", threads="1")

    assert app.selectbox(key="bench-kernels").value == "fused"
    assert app.selectbox(key="bench-planner").value == "heft"
    assert app.session_state["bench-runtime"] == "threads"
    assert "Costs are those of eager kernels." in texts(app)


def test_a_choice_is_written_into_the_address(visit):
    app = visit(PAGE)
    assert app.selectbox(key="bench-kernels").value == "eager"
    assert app.selectbox(key="bench-planner").value == "ramiel"

    app.selectbox(key="bench-kernels").select("openvino").run()

    assert app.query_params["kernels"] == "openvino"
    assert "run by OpenVINO" in texts(app)


def test_settings_are_those_of_the_job_until_the_address_says_otherwise(visit, tmp_path):
    job_id = ended_job(tmp_path, {"kind": "cancelled"}, kernels="fused", planner="dsc")

    assert visit(PAGE, job=job_id).selectbox(key="bench-kernels").value == "fused"
    app = visit(PAGE, job=job_id, kernels="eager")
    assert app.selectbox(key="bench-kernels").value == "eager"
    assert app.selectbox(key="bench-planner").value == "dsc"


def test_auto_says_what_it_will_be_and_leaves_nothing_else_to_choose(visit):
    app = visit(PAGE, kernels="auto")
    assert "Where nothing was found yet, it tunes first" in texts(app)
    assert app.selectbox(key="bench-planner").disabled
    assert app.number_input(key="bench-threads").disabled

    tuned.save(pipeline.graph_of("googlenet"), host.identity(), tuning())

    said = texts(visit(PAGE, kernels="auto"))
    assert "auto: fused kernels, 2 workers × 1 thread, moldable plan, as the page Tune" in said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"planner": "moldable", "workers": "1"}, "with one worker there is nothing to share"),
        ({"planner": "heft", "workers": "1"}, "planner and run-time make no difference"),
        (
            {"runtime": "threads", "workers": "2", "kernels": "openvino"},
            "OpenVINO keeps threads of its own for each worker",
        ),
    ],
)
def test_settings_that_do_not_fit_get_a_sentence_and_run_all_the_same(visit, query, said):
    app = visit(PAGE, model="squeezenet1_0", **query)

    assert not app.exception
    assert said in texts(app)
    assert not button(app, "Run").disabled


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            {"model": "densenet121", "planner": "exact"},
            "takes sections of at most 80 operators, and densenet121 has one of 170",
        ),
        (
            {"model": "squeezenet1_0", "planner": "moldable", "kernels": "onnxruntime"},
            "which ONNX Runtime cannot: choose eager or fused kernels",
        ),
    ],
    ids=["too large", "one thread count"],
)
def test_a_planner_that_would_refuse_cannot_be_run(visit, query, said):
    app = visit(PAGE, **query)

    assert not app.exception
    assert said in texts(app)
    assert button(app, "Run").disabled


@pytest.mark.parametrize(
    ("kernels", "run", "said"),
    [
        ("eager", (True, 0.0, 0.0), "Bit for bit equal in 4 of 4 inferences."),
        (
            "fused",
            (True, 3e-7, 1e-4),
            "Within 0.0001 of eager in 4 of 4 inferences, largest difference 3e-07",
        ),
        ("fused", (False, 0.02, 1e-4), "by up to 0.02 of the largest output, where 0.0001 is"),
        ("eager", (False, 0.02, 0.0), "by up to 0.02 of the largest output: do not trust"),
    ],
)
def test_equality_is_told_as_far_as_it_goes(visit, tmp_path, kernels, run, said):
    graph = pipeline.graph_of("squeezenet1_0")
    plan, timeline = (
        pipeline.plan_of(graph, 2),
        pipeline.timeline_of(graph, pipeline.plan_of(graph, 2)),
    )
    equal, difference, tolerance = run
    runs = [
        Run(label, 1, 1, (8.0, 8.1), equal, difference, tolerance)
        for label in ("sequential", "parallel")
    ]
    job = Job("squeezenet1_0", kernels=kernels, workers=2)
    report = summarize(graph, plan, job, runs=runs, timelines=(timeline, timeline), host=HOST)
    event = {"kind": "report", "record": record(report)}

    app = visit(PAGE, model="squeezenet1_0", job=ended_job(tmp_path, event, model="squeezenet1_0"))

    assert not app.exception
    assert said in texts(app)


def test_shared_memory_is_told_with_and_without_using_it_again(visit, tmp_path):
    app = visit(PAGE, model="squeezenet1_0", job=benchmark(tmp_path))

    assert not app.exception
    assert "3.36 MB for values between workers; 12.2 MB if each had memory of its own" in texts(app)


def test_a_click_on_run_right_after_a_change_runs_what_is_shown(visit, monkeypatch):
    """Both reach the server before the page has been drawn with the change."""
    started = []
    monkeypatch.setattr(client, "start", lambda job: started.append(job) or "0" * 16)
    app = visit(PAGE, model="squeezenet1_0")

    app.number_input(key="bench-repeats").set_value(7)
    app.selectbox(key="bench-kernels").select("openvino")
    button(app, "Run").click().run()

    assert [(job.repeats, job.kernels) for job in started] == [(7, "openvino")]


def _clicked():
    from pages.common import live
    from ramiel_core.ir import Job

    live.start(Job("squeezenet1_0"))
    live.start(Job("squeezenet1_0"))
    live.start(Job("squeezenet1_0", repeats=7))


def test_a_second_click_on_run_before_the_page_has_met_the_first_starts_nothing(
    tmp_path, monkeypatch
):
    started = []

    def start(job):
        started.append(job.repeats)
        return ended_job(tmp_path / str(len(started)), **asdict(job))

    monkeypatch.setattr(client, "start", start)
    monkeypatch.setattr(jobs, "events", lambda _: [])  # it has only begun
    monkeypatch.setattr(jobs, "_jobs", lambda: tmp_path / str(len(started)) / "jobs")
    AppTest.from_function(_clicked).run()

    assert started == [Job("").repeats, 7]
