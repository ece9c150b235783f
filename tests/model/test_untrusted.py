"""Archives that can execute code: loaded apart, after consent, and handed over as data alone."""

from __future__ import annotations

import json
import os
import re

import pytest
import safetensors
import torch
from safetensors.torch import save_file

from ramiel_core import client, pipeline
from ramiel_core.errors import ModelError, RunError, UnsupportedError
from ramiel_core.graph.extract import extract
from ramiel_core.model import portable, untrusted
from tests.archives import IMAGE, Small, exported, running, scripted

SHAPE = "1x3x8x8"


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    return {
        "torch.export": exported(folder / "small.pt2"),
        "TorchScript": scripted(folder / "small.pt"),
    }


@pytest.mark.parametrize("kind", ["torch.export", "TorchScript"])
def test_what_is_handed_over_computes_what_the_archive_does(archives, kind, tmp_path):
    path = tmp_path / "small.traced"
    portable.save(untrusted.load(archives[kind], kind, "small", [SHAPE]), path)
    on_cpu, on_meta = (portable.load(path, device, "small") for device in ("cpu", "meta"))

    with torch.no_grad():
        for ours, theirs in zip(on_cpu.module(IMAGE), Small().eval()(IMAGE), strict=True):
            torch.testing.assert_close(ours, theirs)
    graph = extract(on_cpu)
    assert graph.fingerprint == extract(on_meta).fingerprint
    kinds = ["conv2d", "batch_norm", "relu", "mean", "view", "linear"]
    assert [node.op for node in graph.nodes] == kinds
    assert 'w["stem.weight"]' in graph.nodes[0].call


def test_weights_that_are_no_numbers_are_told_with_what_was_traced(archives, tmp_path):
    path = tmp_path / "small.traced"
    traced = untrusted.load(archives["torch.export"], "torch.export", "small")
    with torch.no_grad():
        traced.module.stem.weight[-1] = float("nan")
    portable.save(traced, path)

    (told,) = portable.load(path, "cpu", "small").strange_weights
    assert told == ("stem.weight", "NaN")
    assert list(portable.strange_weights(path)) == [told]
    assert portable.load(path, "meta", "small").strange_weights == ()


def test_a_script_without_shapes_asks_for_them(archives):
    with pytest.raises(ModelError, match=r"of what shape its inputs are \(image\); give them"):
        untrusted.load(archives["TorchScript"], "TorchScript", "small.pt")


@pytest.mark.parametrize("text", ["", "3x", "1x3:complex", "1;2", "9" * 30])
def test_what_is_no_shape_is_told(text):
    with pytest.raises(ModelError, match=r"is no shape of an input|larger than 4 GB"):
        untrusted.example(text)


def _node(op, name, target, *args):
    return {"op": op, "name": name, "target": target, "args": args, "kwargs": {}, "module": ""}


HOSTILE = {
    "a function of Python's": _node("call_function", "y", "os.system", "true"),
    "an operator that reads files": _node("call_function", "y", "aten.from_file.default", "/a"),
    "an operator that writes": _node("call_function", "y", "aten.relu_.default", {"node": "x"}),
    "another library's operator": _node("call_function", "y", "prim.device.default"),
    "code for a name": _node("call_function", "y\nimport os", "aten.relu.default", {"node": "x"}),
    "code for a weight": _node("get_attr", "y", 'a"); import os; ("'),
    "code for an input": _node("placeholder", "y", "y=exit()"),
    "a method": _node("call_method", "y", "tolist", {"node": "x"}),
    "anything of torch's": _node("call_function", "y", "aten.relu.default", {"dtype": "load"}),
    "a value of nobody": _node("call_function", "y", "aten.relu.default", {"node": "z"}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_data_that_asks_for_more_than_computing_is_refused(kind, tmp_path):
    path, x = tmp_path / "hostile.traced", _node("placeholder", "x", "x")
    nodes = json.dumps([x, HOSTILE[kind], _node("output", "output", "output", {"node": "x"})])
    save_file({"input:x": IMAGE}, path, {"format": portable.FORMAT, "nodes": nodes})

    with pytest.raises(ModelError, match=r"open|export"):
        portable.load(path, "cpu", "hostile")


def test_without_consent_nothing_of_an_archive_is_executed(tmp_path):
    marker = tmp_path / "executed"
    path = running(tmp_path / "hostile.pt2", f"open({str(marker)!r}, 'w')")

    with pytest.raises(UnsupportedError, match=r"can execute code that it holds.*--trust"):
        pipeline.graph_of(str(path))
    assert not marker.exists()


def test_after_consent_it_is_executed_in_a_process_apart_without_the_user_s_variables(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    marker = tmp_path / "executed"
    said = "__import__('os').getpid(), 'SECRET_TOKEN' in __import__('os').environ"
    path = running(tmp_path / "small.pt2", f"print({said}, file=open({str(marker)!r}, 'a'))")
    name = client.open_trusted(str(path))
    pid, has_secret = marker.read_text().split()

    assert int(pid) != os.getpid()
    assert has_secret == "False"
    assert re.fullmatch(r"uploaded/[0-9a-f]{32}/small\.pt2\.traced", name)
    assert pipeline.label(name) == "small.pt2"
    assert len(pipeline.graph_of(name)) == 6
    assert client.open_trusted(str(path)) == name  # which is known, so nothing is loaded again
    assert len(marker.read_text().splitlines()) == 1
    with safetensors.safe_open(tmp_path / "cache" / name, "pt") as file:
        assert file.metadata()["format"] == portable.FORMAT
    assert list((tmp_path / "cache" / "jobs").iterdir()) == []


ENDS = {
    "crash": ("__import__('os').kill(__import__('os').getpid(), 11)", "crashed with a segment", 60),
    "time": ("[0 for _ in iter(int, 1)]", "took .* than the 5 s", 5),
    "memory": ("bytearray(2 ** 40)", r"needs more than the [\d.]+ GiB of memory", 60),
}


@pytest.mark.parametrize("kind", ENDS)
def test_an_end_without_a_result_is_one_sentence_and_leaves_nothing(kind, tmp_path):
    code, said, seconds = ENDS[kind]
    path = running(tmp_path / "small.pt2", code)

    with pytest.raises((ModelError, RunError), match=f"loading small.pt2 {said}.*nothing of it"):
        client.open_trusted(str(path), seconds=seconds)
    assert list((tmp_path / "cache" / "jobs").iterdir()) == []


def test_who_stops_waiting_ends_the_process_and_whatever_it_started(tmp_path):
    marker = tmp_path / "executed"
    path = running(
        tmp_path / "small.pt2",
        "__import__('subprocess').Popen(['sleep', '99'], start_new_session=True), "
        f"open({str(marker)!r}, 'w'), __import__('time').sleep(99)",
    )

    def tick(passed_s: float) -> None:
        if marker.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.open_trusted(str(path), tick=tick)
    assert list((tmp_path / "cache" / "jobs").iterdir()) == []  # processes: tests/conftest.py
