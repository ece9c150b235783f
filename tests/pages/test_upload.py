"""A file of the user's own: told before it is loaded, opened, and refused with its reason."""

from __future__ import annotations

import onnx
import pytest
import streamlit as st
import torch

from ramiel_core import client, pipeline
from ramiel_core.errors import RunError
from tests.archives import exported, running, scripted
from tests.onnx_files import BAD, NODES, filled, model, sound, weight

from .screen import button, texts

OTHER_PAGES = ("graph", "merging", "planners", "code", "benchmark", "tune")


def upload(app, content: bytes, name: str = "my model.onnx", **beside: bytes):
    files = [(name, content), *((f"{stem}.bin", more) for stem, more in beside.items())]
    given = [(*file, "application/octet-stream") for file in files]
    return app.file_uploader[0].set_value(given).run()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return sound()


def test_a_file_is_told_before_it_is_loaded_and_opens_its_graph(visit, start):
    app = upload(visit("app.py"), start)

    assert "ONNX, opset 18" in texts(app)
    assert "4: 1 MatMul, 1 Relu, 1 Sigmoid, 1 Add" in texts(app)
    assert "x: float32[batch=1, 8]" in texts(app)
    app.number_input(key="size-batch").set_value(3).run()
    button(app, "Open its graph").click().run()

    assert not app.exception
    assert app.title[0].value == "Graph"
    assert app.query_params["model"].endswith("/my_model.onnx@batch=3")


def test_every_page_works_with_an_uploaded_model(visit, start):
    app = upload(visit("app.py"), start)
    button(app, "Open its graph").click().run()
    opened = app.query_params["model"]

    home = visit("app.py", model=opened)
    assert ">4 operators, " in texts(home)
    for page in OTHER_PAGES:
        other = visit(f"pages/{page}.py", model=opened)
        assert not other.exception, page
        assert "rv-error" not in texts(other), page


def test_an_upload_that_is_gone_is_told_in_a_sentence(visit):
    app = visit("pages/graph.py", model=f"uploaded/{'0' * 32}/mine.onnx")

    assert not app.exception
    assert "uploaded model mine.onnx is no longer here; upload it again" in texts(app)


def test_an_address_opens_no_file_of_the_host(visit, tmp_path):
    path = tmp_path / "secret.onnx"
    path.write_bytes(sound())
    app = visit("pages/graph.py", model=str(path))

    assert "pages open uploaded files only" in texts(app)


def test_an_archive_is_told_and_loads_after_its_checkbox_only(visit, tmp_path):
    app = upload(visit("app.py"), exported(tmp_path / "m.pt2").read_bytes(), "m.pt2")

    assert "torch.export archive, schema" in texts(app)
    assert "6: 1 conv2d, 1 batch_norm, 1 relu, 1 mean, 1 view, 1 linear" in texts(app)
    assert "image: float32[1, 3, 8, 8]" in texts(app)
    assert "executes code that it may hold, with everything your account may do" in texts(app)
    assert button(app, "Load it").disabled
    (trust,) = (box for box in app.checkbox if box.label.startswith("I trust this file"))
    trust.check().run()
    button(app, "Load it").click().run()

    assert not app.exception
    assert app.title[0].value == "Graph"
    assert app.query_params["model"].endswith("/m.pt2.traced")


@pytest.fixture
def loads(visit, tmp_path, monkeypatch):
    """Click *Load it* for an archive; what waits for it then ends as `ending` says."""

    def _loads(ending):
        monkeypatch.setattr(client, "open_trusted", ending)
        app = upload(visit("app.py"), scripted(tmp_path / "m.pt").read_bytes(), "m.pt")
        (trust,) = (box for box in app.checkbox if box.label.startswith("I trust this file"))
        trust.check().run()
        return button(app, "Load it").click().run()

    return _loads


def test_a_cancelled_load_is_told_once_with_what_to_do_next(loads):
    """A click ends a run that waits as `st.rerun` does: by raising what is no `Exception`."""
    begun = []

    def cancelled(*_, **__):
        begun.append(1)
        st.rerun()

    app = loads(cancelled)
    told = "Loading m.pt was cancelled, and its process has ended; click “Load it” to start anew."
    assert told in texts(app)
    assert begun == [1]
    assert not button(app, "Load it").disabled
    assert "was cancelled" not in texts(app.run())


def test_a_load_that_was_cancelled_by_taking_the_file_away_asks_for_it_again(loads):
    app = loads(lambda *_, **__: st.stop())

    app.file_uploader[0].set_value([]).run()
    assert "was cancelled, and its process has ended; upload it again to load it." in texts(app)


def test_a_load_that_fails_was_not_cancelled(loads):
    def failing(*_, **__):
        raise RunError("opening m.pt took too long; export it anew.")

    app = loads(failing)
    assert "took too long" in texts(app)
    assert "was cancelled" not in texts(app.run())


def test_a_script_is_told_by_its_code_and_what_hides_in_an_archive_is_not_executed(visit, tmp_path):
    marker = tmp_path / "executed"
    app = upload(visit("app.py"), scripted(tmp_path / "m.pt").read_bytes(), "m.pt")
    assert "TorchScript archive" in texts(app)
    assert "1 relu" in texts(app)

    hostile = running(tmp_path / "h.pt2", f"open({str(marker)!r}, 'w')")
    app = upload(app, hostile.read_bytes(), "h.pt2")
    assert "torch.export archive" in texts(app)
    assert not marker.exists()


def test_another_upload_takes_the_place_of_the_one_before_whatever_they_are_called(visit):
    """The same name with other content, and a name of 500 letters."""
    app = upload(visit("app.py"), sound(), "mine.onnx")
    assert "4: 1 MatMul, 1 Relu, 1 Sigmoid, 1 Add" in texts(app)
    upload(app, model(NODES[:2], [weight()], name="left").SerializeToString(), "mine.onnx")
    assert "2: 1 MatMul, 1 Relu" in texts(app)
    assert "1 Sigmoid" not in texts(app)
    upload(app, sound(), f"{'long' * 125}.onnx")
    button(app, "Open its graph").click().run()

    assert not app.exception
    assert app.title[0].value == "Graph"


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """A model that keeps its weight in a file beside it."""
    folder = tmp_path_factory.mktemp("apart")
    onnx.save_model(
        model(NODES, [weight()]), folder / "m.onnx", save_as_external_data=True,
        location="weights.bin", size_threshold=0,
    )  # fmt: skip
    return (folder / "m.onnx").read_bytes(), (folder / "weights.bin").read_bytes()


def test_a_model_comes_with_the_files_that_it_keeps_weights_in(visit, apart):
    app = upload(visit("app.py"), apart[0], "m.onnx", weights=apart[1])
    button(app, "Open its graph").click().run()

    assert not app.exception
    assert app.title[0].value == "Graph"
    with torch.no_grad():
        beside = pipeline.traced(app.query_params["model"], device="cpu")
        assert beside.module(torch.ones(1, 8)).abs().sum() > 0


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({}, "M.onnx keeps weights in weights.bin, which is missing; upload all of them together"),
        ({"other": b"1", "weights": b"2"}, "M.onnx does not ask for other.bin, only for weights"),
    ],
    ids=["missing", "extra"],
)
def test_files_that_are_missing_or_not_asked_for_are_named(visit, apart, beside, said):
    app = upload(visit("app.py"), apart[0], "m.onnx", **beside)

    assert not app.exception
    assert said in texts(app)


def test_weights_that_are_no_numbers_are_a_warning_whatever_their_size(visit):
    app = upload(visit("app.py"), filled(float("nan"), side=2**15))

    assert "1 weight (first &#x27;dense.weight&#x27;) holds NaN, so that outputs" in texts(app)
    button(app, "Open its graph").click().run()
    assert app.title[0].value == "Graph"


@pytest.fixture(scope="module")
def kept_app():
    return {}


OTHERWISE = {  # here: taken by nobody, after consent, and only with the file that it names
    *("empty", "torch.export", "TorchScript"),
    "external data at no number",
}


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind not in OTHERWISE])
def test_a_bad_file_is_one_sentence_and_the_app_goes_on(visit, kept_app, kind):
    app = kept_app.setdefault("app", visit("app.py") if not kept_app else None)
    make, said = BAD[kind]
    upload(app, make(), "bad.onnx")
    opens = [found for found in app.button if found.label == "Open its graph"]
    if opens:
        opens[0].click().run()

    assert not app.exception
    shown = texts(app).replace("&#x27;", "'")
    assert said[1:] in shown
    assert "rv-error" in shown
    assert ">197 operators, " in shown  # the model chosen before is still there
