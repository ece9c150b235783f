"""A file of the user's own: told before it is loaded, opened, and refused with its reason."""

from __future__ import annotations

import pytest

from tests.onnx_files import BAD, sound

from .screen import button, metrics, texts

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
    model = app.query_params["model"]

    home = visit("app.py", model=model)
    assert metrics(home)["Operators"] == "4"
    for page in OTHER_PAGES:
        other = visit(f"pages/{page}.py", model=model)
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


@pytest.fixture(scope="module")
def kept_app():
    return {}


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "empty"])  # it takes none
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
    assert metrics(app)["Operators"] == "197"  # the model chosen before is still there
