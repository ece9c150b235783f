"""The wide zoo: detectors of our own, and one command that makes a table of all models."""

from __future__ import annotations

import json

import pytest

from benchmarks import models, zoo
from ramiel_core import pipeline


def test_the_detectors_return_raw_predictions_at_every_scale():
    graph = pipeline.graph_of(*models.build(models.YOLO))
    kinds = 4 + models.YoloLike.CLASSES
    shapes = [graph[name].outputs[0].shape for name in graph.outputs]

    assert shapes == [(1, kinds, side, side) for side in (40, 20, 10)]
    assert pipeline.plan_of(graph, 2).workers == 2


def test_one_command_analyses_models_into_a_table_and_a_file(tmp_path, monkeypatch, capsys):
    out = tmp_path / "zoo.json"
    words = ["zoo", models.BERT, "--analyze-only", "--workers", "2", "--out", str(out)]
    monkeypatch.setattr("sys.argv", words)
    zoo.main()
    (record,) = json.loads(out.read_text())
    said = capsys.readouterr().out

    assert record["model"] == models.BERT
    assert f"| {models.BERT} |" in said
    assert f"{record['clusters_linear']} → {record['clusters_merged']}" in said


def test_a_model_that_is_not_in_the_zoo_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["zoo", "alexnet"])
    with pytest.raises(SystemExit, match="2"):
        zoo.main()
    assert "no model 'alexnet'; choose inception_v4" in capsys.readouterr().err


def test_a_benchmark_fills_the_whole_line():
    record = {
        "model": "m", "operators": 9, "clusters_linear": 3, "clusters_merged": 2,
        "parallelism": 1.5, "workers": 2, "predicted_ms": 10.04, "parallel_ms": 10.2,
        "sequential_ms": 15.0, "speedup": 1.47, "speedup_ci": [1.4, 1.5], "equal": True,
        "runs": [{"label": "threads", "times_ms": [12.0, 11.0, 13.0]}],
    }  # fmt: skip

    assert zoo.row(record) == (
        "m", "9", "3 → 2", "1.50", "2", "10.0", "10.2", "15.0", "12.0", "**1.47** (1.40–1.50)", "yes",
    )  # fmt: skip
