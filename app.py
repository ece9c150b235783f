"""The landing page: choose a model and see what can be gained from it."""

from __future__ import annotations

from collections import Counter

import plotly.graph_objects as go
import streamlit as st

from pages.common import address, cards, frame, kept, own_weights, upload
from ramiel_core import pipeline
from ramiel_core.ir import Graph, Plan
from ramiel_core.model import zoo
from ramiel_core.view import palette
from ramiel_core.view.figures import quiet
from ramiel_core.words import plural, times

KINDS_SHOWN = 8
ALL = "All families"
FIRST_TRIES = {
    "googlenet": "GoogLeNet",
    "inception_v3": "Inception-v3",
    "squeezenet1_0": "SqueezeNet 1.0",
    "resnet50": "ResNet-50",
    "densenet121": "DenseNet-121",
}
NEXT = (
    (
        "pages/graph.py",
        "Graph",
        ":material/account_tree:",
        "Every operator, its cluster, and the critical path.",
    ),
    (
        "pages/merging.py",
        "Merging",
        ":material/merge:",
        "How chains became clusters, step by step.",
    ),
    ("pages/code.py", "Code", ":material/code:", "The program that runs: one function a cluster."),
    (
        "pages/benchmark.py",
        "Benchmark",
        ":material/speed:",
        "Is it faster on this host? Measure it.",
    ),
    (
        "pages/tune.py",
        "Tune",
        ":material/tune:",
        "Which kernels, workers and threads are fastest here?",
    ),
)


def choose(model: str) -> None:
    """Let the user pick a model, by family, by name or from a few well-known ones."""
    families = zoo.families()
    left, right = st.columns([2, 5], vertical_alignment="bottom")
    family = left.selectbox(
        "Family",
        [ALL, *families],
        key="family",
        on_change=_choose_first_of_family,
        help="Narrows the list beside it.",
    )
    names = list(families.get(family, ()))
    with right:
        if family != ALL and model in names:
            st.session_state["model-of-family"] = model
            st.selectbox(
                "Model",
                names,
                key="model-of-family",
                on_change=lambda: frame.choose_model(st.session_state["model-of-family"]),
            )
        else:
            frame.model_picker(model, key="model-of-all")
    st.session_state["first-tries"] = model if model in FIRST_TRIES else None
    st.pills(
        "Well-known ones",
        list(FIRST_TRIES),
        key="first-tries",
        format_func=FIRST_TRIES.__getitem__,
        on_change=_choose_well_known,
        label_visibility="collapsed",
    )


def _choose_first_of_family() -> None:
    family = st.session_state["family"]
    if family != ALL:
        frame.choose_model(zoo.families()[family][0])


def _choose_well_known() -> None:
    st.session_state["family"] = ALL
    frame.choose_model(st.session_state["first-tries"])


def numbers(graph: Graph, plan: Plan) -> None:
    """Show what planning found: what can be gained first, and what the model is in a line."""
    found = pipeline.summary(graph, plan)
    model, costs = graph.cost_model, cards.COST_HELP[graph.cost_model]
    cards.figures(
        (
            f"Parallelism · {model}",
            times(found["parallelism"]),
            (
                "T1 / T∞: the most that any number of workers could gain, if handing values over "
                f"were free. {costs}"
            ),
        ),
        (
            f"T1, all the work · {model}",
            cards.cost(found["t1_ms"], model),
            f"The cost of all operators, one after another: the time of one worker. {costs}",
        ),
        (
            f"T∞, critical path · {model}",
            cards.cost(found["tinf_ms"], model),
            (
                "The longest chain of operators that wait for each other: no number of workers can "
                f"be done sooner, as long as operators stay whole. {costs}"
            ),
        ),
        (
            "Chains → clusters",
            f"{found['clusters_linear']} → {found['clusters_merged']}",
            (
                "Linear clustering cuts the graph into chains; merging then puts chains together "
                "that one worker can do in turn. What is left could run on so many workers."
            ),
        ),
    )
    counted = (node.flops for node in graph.nodes if not node.pooled_dimensions)  # as others count
    arithmetic = cards.quantity(sum(counted), "FLOP")
    cards.sub(
        f"{plural(found['operators'], 'operator')}, {cards.count(found['parameters'])} "
        f"parameters, {arithmetic} for one inference at batch size 1."
    )


def work_by_kind(graph: Graph) -> go.Figure:
    """Draw the share of T1 that each kind of operator takes."""
    work, calls = Counter[str](), Counter[str]()
    for node in graph.nodes:
        work[node.op] += node.cost_ms
        calls[node.op] += 1
    shown = work.most_common(KINDS_SHOWN)
    rest = graph.t1_ms - sum(cost for _, cost in shown)
    rows = [(kind, cost, calls[kind]) for kind, cost in shown]
    if len(work) > KINDS_SHOWN:
        rows.append(("all others", rest, len(graph) - sum(calls[kind] for kind, _ in shown)))
    shares = [100 * cost / graph.t1_ms for _, cost, _ in rows]
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=[kind for kind, _, _ in rows],
            orientation="h",
            marker={"color": palette.ACCENT},
            text=[f"{share:.1f} %" for share in shares],
            textposition="outside",
            cliponaxis=False,
            customdata=[(n, cards.cost(cost, graph.cost_model)) for _, cost, n in rows],
            hovertemplate="<b>%{y}</b> %{x:.1f} % of T1<br>%{customdata[0]} operators, "
            "%{customdata[1]}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title_text="share of T1, %", range=[0, max(shares) * 1.16])
    return quiet(figure, 90 + 30 * len(rows))


def onward() -> None:
    """Link to the other pages, with what they are for."""
    for column, (page, label, icon, text) in zip(st.columns(len(NEXT)), NEXT, strict=True):
        with column.container(border=True, height="stretch"):
            st.page_link(
                page,
                label=f"**{label}**",
                icon=icon,
                width="stretch",
                query_params=address.carried(),
            )
            cards.sub(text)


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Find the parallelism hidden in a model",
        "Ramiel cuts a model's operator graph into clusters that run side by side, writes one "
        "Python function for each, and measures on your machine whether that is faster.",
        model_in_sidebar=False,
    )
    choose(chosen.model)
    upload.offer(chosen.model)
    own_weights.offer(chosen)
    with st.spinner("Planning…"):
        plan, said = kept.plan_of(graph), kept.outlook(graph)
    cards.verdict(f"{graph.model}: {said}", good=False)
    numbers(graph, plan)
    onward()
    st.subheader("Where the work lies")
    cards.sub(cards.COST_HELP[graph.cost_model])
    st.plotly_chart(work_by_kind(graph), config={"displayModeBar": False})


main()
