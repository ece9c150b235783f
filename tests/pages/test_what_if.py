"""The page What if: every assumption moves the prediction, stands in the address, and is told."""

from __future__ import annotations

import pytest

from .recorded import benchmark
from .screen import button, metrics, parts, texts

PAGE = "pages/what_if.py"
SMALL = {"model": "squeezenet1_0", "workers": "2"}
FIRST_CONV = "features_0"


def predicted(app):
    return float(metrics(app)["Prediction · flops"].removesuffix(" ms"))


def test_without_assumptions_it_is_the_plan_as_it_is(visit):
    app = visit(PAGE, **SMALL)

    assert not app.exception
    assert metrics(app)["Prediction · flops"] == metrics(app)["As it is, predicted"]
    assert metrics(app)["Last measured"] == "–"
    (chart,) = parts(app)["ramiel_gantt"]
    assert [shown["label"] for shown in chart["shown"]] == ["prediction, not run"]
    assert len(app.get("plotly_chart")) == 1


def test_each_slider_moves_the_prediction_and_stands_in_the_address(visit):
    app = visit(PAGE, **SMALL)
    usual = predicted(app)

    app.select_slider(key="what-if-threads").set_value(4).run()
    assert predicted(app) < usual
    fast = predicted(app)
    app.select_slider(key="what-if-latency").set_value(5000).run()
    app.select_slider(key="what-if-bandwidth").set_value(0.1).run()
    assert predicted(app) > fast
    app.slider(key="what-if-workers").set_value(1).run()
    assert app.metric[1].value == "1.00×"

    asked = app.query_params
    assert (asked["threads"], asked["latency"], asked["bandwidth"]) == ("4", "5000", "0.1")
    button(app, "Assume nothing").click().run()
    assert app.query_params == {"model": "squeezenet1_0", "workers": "1"}


def test_a_kind_of_operator_can_be_free(visit):
    app = visit(PAGE, **SMALL)

    app.selectbox(key="what-if-kind").select("conv2d").run()
    app.select_slider(key="what-if-scale-conv2d").set_value(0.0).run()

    assert app.query_params["scale"] == "conv2d:0"
    assert predicted(app) < 0.7 * float(metrics(app)["As it is, predicted"].removesuffix(" ms"))
    assert "Scaled: conv2d 0×" in texts(app)


def test_an_operator_is_pinned_and_let_go(visit):
    app = visit(PAGE, **SMALL)
    app.selectbox(key="what-if-operator").select(FIRST_CONV).run()
    app.selectbox(key="what-if-worker").select(2).run()

    button(app, "Pin").click().run()

    assert app.query_params["pin"] == f"{FIRST_CONV}:2"
    assert app.metric[1].delta == "3 workers with work"
    app.multiselect(key="what-if-pins").unselect(FIRST_CONV).run()
    assert "pin" not in app.query_params


def test_the_last_measurement_stands_beside_the_prediction(visit, tmp_path):
    benchmark(tmp_path)

    app = visit(PAGE, **SMALL)

    assert metrics(app)["Last measured"] == "8.10 ms"
    assert app.toggle(key="what-if-beside").value
    (chart,) = parts(app)["ramiel_gantt"]
    assert [shown["label"] for shown in chart["shown"]] == ["prediction, not run", "last measured"]


def test_equal_costs_have_no_sends_to_change_and_no_axis_with_what_was_measured(visit, tmp_path):
    benchmark(tmp_path)

    app = visit(PAGE, **SMALL, cost="unit")

    assert not app.exception
    assert "there is no latency to change" in texts(app)
    (chart,) = parts(app)["ramiel_gantt"]
    assert (len(chart["shown"]), chart["unit"]) == (1, "units")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"latency": "fast"}, "Latency is a number from 0 to 1000000, not &#x27;fast&#x27;"),
        ({"bandwidth": "0"}, "Bandwidth is a number from 0.001"),
        (
            {"scale": "<script>:2"},
            "No operator of squeezenet1_0 is of the kind &#x27;&lt;script&gt;&#x27;",
        ),
        ({"scale": "conv2d:nan"}, "Scale is a number from 0"),
        ({"pin": "<img src=x>:1"}, "There is no operator &#x27;&lt;img src=x&gt;&#x27;"),
        ({"pin": "x" * 500 + ":1"}, f"no operator &#x27;{'x' * 60}&#x27;"),
        ({"pin": f"{FIRST_CONV}:64"}, "numbered from 0 to 63"),
        ({"pin": f"{FIRST_CONV}:²"}, "numbered from 0 to 63"),
    ],
)
def test_a_wrong_address_gets_one_sentence_and_a_way_out(visit, query, said):
    app = visit(PAGE, **SMALL, **query)

    assert not app.exception
    assert said in texts(app)
    button(app, "Assume nothing").click().run()
    assert predicted(app)
