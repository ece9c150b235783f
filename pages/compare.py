"""Two plans of one graph side by side: who runs what, when, and what was measured of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.common import address, cards, frame, kept, lists, live, pictures
from pages.common.gantt_component import gantt_view
from pages.common.graph_component import CHOSEN, graph_view
from ramiel_core import pipeline
from ramiel_core.bootstrap import difference_of_medians
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Plan, Report, Timeline
from ramiel_core.plan.by_hand import BY_HAND
from ramiel_core.plan.compare import matched_workers, moved
from ramiel_core.plan.planner import PLANNERS
from ramiel_core.report.summarize import report_from
from ramiel_core.run import jobs
from ramiel_core.words import plural, times

USUAL = {address.ONE: "ramiel:2", address.OTHER: "heft:2"}
LETTER = {address.ONE: "A", address.OTHER: "B"}
MOST_WORKERS = 64
HEIGHT = 560  # px, of each graph
OTHER_SPEED = 0.05  # sequential medians farther apart than this are of two different hosts


@dataclass(frozen=True)
class Side:
    """One of the two plans."""

    letter: str
    name: str
    plan: Plan
    measured: Report | None

    def __str__(self) -> str:
        return f"{self.letter}: {self.name}"


def pick(graph: Graph, parameter: str, reports: Sequence[Report]) -> Side:
    """Let the user choose a plan: a planner with a number of workers, or the plan by hand."""
    letter, text = LETTER[parameter], address.get(parameter, USUAL[parameter])
    planner, _, number = text.rpartition(":")
    by_hand = address.get(address.PLAN)
    options = [name for name, known in PLANNERS.items() if not known.refuses(graph)]
    options += [BY_HAND] if by_hand else []
    known = planner in options and number.isascii() and number.isdigit()
    if not known or not 1 <= int(number[:4]) <= MOST_WORKERS:
        cards.note(
            f"Plan {letter} is a planner and 1 to {MOST_WORKERS} workers, such as heft:2, not "
            f"{text[:60]!r}; {USUAL[parameter]} is shown.",
            "error",
        )
        planner, number = USUAL[parameter].split(":")
    keys = f"compare-planner-{letter}", f"compare-workers-{letter}"
    st.session_state[keys[0]], st.session_state[keys[1]] = planner, int(number)

    def changed() -> None:
        address.put(parameter, ":".join(str(st.session_state[key]) for key in keys))

    left, right = st.columns(2)
    left.selectbox(
        f"Planner {letter}",
        options,
        key=keys[0],
        on_change=changed,
        help="Who decides which worker runs what; “by hand” is the plan of the page Edit.",
    )
    right.number_input(
        f"Workers {letter}",
        1,
        MOST_WORKERS,
        key=keys[1],
        on_change=changed,
        disabled=planner == BY_HAND,
        help="At most so many; a plan by hand has its own.",
    )
    if planner == BY_HAND and by_hand:
        plan, name = kept.kept_plan(graph, by_hand), BY_HAND
    else:
        plan, _ = kept.timed_plan(graph, int(number), planner)
        name = f"{planner}, {plural(int(number), 'worker')}"
    return Side(letter, name, plan, measured(reports, plan))


def measured(reports: Sequence[Report], plan: Plan) -> Report | None:
    """The first benchmark of exactly this plan, with eager kernels and one thread each."""
    for report in reports:
        same = report.job.kernels == "eager" and report.job.threads == 1
        if same and report.plan.clusters == plan.clusters:
            return report
    return None


def numbers(graph: Graph, one: Side, other: Side, elsewhere: tuple[str, ...]) -> None:
    """Show what both are predicted to take."""
    cells: list[tuple[str, str, str, str]] = []
    for side in (one, other):
        plan = side.plan
        gain = plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0
        cells.append(
            (
                f"{side.letter}, predicted · {graph.cost_model}",
                cards.cost(plan.makespan_ms, graph.cost_model),
                cards.COST_HELP[graph.cost_model],
                f"{times(gain)} on {plural(plan.workers, 'worker')}",
            )
        )
    longer = other.plan.makespan_ms - one.plan.makespan_ms
    share = 100 * longer / one.plan.makespan_ms if one.plan.makespan_ms else 0.0
    moved_ms = sum(graph[name].cost_ms for name in elsewhere)
    cells += [
        (
            "B over A, predicted",
            f"{share:+.2f} %",
            "How much longer one inference is predicted to take with B.",
            f"{longer:+.3f} {'units' if graph.cost_model == 'unit' else 'ms'}",
        ),
        (
            "Operators moved",
            f"{len(elsewhere):,}",
            (
                "Workers are alike, so those of B are numbered to share as much work as can be "
                "with those of A; what is then left on another worker has moved."
            ),
            f"{cards.cost(moved_ms, graph.cost_model)} of work",
        ),
    ]
    cards.figures(*cells)


def renumbered(timeline: Timeline, number: dict[int, int]) -> Timeline:
    """The timeline with its workers called as those that they correspond to."""
    bars = tuple(replace(bar, worker=number[bar.worker]) for bar in timeline.bars)
    return replace(timeline, bars=bars)


def timelines(graph: Graph, one: Side, other: Side, elsewhere: tuple[str, ...]) -> None:
    """Draw both on one axis, the operators outlined that moved."""
    st.subheader("Who would do what when")
    if elsewhere:
        cards.sub("Outlined in red: operators that another worker runs in the other plan.")
    number = matched_workers(graph, one.plan, other.plan)
    shown = {
        str(one): pipeline.timeline_of(graph, one.plan),
        str(other): renumbered(pipeline.timeline_of(graph, other.plan), number),
    }
    outlined = {
        name: [bar for bar in timeline.bars if bar.kind == "compute" and bar.name in elsewhere]
        for name, timeline in shown.items()
    }
    because = "on another worker in the other plan"
    gantt_view(shown, key="compare-gantt", unit=graph.unit, outlined=outlined, because=because)


def graphs(graph: Graph, one: Side, other: Side, elsewhere: tuple[str, ...]) -> None:
    """Draw both plans on the operator graph, side by side, with one view of it."""
    st.subheader("Where in the graph")
    cards.sub(
        "A colour is a worker, the same in both. Both pictures move, zoom and select together"
        + ("; dashed: operators that another worker runs in the other plan." if elsewhere else ".")
    )
    number = matched_workers(graph, one.plan, other.plan)
    for column, side in zip(st.columns(2), (one, other), strict=True):
        called = number if side is other else range(side.plan.workers)
        clusters = {called[worker]: names for worker, names in enumerate(side.plan.clusters)}
        with column:
            st.markdown(f"**{side}**")
            graph_view(
                pictures.picture_of(graph, clusters, elsewhere, "on another worker"),
                key=f"compare-graph-{side.letter}",
                height=HEIGHT,
                selected=address.operator(),
                colour="worker",
                link="compare-graphs",
                on={CHOSEN: address.select},
            )


def moves(graph: Graph, one: Side, other: Side, elsewhere: tuple[str, ...]) -> None:
    """List the operators that moved."""
    with st.expander(f"{plural(len(elsewhere), 'operator')} on another worker"):
        number = matched_workers(graph, one.plan, other.plan)
        mine, theirs = one.plan.worker_of(), other.plan.worker_of()
        rows: list[dict[str, Any]] = [
            {
                "operator": name,
                "kind": graph[name].op,
                "cost": cards.cost(graph[name].cost_ms, graph.cost_model),
                "worker in A": mine[name],
                "worker in B": number[theirs[name]],
            }
            for name in elsewhere
        ]
        widths = {"operator": 140, "kind": 75, "cost": 80, "worker in A": 95, "worker in B": 95}
        lists.show(rows, widths, "Operators on another worker")


def measurements(one: Side, other: Side) -> None:
    """Show what was measured of both, or offer to measure."""
    st.subheader("Measured on this host")
    followed = live.named("bench")
    busy = followed is not None and followed.busy
    with st.container(horizontal=True):
        for side in (one, other):
            st.button(
                f"Measure {side.letter}",
                icon=":material/timer:",
                disabled=busy,
                on_click=live.start_by_hand,
                args=(side.plan,),
                help=f"{live.REPEATS} rounds of eager kernels, this very plan and sequential in "
                "turns.",
            )
    if followed is not None and busy:
        live.follow(followed.job_id)
    if one.measured is None or other.measured is None:
        missing = " and ".join(s.letter for s in (one, other) if s.measured is None)
        cards.sub(f"Not measured yet: {missing}. Measure both to see by how much they differ.")
        return
    _difference(one.measured, other.measured)


def _difference(one: Report, other: Report) -> None:
    took_ms = [run.times_ms for report in (one, other) if (run := report.run("parallel"))]
    more_ms, (low, high) = difference_of_medians(*took_ms)
    cards.figures(
        *(
            (
                f"{letter}, measured",
                cards.ms(report.parallel_ms),
                "Median time of one inference in the latest benchmark of this very plan.",
                f"{times(report.speedup)} over its own sequential",
            )
            for letter, report in (("A", one), ("B", other))
        ),
        (
            "B − A, medians",
            f"{more_ms:+.3f} ms",
            (
                "Difference of the medians, and the range in which it lies with 95 % certainty "
                "(bootstrap; both were measured in runs of their own)."
            ),
            f"95 %: {low:+.3f} to {high:+.3f}",
        ),
    )
    if low <= 0 <= high:
        said = "The two plans cannot be told apart: a difference of 0 lies within the interval."
    else:
        said = f"{'A' if more_ms > 0 else 'B'} is faster, beyond the noise of these runs."
    cards.note(said, "good" if low > 0 or high < 0 else "info")
    drift = other.sequential_ms / one.sequential_ms - 1
    if abs(drift) > OTHER_SPEED:
        cards.note(
            f"The host was not equally fast: sequential took {100 * drift:+.0f} % in the run of B. "
            f"Compare the speedups over each run’s own sequential, or measure both again.",
            "warning",
        )


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Compare",
        "Two plans of the same graph: by different planners, for different numbers of workers, or "
        "by hand. What moved, what that is predicted to change, and what was measured.",
    )
    columns = st.columns(2)
    reports = [report_from(record) for _, record in jobs.reports(chosen.model)]
    try:
        sides = []
        for column, parameter in zip(columns, LETTER, strict=True):
            with column, st.container(border=True):
                sides.append(pick(graph, parameter, reports))
    except RamielError as error:
        cards.note(str(error), "error")
        return
    one, other = sides
    elsewhere = moved(graph, one.plan, other.plan)
    numbers(graph, one, other, elsewhere)
    graphs(graph, one, other, elsewhere)
    timelines(graph, one, other, elsewhere)
    if elsewhere:
        moves(graph, one, other, elsewhere)
    measurements(one, other)


main()
