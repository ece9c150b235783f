"""What if: a prediction that follows sliders, beside the plan as it is and the last measurement."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.common import address, assuming, cards, choice, frame, kept, live
from pages.common.gantt_component import gantt_view
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Plan, Report
from ramiel_core.plan.ended import PAYS
from ramiel_core.report.critical import labelled
from ramiel_core.report.summarize import report_from
from ramiel_core.run import host
from ramiel_core.view import curve
from ramiel_core.words import plural, times

PLAIN = {"displayModeBar": False}
REST_S = 0.3


@dataclass(frozen=True)
class Prediction:
    """What is assumed, and the plan under it."""

    assumed: assuming.Assumed
    weighed: Graph
    plan: Plan


def predicted(graph: Graph) -> Prediction:
    """The plan under what the address assumes.

    Raises
    ------
    RamielError
        For an address that assumes what cannot be.
    """
    assumed = assuming.asked(graph, choice.read())
    weighed = assumed.graph(graph)
    return Prediction(assumed, weighed, kept.what_if(weighed, assumed.workers, assumed.pins))


def numbers(graph: Graph, plan: Plan, usual: Plan, measured: Report | None) -> None:
    """Show what is predicted under the assumptions, without them, and what was measured."""
    model = graph.cost_model
    change = plan.makespan_ms / usual.makespan_ms - 1 if usual.makespan_ms else 0.0
    gain = plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0
    cells = [
        (
            f"Prediction · {model}",
            cards.cost(plan.makespan_ms, model),
            (
                "Predicted time of one inference under everything assumed on the left. Nothing was "
                f"run. {cards.COST_HELP[model]}"
            ),
            "as it is" if plan == usual else f"{100 * change:+.1f} % to as it is",
        ),
        (
            "Over one worker",
            times(gain),
            "Predicted time on one worker, under the same assumptions, over the prediction.",
            f"{plural(plan.workers, 'worker')} with work",
        ),
        (
            "As it is, predicted",
            cards.cost(usual.makespan_ms, model),
            "The same number of workers and nothing assumed.",
            f"{times(usual.t1_ms / usual.makespan_ms if usual.makespan_ms else 1.0)} over one",
        ),
    ]
    if measured is None:
        cells.append(("Last measured", "–", "No benchmark of this model is kept on this host.", ""))
    else:
        cells.append(
            (
                "Last measured",
                cards.ms(measured.parallel_ms),
                (
                    "Median time of one inference in the latest benchmark of this model on this "
                    f"host, or in the one that the address names: {measured.job.kernels} kernels."
                ),
                _ran(measured),
            )
        )
    cards.figures(*cells)


def _ran(report: Report) -> str:
    """On what a benchmark ran, and how many of its operators not as predicted here: in parts."""
    cut = len(report.split)
    in_parts = f", {plural(cut, 'pooling')} in parts" if cut else ""
    return f"{report.plan.workers} × {plural(report.job.threads, 'thread')}{in_parts}"


def remarks(plan: Plan, assumed: assuming.Assumed) -> None:
    """Say what to make of the prediction."""
    cores = len(host.cores())
    if plan.workers > 1 and plan.makespan_ms * PAYS > plan.t1_ms:
        cards.note(
            "Side by side is not predicted to pay under these assumptions: run so, the model would "
            "be as fast or faster on one worker, and Ramiel would keep it there.",
            "warning",
        )
    if plan.workers * assumed.threads > cores:
        cards.note(
            f"{plural(plan.workers, 'worker')} × {plural(assumed.threads, 'thread')} "
            f"need {plan.workers * assumed.threads} cores, and this host has {cores}: the "
            f"prediction is for a host that has them."
        )


def timelines(graph: Graph, plan: Plan, measured: Report | None) -> None:
    """Draw who does what when: predicted, and perhaps as measured last."""
    st.subheader("Who would do what when")
    shown = {"prediction, not run": pipeline.timeline_of(graph, plan)}
    comparable = measured is not None and graph.unit == "ms"
    beside = comparable and st.toggle(
        "With the last measurement",
        value=True,
        key="what-if-beside",
        persist_state="session",
        help="Draws the traced inference of the last benchmark below, on the same axis.",
    )
    if measured is not None and beside:
        shown["last measured"] = labelled(measured.measured)
    gantt_view(shown, key="what-if-gantt", unit=graph.unit)


def speedups(now: Prediction) -> None:
    """Draw the speedup over workers, and say where it ends."""
    st.subheader("Speedup over workers")
    plan, assumed = now.plan, now.assumed
    gain = plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0
    points = kept.speedup_curve(now.weighed)
    fit = max(1, len(host.cores()) // assumed.threads)
    figure = curve.speedup_curve(points, assumed.workers, gain, fit)
    best = max(points, key=lambda point: point.speedup)
    cards.sub(
        f"Prediction without pins. T1/T∞ = {plan.parallelism:.2f}: the work over the critical path "
        f"with free sends, which no number of workers can beat, operators whole. The best here is "
        f"{times(best.speedup)} with {plural(best.used, 'worker')}; Graham’s line is what "
        f"any plan that leaves no worker idle without need reaches, were sends free."
    )
    st.plotly_chart(figure, config=PLAIN, key="what-if-curve")


@st.fragment
def answer(
    graph: Graph, around: Mapping[str, str], drawn: Prediction, aside: DeltaGenerator
) -> None:
    """Draw what follows the controls at once. They run this alone; the page around it follows.

    Parameters
    ----------
    graph : Graph
        As it is.
    around : Mapping[str, str]
        The address that the page around was drawn for: its links carry it on.
    drawn : Prediction
        Under that address.
    aside : DeltaGenerator
        Where the controls are.
    """
    changed = address.current() != around
    try:
        now = predicted(graph) if changed else drawn
    except RamielError:
        st.rerun()  # the page says what is wrong
    usual = kept.what_if(graph, now.assumed.workers, {})
    record = live.last_record(choice.read().model)
    measured = report_from(record) if record else None
    numbers(graph, now.plan, usual, measured)
    remarks(now.plan, now.assumed)
    timelines(now.weighed, now.plan, measured)
    with aside:
        assuming.controls(graph, now.assumed, usual.workers)
    if changed:
        follow(time.monotonic())


@st.fragment(run_every=REST_S)
def follow(answered_s: float) -> None:
    """Draw the page around an answer anew once the controls rest: its links, and the curve.

    Parameters
    ----------
    answered_s : float
        When the answer was drawn, by the monotonic clock. To go on right then would keep both the
        server and the browser busy while the answer is on its way.
    """
    if time.monotonic() - answered_s > REST_S / 2:
        st.rerun()


def main() -> None:
    """Draw the page."""
    graph, _ = frame.opened(
        "What if",
        "More workers, more threads, a faster link, a better kernel, an operator elsewhere: what "
        "would one inference take? Everything here is a prediction, at once, and nothing runs.",
    )
    try:
        drawn = predicted(graph)
    except RamielError as error:
        cards.note(str(error), "error")
        st.button("Assume nothing", icon=":material/restart_alt:", on_click=assuming.forget)
        return
    left, right = st.columns([4, 11])
    with right:
        answer(graph, address.current(), drawn, left)
        speedups(drawn)


main()
