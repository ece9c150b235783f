"""What a session has written into its address, and the browser has not heard of yet, counts."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.common import address

from .screen import texts

SMALL = {"model": "squeezenet1_0"}


@pytest.fixture
def chosen(visit):
    """The graph's page after a click on an operator, and the address of before."""
    app = visit("pages/graph.py", **SMALL)
    next(found for found in app.button if (found.key or "").startswith("to-The heaviest")).click()
    app.run()
    assert app.query_params["operator"]
    return app


def test_a_message_from_before_a_change_does_not_take_it_back(chosen):
    name = chosen.query_params.pop("operator")  # sent before the browser had the answer

    chosen.run()

    assert chosen.query_params["operator"] == name


def test_a_link_drawn_before_a_change_carries_it_all_the_same(chosen):
    name = chosen.query_params["operator"]
    chosen.switch_page("pages/code.py")
    chosen.query_params.clear()
    chosen.query_params.update(SMALL)

    chosen.run()

    assert chosen.query_params["operator"] == name


def test_who_goes_elsewhere_or_comes_later_is_believed(chosen, monkeypatch):
    chosen.query_params["operator"] = "features_0"
    chosen.run()
    assert chosen.query_params["operator"] == "features_0"

    chosen.button(key="to-Is read by-features_1").click().run()
    monkeypatch.setattr(address, "UNDER_WAY_S", 0.0)
    chosen.query_params["operator"] = "features_0"
    chosen.run()

    assert chosen.query_params["operator"] == "features_0"


def test_a_model_chosen_where_the_address_is_wrong_is_shown(visit):
    app = visit("pages/code.py", **SMALL, cost="nosuch", workers="none")
    assert "There is no cost model" in texts(app)

    app.selectbox(key="model-picker").select("squeezenet1_1").run()

    assert app.query_params == {"model": "squeezenet1_1"}
    assert "rv-error" not in texts(app)


def _agreeing():
    import streamlit as st

    from pages.common import agreed

    told = st.session_state.setdefault("told", [])
    agreed.catch_up("view", {"selected": told.append})
    st.text(agreed.sent("view", "selected", None)["turn"])


def test_a_change_whose_callback_was_cut_short_is_acted_on_once():
    app = AppTest.from_function(_agreeing).run()
    assert app.text[0].value == "0"

    app.session_state["view"] = {"selected": {"value": "conv", "turn": 1}}
    app.run()
    app.run()

    assert app.session_state["told"] == ["conv"]
    assert app.text[0].value == "1"
