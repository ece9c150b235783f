"""What every page shares: its head, its style, and the sidebar with model, costs and links."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.common import address, cards, choice, kept, measuring
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Plan
from ramiel_core.model import zoo
from ramiel_core.run import host
from ramiel_core.words import plural

ASSETS = Path(__file__).parents[2] / "assets"
PAGES = (
    ("app.py", "Model", ":material/deployed_code:"),
    ("pages/graph.py", "Graph", ":material/account_tree:"),
    ("pages/rewrites.py", "Rewrites", ":material/content_cut:"),
    ("pages/merging.py", "Merging", ":material/merge:"),
    ("pages/planners.py", "Planners", ":material/alt_route:"),
    ("pages/what_if.py", "What if", ":material/experiment:"),
    ("pages/edit.py", "Edit", ":material/edit_note:"),
    ("pages/compare.py", "Compare", ":material/compare_arrows:"),
    ("pages/code.py", "Code", ":material/code:"),
    ("pages/benchmark.py", "Benchmark", ":material/speed:"),
    ("pages/tune.py", "Tune", ":material/tune:"),
    ("pages/export.py", "Export", ":material/download:"),
)


def opened(title: str, lead: str, *, model_in_sidebar: bool = True) -> tuple[Graph, choice.Choice]:
    """Draw the frame of a page and say what the page is about.

    Stops the page with one sentence where the address asks for what does not exist.

    Parameters
    ----------
    title, lead : str
        Of the page, and the sentence below.
    model_in_sidebar : bool
        False for the page that lets the model be chosen in its middle.
    """
    st.set_page_config(f"{title} · Ramiel", str(ASSETS / "icon.svg"), layout="wide")
    st.html(ASSETS / "app.css")
    st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.svg"), size="large")
    problem = ""
    try:
        chosen = choice.read()
        graph = kept.graph_of(chosen.model, chosen.cost, chosen.rewrites)
    except RamielError as error:
        problem = str(error)
    with st.sidebar:
        _links()
        if model_in_sidebar or problem:
            model_picker("" if problem else chosen.model)
        if not problem:
            _costs(graph, chosen)
        cards.sub(f"{host.processor()}, {plural(len(host.cores()), 'core')}")
    st.title(title)
    if problem:
        _ways_out(problem)
        st.stop()
    cards.lead(lead)
    return graph, chosen


def _ways_out(problem: str) -> None:
    """Say why there is nothing to show, and where to go on."""
    asked = address.current()
    model = asked.get(address.MODEL, choice.DEFAULT_MODEL)
    known = model in zoo.names() or (pipeline.is_file(model) and pipeline.is_here(model))
    if asked.get(address.COST) == "measured" and known:
        cards.note(
            f"The operators of {pipeline.label(model)} were never measured on this host.", "warning"
        )
        with st.columns([1, 3])[0]:
            measuring.offer(model)
    else:
        cards.note(problem, "error")
    cards.sub("Choose a model on the left, or go back to the start page.")
    st.page_link("app.py", label="Start page", icon=":material/arrow_back:")


def _links() -> None:
    with st.container(gap="xxsmall"):
        for page, label, icon in PAGES:
            asked = address.carried()
            st.page_link(page, label=label, icon=icon, width="stretch", query_params=asked)


def model_picker(model: str, label: str = "Model", key: str = "model-picker") -> None:
    """Offer every model in a list that can be searched, grouped by family."""
    names = [name for group in zoo.families().values() for name in group]
    names = [model, *names] if model and model not in names else names  # a file, or typed
    st.session_state[key] = model or None
    st.selectbox(
        label,
        names,
        key=key,
        index=0 if model else None,
        format_func=_named,
        placeholder="Type to search",
        on_change=lambda: choose_model(st.session_state[key]),
        help="torchvision's classification models, with random weights: speed does not depend "
        "on them.",
    )


def _named(model: str) -> str:
    family = "Uploaded" if pipeline.is_file(model) else zoo.family(model)
    return f"{family} · {pipeline.label(model)}"


def choose_model(model: str | None) -> None:
    """Go on with another model; what belonged to the one before is forgotten."""
    if model is None:
        return
    asked = address.current()
    stays = {
        name: asked[name]
        for name in (address.COST, *address.REWRITES, *address.CONFIGURATION)
        if name in asked
    }
    try:
        choice.read()
    except RamielError:  # whatever of it is wrong, the new model shall be shown
        stays = {}
    if stays.get(address.COST) == "measured" and not _is_measured(model):
        del stays[address.COST]
    address.go({address.MODEL: model, **stays})


def _is_measured(model: str) -> bool:
    return pipeline.is_measured(kept.graph_of(model, "unit"))


def _costs(graph: Graph, chosen: choice.Choice) -> None:
    known = pipeline.is_measured(graph)
    options = ["flops", "unit", *(["measured"] if known else [])]
    st.selectbox(
        "Cost of an operator",
        options,
        format_func=cards.COST_NAMES.__getitem__,
        help="What counts as an operator's cost, wherever a time is predicted.\n\n"
        + "\n\n".join(cards.COST_HELP[option] for option in cards.COST_HELP),
        **address.mirror(address.COST, chosen.cost, "cost-picker"),
    )
    if not known or address.get(address.MEASURING) is not None:
        measuring.offer(chosen.model)


def workers_picker(plan: Plan, chosen: choice.Choice, label: str = "Clusters") -> None:
    """Offer the natural fixpoint of merging, or fewer clusters."""
    fewer = range(plan.fixpoint - 1, 0, -1)
    asked = [chosen.workers] if chosen.workers and chosen.workers not in fewer else []
    st.selectbox(
        label,
        [0, *asked, *fewer],
        format_func=lambda workers: (
            f"natural fixpoint ({plan.fixpoint})"
            if workers == 0
            else f"at most {plural(workers, 'worker')}"
        ),
        help="Merging stops by itself where no two clusters fit after each other on one worker. "
        "It can go on to as few workers as you have cores.",
        **address.mirror(address.WORKERS, chosen.workers or 0, "workers-picker"),
    )
