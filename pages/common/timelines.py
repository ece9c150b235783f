"""A benchmark's two timelines on one axis, and the critical path predicted and realised."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from pages.common import address, cards, choice, kept, lists
from pages.common.gantt_component import gantt_view
from ramiel_core import outcomes
from ramiel_core.errors import RamielError
from ramiel_core.ir import BarKind, Report
from ramiel_core.plan.compare import moved
from ramiel_core.report.critical import Difference, critical_bars, differences, labelled, spent_ms
from ramiel_core.words import plural

SPENT_ON: dict[BarKind, str] = {
    "compute": "Operators on the chain of events that decided the time of this run.",
    "copy": "Copying values of that chain into shared memory, for other workers.",
    "wait": "From publishing a value until the waiting worker went on: the signal's way.",
    "dispatch": "Workers wake up or change their thread count, the caller notices the end.",
}


def show(report: Report, record: dict[str, Any]) -> None:
    """Draw both timelines, and tell their critical paths apart."""
    st.subheader("Who did what when")
    cards.sub(
        "One row for each worker. Above as predicted from measured operator costs, below as "
        "traced in a run of its own. Outlined in red: the critical path, the chain of events that "
        "decided how long the run took. Hover for names; click a bar to select its operator on "
        "every page."
    )
    shown = {"predicted": report.predicted, "measured": labelled(report.measured)}
    paths = {name: critical_bars(timeline) for name, timeline in shown.items()}
    gantt_view(shown, key="gantt", outlined=paths, because="on the critical path")
    expected, spent = (spent_ms(path) for path in paths.values())
    cards.figures(
        *(
            (
                f"Critical path: {kind}",
                cards.ms(spent[kind]),
                meaning,
                f"predicted {cards.ms(expected[kind])}",
            )
            for kind, meaning in SPENT_ON.items()
        )
    )
    found = differences(report.predicted, report.measured)
    cards.sub(agreement(found))
    with st.expander("The critical path, operator by operator"):
        lists.show([_row(d) for d in found], WIDTHS, "The critical path", NUMBERS)
    with st.container(horizontal=True):
        _downloads(report, record)
        _recalibration(report)
    told = st.session_state.get("recalibrated")
    if told and told[0] == address.get(address.JOB):
        cards.note(told[1], told[2])


def agreement(found: tuple[Difference, ...]) -> str:
    """How far the predicted critical path is the one that was realised, in a sentence or two."""
    both = sum(d.on_predicted and d.on_measured for d in found)
    only = [d.name for d in found if d.on_predicted and not d.on_measured]
    instead = [d.name for d in found if d.on_measured and not d.on_predicted]
    if not only and not instead:
        return f"The critical path came as predicted: the same {plural(both, 'operator')}."
    return (
        f"{plural(both, 'operator')} on the critical path as predicted. Predicted to be on "
        f"it but were not: {_some(only)}. On it instead: {_some(instead)}."
    )


def _some(names: list[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name[:60] for name in names[:3]) + more


WIDTHS = {
    "operator": 115,
    "critical in": 105,
    "predicted, ms": 100,
    "measured, ms": 100,
    "more, ms": 72,
}  # px
NUMBERS: dict[str, Any] = {
    "predicted, ms": st.column_config.NumberColumn("Predicted, ms", format="%.3f"),
    "measured, ms": st.column_config.NumberColumn(
        "Measured, ms", format="%.3f", help="In the one inference that was traced."
    ),
    "more, ms": st.column_config.NumberColumn(
        "More, ms", format="%+.3f", help="By how much it took longer than predicted."
    ),
}


def _row(d: Difference) -> dict[str, Any]:
    where = {(True, True): "both", (True, False): "predicted only", (False, True): "measured only"}
    return {
        "operator": d.name,
        "critical in": where[d.on_predicted, d.on_measured],
        "predicted, ms": d.predicted_ms,
        "measured, ms": d.measured_ms,
        "more, ms": d.more_ms,
    }


def _downloads(report: Report, record: dict[str, Any]) -> None:
    st.download_button(
        "Download report",
        lambda: outcomes.html_of(record),
        f"{report.model}.html",
        "text/html",
        icon=":material/description:",
        on_click="ignore",
        help="This result as one page that opens without Ramiel and without a network.",
    )
    st.download_button(
        "Download trace",
        lambda: json.dumps(outcomes.trace_of(record)),
        f"{report.model}.trace.json",
        "application/json",
        icon=":material/timeline:",
        on_click="ignore",
        help="Both timelines as Chrome trace events, with an arrow for each send: open the file in "
        "ui.perfetto.dev or chrome://tracing.",
    )


def _recalibration(report: Report) -> None:
    """Offer to plan with the costs that this benchmark measured."""
    st.button(
        "Recalibrate",
        icon=":material/straighten:",
        on_click=_recalibrate,
        args=(report,),
        help="Puts the operator costs of this benchmark's own minutes into the cost model "
        "“measured”, chooses it, and plans again, on every page.",
    )


def _recalibrate(report: Report) -> None:
    try:
        cost = address.get(address.COST, choice.DEFAULT_COST)
        before = kept.graph_of(report.job.model, cost, report.job.rewrites)
        after = outcomes.recalibrate(report)
    except RamielError as error:
        _tell(str(error), "error")
        return
    workers = report.job.workers or report.plan.workers
    old, new = (kept.plan_of(graph, workers) for graph in (before, after))
    address.put(address.COST, "measured")
    elsewhere = len(moved(after, old, new))
    _tell(
        f"{plural(len(after), 'operator')} recalibrated, and planned again for "
        f"{plural(workers, 'worker')}: predicted {cards.ms(new.makespan_ms)} (by "
        f"“{before.cost_model}” costs {cards.cost(old.makespan_ms, before.cost_model)}, measured "
        f"{cards.ms(report.parallel_ms)}); {plural(elsewhere, 'operator')} changed the "
        f"worker.",
        "good",
    )


def _tell(text: str, kind: str) -> None:
    st.session_state["recalibrated"] = (address.get(address.JOB), text, kind)
