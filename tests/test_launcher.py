"""Every kernel family, planner and run-time through a launcher, on a module of one's own."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import ramiel_core
from ramiel_core import client, pipeline
from ramiel_core.errors import PlanError, RunError
from ramiel_core.ir import Job
from ramiel_core.report.summarize import report_from
from ramiel_core.run import jobs
from ramiel_core.run.local import Local
from tests.graphs import dealt_plan
from tests.launched import (
    INPUTS,
    Branches,
    all_words_of,
    benchmark_of_file,
    last_word,
    last_word_of,
)
from tests.onnx_files import NODES, filled, model, weight
from tests.run import fresh


def bench(**settings: Any) -> dict[str, Any]:
    return ramiel_core.bench(Branches().eval(), INPUTS, repeats=3, workers=2, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"kernels": "fused"},
        {"kernels": "fused", "planner": "moldable"},
        {"planner": "moldable"},
        {"planner": "heft"},
        {"planner": "exact"},
        {"runtime": "threads"},
        {"kernels": "onnxruntime"},
        {"kernels": "openvino"},
    ],
    ids=lambda settings: " ".join(settings.values()),
)
def test_every_setting_runs_and_every_output_agrees(settings: dict[str, str]):
    said = fresh.call(last_word, {"repeats": 3, "workers": 2, **settings})
    assert said["kind"] == "report", said
    record = said["record"]

    assert record["equal"]
    assert record["predicted_ms"] > 0
    exact = settings.get("kernels", "eager") == "eager" and settings.get("planner") != "moldable"
    parallel = next(run for run in record["runs"] if run["label"] == "parallel")
    assert (parallel["tolerance"] == 0) == exact
    assert {key: record["job"][key] for key in settings} == settings


@pytest.mark.parametrize("planner", ["ramiel", "moldable"])
def test_one_worker_is_predicted_from_measured_costs_before_it_runs(planner: str):
    told = fresh.call(
        all_words_of, "squeezenet1_0", {"planner": planner, "workers": 1, "repeats": 1}
    )
    planned = next(event for event in told if event["kind"] == "planned")

    assert planned["cost_model"] == "measured"
    assert planned["predicted_ms"] > 0


def test_a_planner_that_cannot_take_the_model_says_so_before_anything_is_measured(monkeypatch):
    told = fresh.call(all_words_of, "densenet121", {"planner": "exact", "workers": 2})
    assert [event["text"] for event in told if event["kind"] == "stage"] == ["Building densenet121"]

    monkeypatch.setattr(jobs, "follow", lambda _: iter(told))
    with pytest.raises(PlanError, match="sections of at most 80 operators, not 170"):
        list(client.finish("whoever asked"))


def test_a_plan_by_hand_runs_as_it_is():
    """Also one that no planner would make: every second operator on the other worker."""
    graph = pipeline.graph_of(Branches().eval(), INPUTS)
    plan = dealt_plan(graph, 2)

    record = fresh.call(last_word, {"repeats": 2, "plan": str(plan)})["record"]

    assert record["equal"]
    assert (record["plan"]["planner"], record["workers"]) == ("by hand", 2)
    assert report_from(record).plan.clusters == plan.clusters


@pytest.mark.parametrize("name", ["types", "branch_on_shape"])
def test_a_module_is_benchmarked_whatever_it_returns_and_whoever_traced_it(name: str):
    """Booleans, integers and half precision; and the tracer that torch.fx leaves a model to."""
    assert fresh.call(last_word_of, name, {"repeats": 2, "workers": 2})["record"]["equal"]


def test_an_illegal_plan_by_hand_says_why_before_workers_start():
    with pytest.raises(PlanError, match="the plan names 'nobody', which is not an operator"):
        ramiel_core.bench(Branches().eval(), INPUTS, plan="0: nobody")
    with pytest.raises(PlanError, match="line 2 of a plan begins with '1: ', not 'x'"):
        ramiel_core.bench(Branches().eval(), INPUTS, plan="0: a\nx: b")
    with pytest.raises(PlanError, match="which --kernels fused puts together"):
        Job("googlenet", kernels="fused", plan="0: a")


def test_a_tuned_model_is_remembered_and_loaded(tmp_path, monkeypatch):
    """`auto` and `load` take what the tuner found, without tuning again."""
    monkeypatch.setenv("RAMIEL_CACHE_DIR", str(tmp_path))
    module = Branches().eval()
    job = Job("branches", task="tune", budget_s=0.5)
    *_, last = client.finish(client.start(job, module, INPUTS))
    found = last["record"]
    labels = {row["label"] for row in found["standings"]}

    assert found["standings"][0]["configuration"] == found["winner"]
    assert {"eager, 1 thread", "fused, 1 thread", "openvino, 1 thread"} <= labels
    assert bench(kernels="auto")["job"]["kernels"] == found["winner"]["kernels"]

    before = torch.get_num_threads()
    loaded = ramiel_core.load(module, INPUTS)
    other = torch.randn_like(INPUTS[0])
    torch.testing.assert_close(loaded(other), module(other), rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(Local, "infer", lambda self, inputs: [torch.zeros(1)])
    with pytest.raises(RunError, match="away from the model itself"):
        ramiel_core.load(module, INPUTS)
    torch.set_num_threads(before)


def standing(label: str, ratio: float | None, workers: int = 1, **more: Any) -> dict[str, Any]:
    configuration = {"kernels": label, "planner": "ramiel", "runtime": "processes", "threads": 2}
    row = {"label": label, "ratio": ratio, "state": "slower", **more}
    return row | {"configuration": configuration | {"workers": workers}}


def tuned_to(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "winner": rows[0]["configuration"], "standings": list(rows)}


def test_what_broke_or_returned_something_else_is_not_loaded():
    broke = standing("openvino", 1.01, state="failed")
    found = tuned_to(standing("onednn", 1.02), broke, standing("fused", 1.3))

    assert client.fastest_alone(found)["label"] == "onednn"
    with pytest.raises(RunError, match="tune it again with more seconds"):
        client.fastest_alone(tuned_to(broke, standing("eager", None, state="skipped")))


@pytest.mark.parametrize(("ratio", "told"), [(1.4, True), (1.01, False)])
def test_loading_one_worker_where_several_were_faster_is_told(ratio: float, told: bool):
    found = tuned_to(standing("eager", 1.0, workers=2), standing("fused", ratio))

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert client.fastest_alone(found)["label"] == "fused"

    assert [str(w.message) for w in said] == told * [
        (
            "m runs fastest here with eager kernels, 2 workers × 2 threads, which need processes "
            "of their own (ramiel_core.bench); loaded is fused kernels, 2 threads, which takes "
            "1.40× as long."
        )
    ]


def test_an_unknown_planner_is_refused_before_anything_starts():
    with pytest.raises(PlanError, match="Did you mean heft"):
        bench(planner="hefft")


def test_a_library_cannot_change_its_threads_between_sections():
    said = fresh.call(last_word, {"workers": 2, "kernels": "openvino", "planner": "moldable"})

    assert (said["kind"], said["error"]) == ("error", "PlanError")
    assert "moldable plans need torch's operators" in said["message"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kernels": "cuda"}, "--kernels is one of eager, fused"),
        ({"runtime": "fibers"}, "--runtime is processes or threads"),
        ({"budget_s": 0.0}, "--budget must be more than 0 seconds"),
    ],
)
def test_bad_settings_are_told_in_a_sentence(settings: dict[str, Any], said: str):
    with pytest.raises(PlanError, match=said):
        Job("googlenet", **settings)


def test_a_file_in_half_precision_is_compared_as_closely_as_that_rounds(tmp_path):
    """ONNX Runtime computes several of its operators in float32, and rounds once at the end."""
    half = model(
        NODES,
        [
            numpy_helper.from_array(
                numpy_helper.to_array(weight()).astype(np.float16), weight().name
            )
        ],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [64, 8])],
    )
    half.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    path = tmp_path / "half.onnx"
    path.write_bytes(half.SerializeToString())

    _, read = fresh.call(benchmark_of_file, str(path))

    assert read == [0]


def test_weights_that_are_no_numbers_are_told_by_who_reads_them_anyhow(tmp_path):
    """As the page tells it, which reads all of the file; a benchmark reads each weight once."""
    path = tmp_path / "small.onnx"
    path.write_bytes(filled(float("nan"), side=2**15))

    warnings, read = fresh.call(benchmark_of_file, str(path))

    assert warnings == list(pipeline.weight_warnings(str(path)))
    assert "(first 'dense.weight') holds NaN" in warnings[0]
    assert read == [0]
