"""Every planner on the same graph: what each one predicts, and how near it comes to the bound."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TypedDict

import streamlit as st

from pages.common import cards, choice, frame, kept, table
from pages.common.table import Column
from ramiel_core import pipeline
from ramiel_core.ir import MOLDABLE, Graph, Plan
from ramiel_core.plan.exact import largest_section
from ramiel_core.plan.planner import PLANNERS
from ramiel_core.run import host
from ramiel_core.view import planners as figures
from ramiel_core.words import plural

BARS = {"displayModeBar": False}


class Row(TypedDict):
    """A line of the table."""

    planner: str
    makespan: float | None
    over: float | None  # percent
    speedup: float | None
    workers: int | None
    cut: int | None
    time: float | None
    remark: str


def cut_edges(graph: Graph, plan: Plan) -> int:
    """Edges between operators of different workers."""
    worker_of = plan.worker_of()
    return sum(worker_of[p] != worker_of[r] for p, r in graph.edges)


def row(graph: Graph, name: str, plan: Plan, seconds: float, bound_ms: float) -> Row:
    """What the table says of one plan."""
    over = 100 * (plan.makespan_ms / bound_ms - 1) if bound_ms else 0.0
    return {
        "planner": name,
        "makespan": plan.makespan_ms,
        "over": over,
        "speedup": plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0,
        "workers": plan.workers,
        "cut": cut_edges(graph, plan),
        "time": 1000 * seconds,
        "remark": remark(plan),
    }


def remark(plan: Plan) -> str:
    """What is special about one plan."""
    if plan.lower_bound_ms:
        gap = 100 * (1 - plan.lower_bound_ms / plan.makespan_ms)
        return "proved optimal" if gap < 0.1 else f"stopped; at most {gap:.1f} % above the optimum"
    if plan.rejected_makespan_ms is not None:
        return "its parallel plan does not pay: sequential"
    return ""


def untried(name: str, why: str) -> Row:
    """What the table says of a planner that cannot plan this."""
    return {
        "planner": name,
        "makespan": None,
        "over": None,
        "speedup": None,
        "workers": None,
        "cut": None,
        "time": None,
        "remark": f"not tried: {why}",
    }


def moldable(graph: Graph, workers: int) -> tuple[Plan | None, float, str]:
    """The moldable plan, the seconds it took, and a remark; or no plan, and why."""
    most = min(workers, len(host.cores()))
    if graph.cost_model == "unit":
        return None, 0.0, "equal costs do not know of threads"
    if most == 1:
        return None, 0.0, "there is one core to share"
    plan, seconds = kept.timed_moldable(graph, workers)
    known = graph.cost_model == "measured" and pipeline.is_measured(graph, most)
    costs = "as measured" if known else "by Amdahl’s law"
    wide = f"{len(plan.wide)} of {plural(len(graph), 'operator')} with {most} threads"
    remark = f"{wide}, their costs {costs}" if plan.wide else "no operator gains by threads"
    return replace(plan, t1_ms=graph.t1_ms), seconds, remark


def columns(unit: str) -> dict[str, Column]:
    """The columns of the table, times in this unit."""
    return {
        "planner": Column("Planner"),
        "makespan": Column(f"Makespan, {unit}", "Predicted time of one inference.", ",.3f"),
        "over": Column("Over the bound", "How much longer than max(T1/P, T∞).", ".1f", " %"),
        "speedup": Column("Speedup", "Over one worker, predicted.", ".2f", "×"),
        "workers": Column("Workers", "That have work to do.", "d"),
        "cut": Column("Cut edges", "Values handed to another worker: copied and signalled.", ",d"),
        "time": Column("Planning, ms", "To plan and to check, on this host.", ",.0f"),
        "remark": Column("Remark"),
    }


def verdict(plans: dict[str, Plan], bound_ms: float, graph: Graph) -> None:
    """Say which planner came out ahead, and by how much."""
    best = min(plan.makespan_ms for plan in plans.values())
    worst = max(plan.makespan_ms for plan in plans.values())
    ahead = [n for n, p in plans.items() if p.makespan_ms <= best * (1 + figures.SAME)]
    over = 100 * (best / bound_ms - 1) if bound_ms else 0.0
    shown = cards.cost(best, graph.cost_model)
    if worst <= best * (1 + figures.SAME):
        cards.verdict(
            f"All planners agree: {shown}, {over:.1f}\u00a0% over the bound. The shape of this "
            f"graph decides, not the algorithm.",
            good=True,
        )
        return
    cards.verdict(
        f"Shortest: {shown} by {named(ahead, list(plans))}, {over:.1f}\u00a0% over the bound; the "
        f"longest plan takes {100 * (worst / best - 1):.1f}\u00a0% more.",
        good=True,
    )


def named(some: list[str], everyone: list[str]) -> str:
    """Name some planners, or those that are missing where that is shorter."""
    others = [name for name in everyone if name not in some]
    return f"all but {', '.join(others)}" if len(others) < len(some) else ", ".join(some)


def explain() -> None:
    """Say in plain words what each planner does."""
    st.subheader("What they do")
    for name, planner in PLANNERS.items():
        _say(name, planner.says)
    _say(MOLDABLE, choice.MOLDABLE_SAYS)


def _say(name: str, says: str) -> None:
    st.html(f'<p class="rv-sub"><b>{escape(name)}</b> – {escape(says)}</p>')


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Planners",
        "There are many ways to decide which worker runs what. Here each one plans the same graph "
        "for the same number of workers, and all are predicted by the same simulation.",
    )
    natural = kept.plan_of(graph)
    with st.columns([1, 2])[0]:
        frame.workers_picker(natural, chosen, "Workers")
    workers = chosen.workers or natural.fixpoint
    bound_ms = max(natural.t1_ms / workers, natural.tinf_ms)
    unit = graph.unit
    plans, rows = {}, []
    for name, planner in PLANNERS.items():
        if planner.refuses(graph):
            section = plural(largest_section(graph), "operator")
            rows.append(untried(name, f"a section of {section}"))
            continue
        plan, seconds = kept.timed_plan(graph, workers, name)
        plans[name] = plan
        rows.append(row(graph, name, plan, seconds, bound_ms))
    verdict(plans, bound_ms, graph)
    molded, seconds, said = moldable(graph, workers)
    if molded is None:
        rows.append(untried(MOLDABLE, said))
    else:
        rows.append({**row(graph, MOLDABLE, molded, seconds, bound_ms), "remark": said})
        if molded.makespan_ms < min(plan.makespan_ms for plan in plans.values()):
            shown = cards.cost(molded.makespan_ms, graph.cost_model)
            cards.sub(f"That is with one thread an operator. With several, moldable takes {shown}.")
        plans[MOLDABLE] = molded
    st.plotly_chart(figures.compared(plans, bound_ms, unit), config=BARS, key="planners-chart")
    table.show(columns(unit), rows, "Planners")
    cards.sub(
        f"{cards.COST_HELP[graph.cost_model]} The bound, max(T1/P, T∞), is what "
        f"{plural(workers, 'worker')} need at least: all the work shared out evenly "
        f"(T1/P), and the critical path with sends for nothing (T∞). It holds for operators of "
        f"one thread; the moldable plan gives some of them several, and may lie below."
    )
    if workers > len(host.cores()):
        cards.note(
            f"{plural(workers, 'worker')} on {plural(len(host.cores()), 'core')}: the "
            f"prediction gives each a core of its own.",
            "warning",
        )
    explain()


main()
