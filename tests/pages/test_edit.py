"""The page Edit: moving operators moves the prediction; plans are saved, loaded and refused."""

from __future__ import annotations

import json

import pytest

from ramiel_core import pipeline
from ramiel_core.ir import Plan
from ramiel_core.plan import saved

from .screen import button, metrics, texts

PAGE = "pages/edit.py"
SMALL = {"model": "squeezenet1_0", "workers": "2"}


@pytest.fixture
def graph():
    return pipeline.graph_of("squeezenet1_0")


def test_it_begins_at_the_planners_plan(visit):
    app = visit(PAGE, **SMALL)

    assert not app.exception
    assert metrics(app)["Predicted · flops"] == metrics(app)["The planner’s"]
    assert metrics(app)["Operators moved"] == "0"


def test_moving_operators_moves_the_prediction_and_can_be_undone(visit, graph):
    app = visit(PAGE, **SMALL)
    app.multiselect(key="edit-operators").select("features_0").select("features_1").run()
    app.selectbox(key="edit-target").select(2).run()

    button(app, "Move 2 operators").click().run()

    assert not app.exception
    assert metrics(app)["Operators moved"] == "2"
    assert app.metric[0].delta not in ("+0.00 %", "-0.00 %")
    worker_of = Plan(saved.kept(app.query_params["plan"], graph)).worker_of()
    assert worker_of["features_0"] == worker_of["features_1"] != worker_of["features_2"]
    again = visit(PAGE, **SMALL, plan=app.query_params["plan"])  # F5, or a bookmark
    assert metrics(again) == metrics(app)
    button(app, "Undo").click().run()
    assert metrics(app)["Operators moved"] == "0"


def test_a_second_click_on_undo_before_the_page_has_met_the_first_is_no_error(visit):
    app = visit(PAGE, **SMALL)
    app.multiselect(key="edit-operators").select("features_0").run()
    button(app, "Move 1 operator").click().run()
    app.session_state["edit-before"].clear()  # by the first

    button(app, "Undo").click().run()

    assert not app.exception


@pytest.mark.parametrize("planner", ["moldable", "exact"])
def test_a_planner_that_cannot_plan_this_graph_here_is_left_out(visit, planner):
    app = visit(PAGE, model="googlenet", planner=planner)

    assert not app.exception
    assert metrics(app)["Operators moved"] == "0"


def test_a_chain_and_all_that_a_worker_does_can_be_moved(visit, graph):
    app = visit(PAGE, **SMALL)
    app.session_state["edit-what"] = "worker"
    app.run()
    app.selectbox(key="edit-worker").select(1).run()

    next(b for b in app.button if b.label.startswith("Move ")).click().run()

    assert saved.kept(app.query_params["plan"], graph)
    assert app.metric[1].delta == "1 worker"
    app.session_state["edit-what"] = "chain"
    app.run()
    assert "operators" in app.selectbox(key="edit-chain").options[0]


def test_a_file_is_loaded_and_an_illegal_one_says_why(visit, graph):
    plan = pipeline.what_if(graph, 2, {"features_0": 2})
    text = saved.to_json(graph, plan)
    app = visit(PAGE, **SMALL)

    app.file_uploader(key="edit-file").set_value(("mine.json", text.encode(), "application/json"))
    app.run()

    assert saved.kept(app.query_params["plan"], graph) == plan.clusters
    wrong = json.loads(text)
    wrong["clusters"][0].append("<script>alert(1)</script>" + "n" * 500)
    app.file_uploader(key="edit-file").set_value(
        ("mine.json", json.dumps(wrong).encode(), "application/json")
    )
    app.run()
    assert "The plan names &#x27;&lt;script&gt;alert(1)&lt;/script&gt;nnn" in texts(app)
    assert saved.kept(app.query_params["plan"], graph) == plan.clusters


@pytest.mark.parametrize("name", ["0123456789abcdef", "../../etc/passwd", "<b>"])
def test_a_plan_that_is_gone_gets_one_sentence_and_a_way_out(visit, name):
    app = visit(PAGE, **SMALL, plan=name)

    assert not app.exception
    assert "There is no such plan any more" in texts(app)
    button(app, "Reset").click().run()
    assert metrics(app)["Operators moved"] == "0"
