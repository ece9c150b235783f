"""Weights of the user's own: told before they are used, then part of every job of the model."""

from __future__ import annotations

import io

import pytest
import streamlit as st
import torch

from ramiel_core import client, pipeline
from ramiel_core.model import zoo

from .screen import button, texts

MODEL = "squeezenet1_0"


@pytest.fixture(scope="module")
def state_dict():
    module, _ = zoo.build(MODEL)
    return module.state_dict()


def packed(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def upload(app, content: bytes, name: str = "mine.pth"):
    uploader = next(u for u in app.file_uploader if "Weights" in u.label)
    return uploader.set_value((name, content, "application/octet-stream")).run()


@pytest.fixture
def started(monkeypatch):
    """Jobs that pages start; none is."""
    found = []
    monkeypatch.setattr(client, "start", lambda job: found.append(job) or "0" * 16)
    return found


def test_weights_that_fit_are_used_by_every_job_of_the_model(visit, state_dict, started):
    app = upload(visit("app.py", model=MODEL), packed({"state_dict": state_dict}))
    assert "Tensors taken from mine.pth: 52." in texts(app)
    button(app, "Use these weights").click().run()
    name = app.query_params["weights"]

    assert not app.exception
    assert "use these weights" in texts(app)
    for page, label in (("benchmark", "Run"), ("tune", "Tune")):
        button(visit(f"pages/{page}.py", model=MODEL, weights=name), label).click().run()
    assert [(job.task, job.weights) for job in started] == [("bench", name), ("tune", name)]
    button(app, "Back to random weights").click().run()
    assert "weights" not in app.query_params


def test_weights_that_do_not_fit_need_a_tick(visit, state_dict):
    other = {**state_dict, "x" * 500: torch.ones(1), "classifier.1.bias": torch.ones(3)}
    app = upload(visit("app.py", model=MODEL), packed(other))

    assert "1 unexpected" in texts(app)
    assert "float32[3], not float32[1000]" in texts(app)
    assert button(app, "Use these weights").disabled
    app.checkbox(key="weights-partial").check().run()
    button(app, "Use these weights").click().run()
    assert app.query_params["partial"] == "on"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 but nothing more", "damaged or no file of weights"),
        (packed({"conv1.weight": torch.ones(2)}), "it belongs to another model"),
    ],
    ids=["damaged", "another model"],
)
def test_bad_weights_are_one_sentence(visit, content, said):
    app = upload(visit("app.py", model=MODEL), content)

    assert not app.exception
    assert said in texts(app)
    assert "rv-error" in texts(app)
    assert not [found for found in app.button if found.label == "Use these weights"]


def test_reading_that_was_cancelled_is_told_where_the_file_is_gone(visit, state_dict, monkeypatch):
    with monkeypatch.context() as meanwhile:  # a click while they are read ends that run
        meanwhile.setattr(pipeline, "weights_fit", lambda *_: st.stop())
        app = upload(visit("app.py", model=MODEL), packed(state_dict))
    uploader = next(u for u in app.file_uploader if "Weights" in u.label)

    app = uploader.set_value(None).run()
    assert "Reading mine.pth was cancelled; upload it again to use it." in texts(app)
    assert "was cancelled" not in texts(upload(app, packed(state_dict)))
    assert "Tensors taken from mine.pth: 52." in texts(app)


def test_an_address_reads_uploaded_weights_only(visit, tmp_path):
    path = tmp_path / "secret.pth"
    path.write_bytes(packed({}))

    assert "pages load uploaded ones only" in texts(visit("app.py", model=MODEL, weights=str(path)))
    gone = f"weights/{'0' * 32}/mine.pth"
    assert "no longer here; upload them again" in texts(visit("app.py", model=MODEL, weights=gone))
