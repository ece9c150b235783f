"""The page Tune, from recorded events."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from ramiel_core import client, pipeline
from ramiel_core.report import tuned
from ramiel_core.run import host, jobs
from tests.onnx_files import sound
from tests.tunings import ROWS, tuning

from .recorded import ended_job
from .screen import button, tables, texts


def ended_tuning(folder, *events, **settings):
    return ended_job(folder, *events, task="tune", budget_s=20.0, **settings)


def leaderboard(app):
    return tables(app)[0]


def test_a_tuning_shows_its_winner_and_everybody_else(visit, tmp_path):
    app = visit("pages/tune.py", job=ended_tuning(tmp_path, {"kind": "tuned", "record": tuning()}))

    assert not app.exception
    assert "googlenet runs fastest here with fused kernels" in texts(app)
    assert "3.89× as fast as eager on one thread" in texts(app)
    rows = leaderboard(app)
    assert len(rows) == len(ROWS)
    assert [row["State"] for row in rows[:3]] == [
        "fastest",
        "as fast, within noise",
        "in the race to the end",
    ]
    assert rows[0]["Memory, MB"] == "210"
    assert rows[-1]["State"] == "failed: see below"
    assert "No such &lt;b&gt;operator&lt;/b&gt;" in texts(app)
    assert len(app.get("plotly_chart")) == 2
    assert app.number_input(key="tune-budget").value == 20


def test_the_winner_can_be_benchmarked(visit, tmp_path):
    app = visit("pages/tune.py", job=ended_tuning(tmp_path, {"kind": "tuned", "record": tuning()}))

    links = {link.proto.label: link.proto.query_string for link in app.get("page_link")}
    asked = dict(pair.split("=") for pair in links["Benchmark this configuration"].split("&"))
    assert asked == {
        "model": "googlenet",
        "kernels": "fused",
        "planner": "moldable",
        "runtime": "processes",
        "workers": "2",
        "threads": "1",
    }
    there = visit("pages/benchmark.py", **asked)
    assert there.selectbox(key="bench-kernels").value == "fused"
    assert there.selectbox(key="bench-planner").value == "moldable"
    assert there.selectbox(key="bench-workers").value == 2


def test_the_winner_of_an_uploaded_model_is_benchmarked_by_the_name_of_the_upload(visit, tmp_path):
    """Its record has the name that people see, which an address cannot find it by."""
    model = pipeline.keep("four.onnx", memoryview(sound()))
    event = {"kind": "tuned", "record": tuning(model="four.onnx")}
    app = visit("pages/tune.py", model=model, job=ended_tuning(tmp_path, event, model=model))

    links = {link.proto.label: link.proto.query_string for link in app.get("page_link")}
    assert parse_qs(links["Benchmark this configuration"])["model"] == [model]


def test_what_was_found_before_is_shown_at_once(visit):
    graph = pipeline.graph_of("googlenet")
    tuned.save(graph, host.identity(), tuning())

    app = visit("pages/tune.py", model="googlenet")

    assert "Found on 20" in texts(app)
    assert "for this model on A Processor @ 2.50GHz, 2 cores" in texts(app)
    assert len(leaderboard(app)) == len(ROWS)
    assert not button(app, "Tune").disabled
    assert "Not tuned on this host yet" in texts(visit("pages/tune.py", model="resnet50"))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"kind": "error", "message": "no configuration could run."},
            "No configuration could run.",
        ),
        ({"kind": "cancelled"}, "The tuning was cancelled"),
    ],
)
def test_a_tuning_that_ended_without_a_result_says_why(visit, tmp_path, event, said):
    app = visit("pages/tune.py", job=ended_tuning(tmp_path, event))

    assert not app.exception
    assert said in texts(app)
    assert "Not tuned on this host yet" in texts(app)


def test_a_job_of_another_page_is_not_mistaken_for_a_tuning(visit, tmp_path):
    job_id = ended_job(tmp_path, {"kind": "cancelled"})

    assert "was cancelled" not in texts(visit("pages/tune.py", job=job_id))
    assert "was cancelled" in texts(visit("pages/benchmark.py", job=job_id))


def test_a_race_without_gains_or_predictions_is_shown_all_the_same(visit, tmp_path):
    record = tuning(ROWS[7] | {"state": "best", "predicted_ms": None})
    app = visit("pages/tune.py", job=ended_tuning(tmp_path, {"kind": "tuned", "record": record}))

    assert not app.exception
    assert "nothing that was tried is faster" in texts(app)
    assert "No choice bought anything" in texts(app)


def test_a_running_tuning_shows_who_leads_and_can_be_cancelled(visit, tmp_path, monkeypatch):
    rows = [dict(row) for row in ROWS]
    rows[0]["state"], rows[4]["state"] = "finalist", "measuring"
    rows[5] |= {"state": "waiting", "median_ms": None, "ratio": None, "ratio_ci": None, "rounds": 0}
    said = [
        {"kind": "stage", "text": "Racing 9 configurations"},
        {"kind": "standings", "rows": rows},
    ]
    monkeypatch.setattr(jobs, "events", lambda job_id: said)

    app = visit("pages/tune.py", job=ended_tuning(tmp_path))

    assert not app.exception
    assert [row["State"] for row in leaderboard(app)][4:6] == ["being timed", "waiting"]
    assert button(app, "Cancel")
    assert button(app, "Tune").disabled
    there = visit("pages/benchmark.py", job="00112233aabbccdd")
    assert "A job of googlenet is running; the page Tune shows it." in texts(there)


def test_a_click_on_tune_right_after_a_change_takes_the_budget_shown(visit, monkeypatch):
    """Both reach the server before the page has been drawn with the change."""
    started = []
    monkeypatch.setattr(client, "start", lambda job: started.append(job) or "0" * 16)
    app = visit("pages/tune.py", model="squeezenet1_0")

    app.number_input(key="tune-budget").set_value(7)
    button(app, "Tune").click().run()

    assert [job.budget_s for job in started] == [7.0]
