"""Each page alone, as a bookmark or a mistyped address opens it."""

from __future__ import annotations

import json

import pytest

from ramiel_core.plan.planner import PLANNERS

from .recorded import ended_job
from .screen import button, metrics, parts, program, tables, texts

PAGES = (
    "app.py",
    "pages/graph.py",
    "pages/rewrites.py",
    "pages/merging.py",
    "pages/planners.py",
    "pages/what_if.py",
    "pages/edit.py",
    "pages/compare.py",
    "pages/code.py",
    "pages/benchmark.py",
    "pages/tune.py",
    "pages/export.py",
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_first_without_any_parameter(visit, page):
    app = visit(page)

    assert not app.exception
    assert app.title[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_first_by_a_deep_link(visit, page):
    app = visit(page, model="squeezenet1_0", cost="unit", workers="2")

    assert not app.exception
    assert "rv-error" not in texts(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_mistyped_model_gets_one_sentence_and_a_suggestion(visit, page):
    app = visit(page, model="gogglenet")

    assert not app.exception
    assert "There is no torchvision classification model called" in texts(app)
    assert "Did you mean googlenet" in texts(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_hostile_model_name_stays_text(visit, page):
    app = visit(page, model="<img src=http://evil.example/x onerror=alert(1)>![](http://evil/y)")

    assert not app.exception
    assert "&lt;img src=http://evil.example/x" in texts(app)
    assert "<img" not in texts(app)
    assert not any("evil" in element.value for element in app.markdown)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"cost": "guessed"}, "choose unit, flops, measured"),
        ({"workers": "0"}, "whole number from 1 to"),
        ({"workers": "-3"}, "whole number from 1 to"),
        ({"workers": "many"}, "whole number from 1 to"),
        ({"workers": "9" * 5000}, "whole number from 1 to"),
        ({"threads": "0"}, "Threads is a whole number from 1 to 64"),
        (
            {"kernels": "<b>"},
            "Kernels is one of eager, fused, onednn, inductor, onnxruntime, openvino, auto",
        ),
        ({"planner": "best"}, "Planner is one of ramiel"),
        ({"runtime": "gpu"}, "Runtime is one of processes, threads"),
    ],
)
def test_an_impossible_setting_gets_one_sentence(visit, query, said):
    app = visit("pages/graph.py", **query)

    assert not app.exception
    assert said in texts(app)


def test_measured_costs_that_nobody_measured_can_be_measured_at_once(visit):
    app = visit("pages/graph.py", cost="measured")

    assert not app.exception
    assert "The operators of googlenet were never measured on this host." in texts(app)
    assert button(app, "Measure on this host")


def test_the_start_page_shows_what_planning_found(visit):
    app = visit("app.py", model="googlenet")

    shown = metrics(app)
    assert ">197 operators, 6.62 M parameters, 3.00 GFLOP" in texts(app)
    assert shown["Chains → clusters"] == "28 → 4"
    assert shown["Parallelism · flops"].endswith("×")


def test_costs_are_always_named_and_have_a_unit(visit):
    assert metrics(visit("app.py", cost="unit"))["T1, all the work · unit"] == "197 units"
    assert metrics(visit("app.py"))["T1, all the work · flops"].endswith(" ms")


def test_a_family_narrows_the_list(visit):
    app = visit("app.py")

    app.selectbox(key="family").select("DenseNet").run()

    assert app.query_params["model"] == "densenet121"
    assert "densenet121 is one chain" in texts(app)
    names = app.selectbox(key="model-of-family").options
    assert len(names) == 4


def test_the_model_list_goes_on_to_another_model(visit):
    app = visit("app.py")

    app.selectbox(key="model-of-all").select("resnet50").run()

    assert app.query_params["model"] == "resnet50"
    assert metrics(app)["Chains → clusters"] == "5 → 2"


def test_the_player_gets_every_step_at_once_and_starts_where_the_address_says(visit):
    sent = parts(visit("pages/merging.py", model="squeezenet1_0", step="3"))

    (playback,) = [value for value in sent["ramiel_shelf"] if "steps" in value["value"]]
    assert len(playback["value"]["steps"]["kept"]) == 7
    assert playback["value"]["clusters"] == [*range(10), 8, 7, 6, 5, 4, 3, 2]
    assert sent["ramiel_graph"][0]["frame"]["value"] == 9 + 3


def test_merging_a_single_chain_says_that_there_is_nothing_to_merge(visit):
    app = visit("pages/merging.py", model="densenet121")

    assert "one single chain of 431 operators" in texts(app)
    assert "ramiel_graph" not in parts(app)


def test_merging_without_a_possible_step_says_so(visit):
    app = visit("pages/merging.py", model="vit_b_16", constants="off")

    assert not app.exception
    assert "there is no step to show" in texts(app)


@pytest.mark.parametrize(
    ("query", "frame"),
    [
        ({"step": "-1"}, 9),
        ({"step": "999999999"}, 16),
        ({"step": "two"}, 9),
        ({"step": "9" * 5000}, 9),
        ({"chain": "4"}, 4),
        ({"chain": "999"}, 9),
    ],
)
def test_a_step_beyond_the_ends_is_the_nearest_that_exists(visit, query, frame):
    app = visit("pages/merging.py", model="squeezenet1_0", **query)

    assert not app.exception
    assert parts(app)["ramiel_graph"][0]["frame"]["value"] == frame


def test_an_operator_of_the_address_shows_its_details(visit):
    app = visit("pages/graph.py", model="googlenet", operator="inception3a_branch1_conv")

    assert "inception3a_branch1_conv" in texts(app)
    assert "Share of T1" in texts(app)


def test_an_operator_selected_elsewhere_comes_first_in_the_list_and_its_bar_is_named(visit):
    app = visit("pages/graph.py", model="squeezenet1_0", operator="features_12_squeeze")
    app.session_state["table-open"] = app.session_state["costs-open"] = True
    app.run()

    names = list(app.dataframe[0].value["operator"])
    assert names[:2] == ["features_12_squeeze", "features_0"]
    assert len(names) == 66
    (figure,) = (json.loads(chart.proto.spec) for chart in app.get("plotly_chart"))
    (note,) = figure["layout"]["annotations"]
    assert note["text"] == "features_12_squeeze"
    assert note["y"] > 0


def test_an_operator_that_is_not_in_the_graph_shows_the_empty_panel(visit):
    app = visit("pages/graph.py", model="googlenet", operator="<b>no</b>")

    assert not app.exception
    assert "No operator chosen" in app.markdown[0].value


def test_the_code_page_shows_each_cluster_and_the_whole(visit):
    app = visit("pages/code.py", model="squeezenet1_0", workers="2")
    assert "def cluster_1(" in program(app)

    assert "197" not in texts(app)
    part = visit("pages/code.py", model="squeezenet1_0", workers="2", part="1")
    assert program(part).startswith("def cluster_1(")
    alone = visit("pages/code.py", model="squeezenet1_0", workers="2", part="sequential")
    assert "66 operators on 1 worker" in program(alone)


@pytest.mark.parametrize("page", ["pages/benchmark.py", "pages/tune.py"])
@pytest.mark.parametrize("job", ["0123456789abcdef", "../../etc/passwd", "<b>", ""])
def test_a_job_that_is_gone_gets_one_sentence(visit, page, job):
    app = visit(page, job=job)

    assert not app.exception
    assert "There is no such benchmark any more" in texts(app)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"kind": "error", "message": "cluster 1 was killed."}, "Cluster 1 was killed."),
        ({"kind": "cancelled"}, "was cancelled"),
    ],
)
def test_a_job_that_ended_without_a_result_says_why(visit, tmp_path, event, said):
    app = visit("pages/benchmark.py", job=ended_job(tmp_path, event))

    assert not app.exception
    assert said in texts(app)


def test_settings_are_those_of_the_job_that_the_address_names(visit, tmp_path):
    app = visit("pages/benchmark.py", job=ended_job(tmp_path, {"kind": "cancelled"}, repeats=7))

    assert app.number_input(key="bench-repeats").value == 7
    assert app.number_input(key="bench-threads").value == 1
    assert not app.warning


def test_workers_beyond_the_cores_warn_before_running(visit, monkeypatch):
    from ramiel_core.run import host

    monkeypatch.setattr(host, "cores", lambda: (0, 1))
    assert "8 workers on 2 cores" in texts(visit("pages/benchmark.py", workers="8"))
    app = visit("pages/benchmark.py", workers="2")
    assert "rv-warning" not in texts(app)

    app.number_input(key="bench-threads").set_value(2).run()

    assert "Oversubscribed: 2 workers × 2 threads on 2 cores" in texts(app)
    assert not button(app, "Run").disabled


def test_every_planner_is_compared_on_the_same_graph(visit, monkeypatch):
    from ramiel_core.run import host

    monkeypatch.setattr(host, "cores", lambda: (0, 1))
    app = visit("pages/planners.py", model="squeezenet1_0", workers="2")
    rows = {row["Planner"]: row for row in tables(app)[0]}

    assert list(rows) == [*PLANNERS, "moldable"]
    spans = {name: float(row["Makespan, ms"]) for name, row in rows.items()}
    assert spans.pop("moldable") < min(spans.values()) == spans["exact"]
    assert "With several, moldable takes" in texts(app)
    assert (
        rows["moldable"]["Remark"]
        == "66 of 66 operators with 2 threads, their costs by Amdahl’s law"
    )
    assert rows["exact"]["Remark"] == "proved optimal"
    assert "cost model “flops”" in texts(app)
    assert all(planner.says.split(",")[0] in texts(app) for planner in PLANNERS.values())


def test_a_graph_too_large_for_the_exact_planner_is_said_to_be_so(visit):
    app = visit("pages/planners.py", model="densenet121", cost="unit")
    rows = {row["Planner"]: row for row in tables(app)[0]}

    assert rows["exact"]["Remark"] == "not tried: a section of 170 operators"
    assert rows["moldable"]["Remark"] == "not tried: equal costs do not know of threads"
    assert rows["heft"]["Makespan, units"] == "431.000"
    assert "All planners agree: 431 units" in texts(app)
