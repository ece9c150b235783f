"""Everything that can be taken along, in formats that other tools read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.common import address, cards, frame, kept, live
from ramiel_core import outcomes, pipeline
from ramiel_core.errors import RamielError
from ramiel_core.graph import saved as graphs
from ramiel_core.ir import Graph, Plan, Report
from ramiel_core.plan import saved as plans
from ramiel_core.plan.parts import in_parts
from ramiel_core.report import perfetto
from ramiel_core.report.summarize import report_from
from ramiel_core.view import bitmap, dag
from ramiel_core.words import plural


@dataclass(frozen=True)
class Offer:
    """A file that can be downloaded."""

    label: str
    ending: str
    mime: str
    meaning: str
    make: Callable[[], str | bytes]


def of_graph(graph: Graph, plan: Plan) -> tuple[Offer, ...]:
    """The picture, and what is behind it."""
    clusters, path = dict(enumerate(plan.clusters)), plan.critical_path

    def drawn(make: Callable[..., str | bytes]) -> Callable[[], str | bytes]:
        return lambda: make(graph, clusters, path)

    return (
        Offer(
            "Graph, JSON",
            "graph.json",
            "application/json",
            "Every operator with its costs and shapes; from_json of ramiel_core.graph.saved reads "
            "it back.",
            lambda: graphs.to_json(graph),
        ),
        Offer(
            "Operators, CSV",
            "operators.csv",
            "text/csv",
            "One line an operator, for a spreadsheet: kind, module, worker, costs, sizes.",
            lambda: graphs.operators_csv(graph, plan),
        ),
        Offer(
            "Picture, SVG",
            "svg",
            "image/svg+xml",
            "The graph as Graphviz draws it, exact at any size.",
            drawn(dag.svg),
        ),
        Offer(
            "Picture, PNG",
            "png",
            "image/png",
            "The same as a bitmap; edges that other paths imply are left out of dense graphs.",
            drawn(bitmap.png),
        ),
        Offer(
            "Picture, DOT",
            "dot",
            "text/vnd.graphviz",
            "The graph in Graphviz’s own language, clusters coloured.",
            drawn(dag.dot_text),
        ),
    )


def of_plan(graph: Graph, plan: Plan, ran: tuple[Graph, Plan]) -> tuple[Offer, ...]:
    """Who runs what, and when; `ran` is what a benchmark runs of it, poolings cut."""
    name = f"{graph.model}, predicted"
    timeline = pipeline.timeline_of(*ran)
    whole = " Operators are whole in it." if ran[0].split else ""
    return (
        Offer(
            "Plan, JSON",
            "plan.json",
            "application/json",
            f"Who runs what in which order; the page Edit loads it again.{whole}",
            lambda: plans.to_json(graph, plan),
        ),
        Offer(
            "Program, Python",
            "py",
            "text/x-python",
            "The text that runs: one function a worker.",
            lambda: pipeline.program_of(*ran).source,
        ),
        Offer(
            "Predicted trace",
            "predicted.trace.json",
            "application/json",
            "The predicted timeline as Chrome trace events, for ui.perfetto.dev.",
            lambda: json.dumps(perfetto.trace({name: (timeline, ran[0].edges)})),
        ),
    )


def of_run(graph: Graph, record: dict[str, Any], report: Report) -> tuple[Offer, ...]:
    """What a benchmark found; operator by operator only where it ran those of the graph."""
    ran = in_parts(graph, report.split)
    whole = (
        Offer(
            "Report, HTML",
            "html",
            "text/html",
            "One page that opens without Ramiel and without a network.",
            lambda: outcomes.html_of(record),
        ),
        Offer(
            "Trace",
            "trace.json",
            "application/json",
            "Both timelines as Chrome trace events, for ui.perfetto.dev.",
            lambda: json.dumps(outcomes.trace_of(record)),
        ),
        Offer(
            "Results, JSON",
            "results.json",
            "application/json",
            "Every time, both timelines, the host’s facts.",
            lambda: json.dumps([record], indent=1),
        ),
    )
    if ran.index.keys() != report.plan.worker_of().keys():
        return whole
    return (
        *whole,
        Offer(
            "Operators measured, CSV",
            "measured.csv",
            "text/csv",
            "One line an operator, with what it took in the traced inference.",
            lambda: graphs.operators_csv(ran, report.plan, report.measured),
        ),
    )


def show(title: str, about: str, model: str, offers: tuple[Offer, ...]) -> None:
    """Show a group of files, each with a sentence on what it is for."""
    st.subheader(title)
    cards.sub(about)
    for row in range(0, len(offers), 4):
        cells = zip(st.columns(4), offers[row : row + 4], strict=False)
        for column, offer in cells:
            with column.container(border=True, height="stretch"):
                st.download_button(
                    offer.label,
                    offer.make,
                    f"{model}.{offer.ending}",
                    offer.mime,
                    icon=":material/download:",
                    on_click="ignore",
                    width="stretch",
                    key=f"export-{offer.ending}",
                )
                cards.sub(offer.meaning)


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Export",
        "Take along the graph, the plan and what a benchmark found, as files that other tools "
        "read. Nothing leaves this host but what you download.",
    )
    natural = kept.plan_of(graph)
    with st.columns([1, 2])[0]:
        frame.workers_picker(natural, chosen, "Workers")
    name = address.get(address.PLAN)
    try:
        plan = kept.kept_plan(graph, name) if name else kept.plan_of(graph, chosen.workers)
        ran = (graph, plan) if name else kept.planned(graph, chosen.workers, **chosen.after)
    except RamielError as error:
        cards.note(str(error), "error")
        return
    said = "your plan by hand" if name else f"the plan for {plural(plan.workers, 'worker')}"
    costs = f"costs by the model “{graph.cost_model}”"
    show(
        "The graph",
        f"{graph.model}, coloured by {said}; {costs}.",
        graph.model,
        of_graph(graph, plan),
    )
    show("The plan", f"{said.capitalize()}; {costs}.", graph.model, of_plan(graph, plan, ran))
    record = live.last_record(chosen.model)
    if record is None:
        st.subheader("A benchmark")
        cards.note("No benchmark of this model is kept on this host; the page Benchmark runs one.")
        st.page_link(
            "pages/benchmark.py",
            label="Benchmark",
            icon=":material/arrow_forward:",
            query_params=address.carried(),
        )
        return
    report = report_from(record)
    show("The latest benchmark", report.verdict, graph.model, of_run(graph, record, report))


main()
