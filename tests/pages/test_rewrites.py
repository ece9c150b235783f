"""The page Rewrites: before and after, each rewrite on and off."""

from __future__ import annotations

import pytest

from ramiel_core import pipeline
from ramiel_core.graph import cost_cache
from ramiel_core.graph.costs import Measured, SendLine
from ramiel_core.run import host

from .screen import program, tables, texts

PAGE = "pages/rewrites.py"
SPLIT = "slow poolings in parts"


@pytest.fixture
def slow_pooling() -> str:
    """Measured costs of SqueezeNet by which one pooling takes longer than all other operators."""
    graph = pipeline.graph_of("squeezenet1_0", cost="unit")
    cost_ms = {node.name: 10.0 if node.name == "features_2" else 0.1 for node in graph.nodes}
    cost_cache.save(graph, host.identity(), 1, Measured(cost_ms, SendLine()))
    return "features_2"


def rows(app):
    return {row["Stage"]: row for row in tables(app)[0]}


def test_folding_is_shown_before_and_after(visit):
    app = visit(PAGE, model="vit_b_32", workers="1")
    found = rows(app)

    assert not app.exception
    assert list(found) == [
        "as traced",
        "constants folded",
        "repeats shared",
        "dead code dropped",
        "slow poolings in parts",
    ]
    assert int(found["as traced"]["Operators"]) - int(found["constants folded"]["Operators"]) == 1
    assert float(found["constants folded"]["T1, ms"]) < float(found["as traced"]["T1, ms"])
    assert "1 operator removed and 0 clones added" in texts(app)
    assert list(app.dataframe[0].value["operator"]) == ["expand"]


def test_each_switch_is_kept_in_the_address(visit):
    app = visit(PAGE, model="densenet121", workers="2")
    assert "Nothing to rewrite in densenet121" in texts(app)

    app.toggle(key="rewrite-constants").set_value(False).run()
    app.toggle(key="rewrite-repeats").set_value(False).run()
    app.toggle(key="rewrite-split").set_value(False).run()
    app.toggle(key="rewrite-clone").set_value(True).run()

    assert app.query_params["constants"] == "off"
    assert app.query_params["repeats"] == "off"
    assert app.query_params["split"] == "off"
    assert app.query_params["clone"] == "on"
    assert list(rows(app)) == ["as traced", "dead code dropped", "cheap operators cloned"]
    app.toggle(key="rewrite-constants").set_value(True).run()
    assert "constants" not in app.query_params


def test_repeats_are_listed(visit):
    app = visit(PAGE, model="timm:dla34", workers="1")
    found = rows(app)

    assert not app.exception
    assert int(found["as traced"]["Operators"]) - int(found["repeats shared"]["Operators"]) == 2
    assert "4 operators removed and 0 clones added" in texts(app)
    assert list(app.dataframe[0].value["kind"]) == ["maxpool2d", "maxpool2d"]  # and two dead


def test_clones_are_listed_and_stand_in_the_graph_and_in_the_code(visit):
    asked = {"model": "googlenet", "workers": "2", "split": "off", "clone": "on"}
    app = visit(PAGE, **asked)
    (clone,) = app.dataframe[-1].value.to_dict("records")

    assert clone["clone"] == f"{clone['of']}_clone1"
    found = rows(app)
    assert found["cheap operators cloned"]["Clones"] == "1"
    before, after = (found[stage] for stage in ("as traced", "cheap operators cloned"))
    assert float(after["Predicted, ms"]) < float(before["Predicted, ms"])
    graph = visit("pages/graph.py", operator=clone["clone"], view="workers", **asked)
    assert f"<dt>Clone of</dt><dd>{clone['of']}</dd>" in texts(graph)
    assert "1 clone, dashed." in texts(graph)
    code = visit("pages/code.py", **asked)
    assert f"# {clone['of']} again, not to wait for" in program(code)


def test_poolings_in_parts_are_listed_and_stand_in_the_graph_and_in_the_code(visit, slow_pooling):
    asked = {"model": "squeezenet1_0", "workers": "2", "cost": "measured"}
    app = visit(PAGE, **asked)
    found = rows(app)

    assert found["slow poolings in parts"]["Parts"] == "2"
    before, after = (float(found[s]["Predicted, ms"]) for s in ("as traced", SPLIT))
    assert after < before
    (row,) = app.dataframe[-1].value.to_dict("records")
    assert (row["operator"], row["parts"]) == (slow_pooling, 2)
    assert row["computed by"] == "cluster 0, cluster 1"
    assert "0 operators removed and 0 clones added, 1 pooling cut into parts;" in texts(app)
    graph = visit("pages/graph.py", view="workers", operator=f"{slow_pooling}_part1", **asked)
    assert "1 pooling cut into parts." in texts(graph)
    assert f"# part of {slow_pooling}: the rest by" in program(visit("pages/code.py", **asked))
    assert "_part1" not in program(visit("pages/code.py", split="off", **asked))


def test_an_impossible_switch_gets_one_sentence(visit):
    app = visit(PAGE, clone="<b>")

    assert not app.exception
    assert "Clone is one of on, off" in texts(app)


def test_an_address_cannot_run_code(visit):
    app = visit("pages/code.py", model="tests.model.test_elsewhere:broken")

    assert not app.exception
    assert "which an address must not ask for" in texts(app)


def test_a_model_that_is_in_no_list_is_shown_all_the_same(visit):
    app = visit("pages/code.py", model="mc3_18", workers="1")

    assert not app.exception
    assert "mc3_18: 68 operators" in program(app)
    assert "mc3_18" in app.selectbox(key="model-picker").options[0]
