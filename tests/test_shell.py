"""`python -m ramiel_core`: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ramiel_core import pipeline
from ramiel_core.__main__ import main
from ramiel_core.run import host
from tests.archives import exported
from tests.onnx_files import filled, sound

RECORD = {
    "model", "workers", "threads", "sequential_ms", "parallel_ms", "speedup", "speedup_ci",
    "predicted_ms", "bound", "equal", "verdict", "host", "removed_constants",
    "removed_repeats", "removed_dead", "cloned",
}  # fmt: skip
FACTS = {"host", "processor", "cores", "load_1min", "kernel", "python", "torch", "torchvision"}


def shell(*words: str) -> int:
    """The exit code of a command, run in this process."""
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)


def process(*words: str) -> str:
    """What a command prints in a process of its own, which must succeed."""
    return subprocess.run(
        [sys.executable, "-m", "ramiel_core", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=300, check=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("cost", ["unit", "flops"])
def test_analyze_prints_json(cost: str, capsys):
    assert shell("analyze", "googlenet", "--cost", cost, "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert {
        "model",
        "operators",
        "clusters_linear",
        "clusters_merged",
        "t1_ms",
        "tinf_ms",
        "parallelism",
        "cost_model",
        "critical_path",
    } <= set(found)
    assert found["model"] == "googlenet"
    assert (found["operators"], found["clusters_linear"], found["clusters_merged"]) == (197, 28, 4)
    assert found["cost_model"] == cost
    assert found["parallelism"] == pytest.approx(found["t1_ms"] / found["tinf_ms"])
    assert found["critical_path"][0] == "conv1_conv"
    assert found["critical_path"][-1] == "fc"
    if cost == "unit":
        assert found["t1_ms"] == 197
        assert found["tinf_ms"] == len(found["critical_path"])


def test_analyze_prints_a_table_for_people(capsys):
    assert shell("analyze", "densenet121") == 0
    said = capsys.readouterr().out

    assert "431" in said
    assert "1 linear, 1 merged" in said
    assert "one chain of 431 operators" in " ".join(said.split())


def test_analyze_expects_what_poolings_in_parts_bring(capsys):
    """GoogLeNet's poolings are cut by the estimate alone; the outlook cuts them again."""
    assert shell("analyze", "googlenet") == 0
    said = capsys.readouterr().out

    assert "13: maxpool1, maxpool2" in said
    assert "Expect about" in said


def test_analyze_tells_what_another_planner_predicts(capsys):
    assert shell("analyze", "squeezenet1_0", "--planner", "exact") == 0
    assert "plan by exact" in capsys.readouterr().out
    assert shell("analyze", "squeezenet1_0", "--planner", "heft", "--no-split", "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert (found["planner"], found["workers"]) == ("heft", 2)
    assert found["tinf_ms"] <= found["predicted_ms"] < found["t1_ms"]
    assert found["proved_ms"] is None


def test_rewrites_are_told_and_can_be_left_out(capsys):
    assert shell("analyze", "vit_b_32", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert shell("analyze", "vit_b_32", "--json", "--no-fold-constants", "--no-drop-dead") == 0
    traced = json.loads(capsys.readouterr().out)

    assert (found["removed_constants"], found["removed_dead"], found["cloned"]) == (
        ["expand"],
        [],
        [],
    )
    assert (traced["removed_constants"], traced["operators"]) == ([], found["operators"] + 1)


def test_clones_stand_in_the_emitted_program(tmp_path: Path, capsys):
    words = ("googlenet", "--no-split", "--clone")
    assert shell("analyze", *words, "--json") == 0
    clone, *_ = json.loads(capsys.readouterr().out)["cloned"]
    assert shell("emit", *words, "--workers", "2", "--out", str(tmp_path)) == 0

    assert f"    {clone} = " in (tmp_path / "parallel.py").read_text()
    assert clone not in (tmp_path / "sequential.py").read_text()


def test_emit_writes_the_plan_of_the_planner_that_was_asked_for(tmp_path: Path):
    words = ("emit", "inception_v3", "--workers", "2", "--planner", "heft", "--out", str(tmp_path))
    assert shell(*words) == 0
    graph = pipeline.graph_of("inception_v3")
    plan = pipeline.plan_of(graph, 2, "heft")
    graph, plan = pipeline.adapted(graph, plan, 2, "heft", split=True)

    assert (tmp_path / "parallel.py").read_text() == pipeline.program_of(graph, plan).source


def test_emit_shows_fused_kernels_and_moldable_plans(tmp_path: Path):
    words = ("emit", "googlenet", "--kernels", "fused", "--planner", "moldable")
    assert shell(*words, "--out", str(tmp_path)) == 0
    text = (tmp_path / "parallel.py").read_text()

    assert 'conv2d(x, w["conv1.conv.7x7_stride2_pad3_relu"])' in text
    assert "batch_norm" not in text


def test_analyze_measures_where_it_has_not_and_remembers(capsys):
    assert shell("analyze", "squeezenet1_1", "--cost", "measured", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert shell("analyze", "squeezenet1_1", "--cost", "measured", "--json") == 0
    second = json.loads(capsys.readouterr().out)

    assert first["cost_model"] == "measured"
    assert first == second
    assert first["t1_ms"] > 0


def test_bench_writes_its_records(tmp_path: Path, capsys, monkeypatch):
    out, trace, page = (tmp_path / name for name in ("results.json", "trace.json", "page.html"))
    monkeypatch.setenv("COLUMNS", "200")
    code = shell("bench", "squeezenet1_0", "--workers", "2", "--signals", "queue", "--repeats",
                 "2", "--out", str(out), "--trace", str(trace), "--html", str(page))  # fmt: skip
    said = capsys.readouterr().out
    assert code == 0
    (record,) = json.loads(out.read_text())

    assert set(record) >= RECORD
    assert set(record["host"]) >= FACTS
    assert record["equal"] is True
    assert (record["model"], record["threads"], record["repeats"]) == ("squeezenet1_0", 1, 2)
    assert record["signals"] == "queue"  # as published
    assert record["speedup"] == pytest.approx(record["sequential_ms"] / record["parallel_ms"])
    low, high = record["speedup_ci"]
    assert low <= high
    assert record["bound"] == pytest.approx(min(2.0, record["parallelism"]))
    assert record["bound"] <= 2
    assert all(len(run["times_ms"]) == 2 for run in record["runs"])
    assert all(run["equal"] for run in record["runs"] if run["label"] != "threads")
    assert record["verdict"] in " ".join(said.split())
    assert "squeezenet1_0" in said
    assert str(out) in said.replace("\n", "")
    events = json.loads(trace.read_text())["traceEvents"]
    processes = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert processes == ["squeezenet1_0, predicted", "squeezenet1_0, measured"]
    arrows = {"s", "f"} if record["workers"] > 1 else set()  # a busy host may leave it sequential
    assert {e["ph"] for e in events} == {"M", "X", *arrows}
    assert "<h1>squeezenet1_0</h1>" in page.read_text()


@pytest.mark.parametrize(
    ("number", "said"),
    [(float("nan"), "holds NaN"), (float("-inf"), "holds infinite numbers"), (1.0, None)],
)
def test_weights_that_are_no_numbers_are_told(number: float, said: str | None, tmp_path, capsys):
    path = tmp_path / "small.onnx"
    path.write_bytes(filled(number, side=2**15))
    assert shell("analyze", str(path), "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert [said in warning for warning in found.get("warnings", ())] == [True] * bool(said)


def test_an_archive_is_refused_without_trust_and_analyzed_with_it(tmp_path, capsys):
    path = str(exported(tmp_path / "small.pt2"))
    assert shell("analyze", path) == 2
    assert "can execute code that it holds" in capsys.readouterr().err
    assert shell("analyze", path, "--trust", "--json") == 0
    assert json.loads(capsys.readouterr().out)["operators"] == 6


def test_a_file_is_analyzed_emitted_and_benchmarked_with_the_size_asked_for(tmp_path):
    path, out = tmp_path / "small.onnx", tmp_path / "results.json"
    path.write_bytes(sound())
    words = (str(path), "--dim", "batch=3")

    found = json.loads(process("analyze", *words, "--json"))
    assert (found["operators"], found["dimensions"]) == (4, {"batch": 3})
    assert shell("emit", *words, "--out", str(tmp_path)) == 0
    assert 'F.linear(x, w["dense.weight"], None)' in (tmp_path / "sequential.py").read_text()
    assert shell("bench", *words, "--repeats", "2", "--out", str(out)) == 0
    (record,) = json.loads(out.read_text())
    assert record["equal"]
    assert record["import_check"]["max_difference"] < 1e-6


def test_a_name_that_no_file_system_takes_is_that_of_no_file(capsys):
    long = "a" * 500

    assert shell("analyze", f"{long}.onnx") == 2
    assert "there is no file 'aaa" in capsys.readouterr().err
    assert shell("analyze", f"uploaded/{'0' * 32}/{long}.onnx") == 2
    assert "is no longer here; upload it again" in capsys.readouterr().err
    assert shell("analyze", "squeezenet1_0", "--weights", f"{long}.pth") == 2
    assert "there is no file of weights 'aaa" in capsys.readouterr().err


def test_a_size_that_does_not_fit_is_refused_before_anything_starts(tmp_path, capsys):
    path = tmp_path / "small.onnx"
    path.write_bytes(sound())

    assert shell("bench", "googlenet", "--dim", "batch=3") == 2
    assert "leave --dim out" in capsys.readouterr().err
    for text, said in (("seq=3", "no dynamic dimension 'seq'"), ("batch", "write NAME=SIZE")):
        assert shell("bench", str(path), "--dim", text) == 2
        assert said in capsys.readouterr().err


def test_more_workers_than_cores_are_warned_about_and_run(tmp_path: Path, capfd):
    """On any host: one more than it has."""
    cores = len(host.cores())
    out = tmp_path / "results.json"
    code = shell("bench", "squeezenet1_1", "--workers", str(cores + 1), "--repeats", "1",
                 "--out", str(out))  # fmt: skip
    said = " ".join("".join(capfd.readouterr()).split())
    (record,) = json.loads(out.read_text())

    assert code == 0
    assert record["equal"]
    assert f"{cores + 1} workers on {cores} cores: workers take turns" in said
    assert f"oversubscribed: {cores + 1} × 1 threads on {cores} cores" in said
    assert any("oversubscribed" in warning for warning in record["warnings"])


def test_emit_writes_the_parallel_and_the_sequential_program(tmp_path: Path, capsys):
    folder = tmp_path / "a" / "b"
    assert shell("emit", "googlenet", "--workers", "3", "--out", str(folder)) == 0
    graph = pipeline.graph_of("googlenet")
    graph, plan = pipeline.adapted(graph, pipeline.plan_of(graph, 3), 3, split=True)

    assert (folder / "parallel.py").read_text() == pipeline.program_of(graph, plan).source
    sequential = (folder / "sequential.py").read_text()
    assert sequential.count("def cluster_") == 1
    compile(sequential, "sequential.py", "exec")
    assert capsys.readouterr().out.split() == [
        str(folder / "parallel.py"), str(folder / "sequential.py"),
    ]  # fmt: skip


def test_models_are_listed_by_family(capsys):
    assert shell("models") == 0
    said = capsys.readouterr().out

    assert "GoogLeNet: googlenet" in said
    assert "resnet50" in said


BAD = {
    "unknown model": (("analyze", "resnet51"), "Did you mean", "resnet50"),
    "unknown model to bench": (("bench", "resnet51"), "Did you mean", "resnet50"),
    "unknown model to emit": (("emit", "gogglenet", "--out", "x"), "Did you mean", "googlenet"),
    "one of several unknown": (("bench", "googlenet", "nonet"), "called 'nonet'", ""),
    "no workers": (("bench", "googlenet", "--workers", "0"), "--workers must be 1 or more", "0"),
    "workers below none": (("bench", "googlenet", "--workers", "-1"), "--workers", "-1"),
    "no repeats": (("bench", "googlenet", "--repeats", "0"), "--repeats must be 1 or more", "0"),
    "no threads": (("bench", "googlenet", "--threads", "0"), "--threads must be 1 or more", "0"),
    "half a worker": (("bench", "googlenet", "--workers", "1.5"), "--workers", "1.5"),
    "a word for workers": (("bench", "googlenet", "--workers", "two"), "--workers", "two"),
    "no workers to emit for": (("emit", "googlenet", "--out", "x", "--workers", "0"), "0", "1"),
    "unknown cost model": (("analyze", "googlenet", "--cost", "gold"), "--cost", "gold"),
    "unknown planner": (("analyze", "googlenet", "--planner", "hefd"), "Did you mean heft", "dsc"),
    "moldable without measuring": (
        ("analyze", "googlenet", "--planner", "moldable"),
        "bench MODEL --planner moldable",
        "Planners",
    ),
    "unknown planner to emit": (("emit", "x", "--out", "x", "--planner", "?"), "Choose", "heft"),
    "too large a graph": (("analyze", "densenet121", "--planner", "exact"), "at most 80", "170"),
    "unknown signals": (("bench", "googlenet", "--signals", "smoke"), "--signals", "smoke"),
    "clones of a library": (
        ("bench", "googlenet", "--clone", "--kernels", "openvino"),
        "--clone",
        "eager",
    ),
    "no command": ((), "COMMAND", "help"),
    "unknown command": (("fly",), "fly", "help"),
    "no folder to emit to": (("emit", "googlenet"), "--out", "help"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_exit_code_two(case: str, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words, *said = BAD[case]

    assert shell(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("ramiel: ")
    assert all(part in err for part in said)
    assert list(tmp_path.glob("*.json")) == []
