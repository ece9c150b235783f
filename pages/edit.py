"""Edit by hand: give operators to other workers, see the prediction move, run it, save it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.common import address, cards, frame, kept, lists, live
from pages.common.gantt_component import gantt_view
from pages.common.lanes_component import lanes_view
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan import saved
from ramiel_core.plan.by_hand import reassigned
from ramiel_core.plan.compare import moved
from ramiel_core.plan.planner import DEFAULT, PLANNERS
from ramiel_core.report.summarize import report_from
from ramiel_core.view.lanes import lanes
from ramiel_core.words import plural, times

OPERATORS, CHAIN, WORKER = "operators", "chain", "worker"
WHAT = {OPERATORS: "Operators", CHAIN: "Chain", WORKER: "Worker"}
MOST_WORKERS = 64
BEFORE = "edit-before"  # plans to which Undo goes back, the latest last
PROBLEM = "edit-problem"
Chains = tuple[tuple[str, ...], ...]


def current(graph: Graph, planned: Plan) -> Plan | None:
    """The plan that the address names, or else the planner's; None, and why, where it is gone."""
    name = address.get(address.PLAN)
    if name is None:
        return planned
    try:
        return kept.kept_plan(graph, name)
    except RamielError as error:
        cards.note(str(error), "error")
        return None


def _go(name: str | None) -> None:
    st.session_state.setdefault(BEFORE, []).append(address.get(address.PLAN))
    address.put(address.PLAN, name)


def _undo() -> None:
    if st.session_state[BEFORE]:  # a second click may come before the page has met the first
        address.put(address.PLAN, st.session_state[BEFORE].pop())


def _give(graph: Graph, plan: Plan, names: Sequence[str], worker: int) -> None:
    """Let a worker run some operators; what cannot be says why."""
    try:
        _go(saved.keep(graph, reassigned(graph, plan, dict.fromkeys(names, worker))))
    except RamielError as error:
        st.session_state[PROBLEM] = str(error)


def _move(graph: Graph, plan: Plan, chains: Chains) -> None:
    """What was chosen is read here: a click may come before the page has met the last choice."""
    _give(graph, plan, _picked(plan, chains), st.session_state["edit-target"])
    st.session_state["edit-operators"] = []


def _choose(graph: Graph, names: Sequence[str]) -> None:
    """Choose operators; one alone is selected on every page."""
    known = [name for name in names if name in graph.index]
    st.session_state["edit-what"] = OPERATORS
    st.session_state["edit-operators"] = known
    address.select(known[0] if len(known) == 1 else None)


def controls(graph: Graph, plan: Plan, chains: Chains) -> None:
    """Choose what to move and where to, and move it."""
    if "edit-operators" not in st.session_state:
        selected = address.operator()
        st.session_state["edit-operators"] = [selected] if selected in graph.index else []
    with st.container(border=True):
        what = st.segmented_control(
            "Move",
            list(WHAT),
            default=OPERATORS,
            required=True,
            key="edit-what",
            format_func=WHAT.__getitem__,
            help="A chain is what linear clustering found: operators that need each other one "
            "after another.",
        )
        _picker(graph, plan, chains, str(what))
        names = _picked(plan, chains)
        targets = range(min(plan.workers + 1, MOST_WORKERS))
        st.selectbox(
            "To",
            targets,
            key="edit-target",
            format_func=lambda i: f"worker {i}" if i < plan.workers else f"worker {i}, a new one",
            help="The operators run there at the place in time that they have now.",
        )
        st.button(
            f"Move {plural(len(names), 'operator')}",
            type="primary",
            icon=":material/arrow_forward:",
            disabled=not names,
            on_click=_move,
            args=(graph, plan, chains),
            width="stretch",
        )
        left, right = st.columns(2)
        left.button(
            "Undo",
            icon=":material/undo:",
            disabled=not st.session_state.get(BEFORE),
            on_click=_undo,
            width="stretch",
        )
        right.button(
            "Reset",
            icon=":material/restart_alt:",
            disabled=address.get(address.PLAN) is None,
            on_click=_go,
            args=(None,),
            width="stretch",
            help="Back to the plan of the planner; Undo brings yours back.",
        )


def _picked(plan: Plan, chains: Chains) -> tuple[str, ...]:
    """The operators chosen."""
    what = st.session_state["edit-what"]
    chosen = st.session_state[f"edit-{what}"]
    if what == OPERATORS:
        return tuple(chosen)
    return (chains if what == CHAIN else plan.clusters)[chosen]


def _picker(graph: Graph, plan: Plan, chains: Chains, what: str) -> None:
    worker_of = plan.worker_of()
    if what == OPERATORS:
        st.multiselect(
            "Operators",
            list(graph.index),
            key="edit-operators",
            format_func=lambda name: f"{name} (worker {worker_of[name]})",
            placeholder="Type to search",
        )
        return
    groups = chains if what == CHAIN else plan.clusters

    def described(i: int) -> str:
        names = groups[i]
        work = cards.cost(sum(graph[name].cost_ms for name in names), graph.cost_model)
        where = f", on worker {worker_of[names[0]]}" if what == CHAIN else ""
        return f"{i}: {plural(len(names), 'operator')}, {work}, {names[0]}{where}"

    st.selectbox(WHAT[what], range(len(groups)), key=f"edit-{what}", format_func=described)


def files(graph: Graph, plan: Plan) -> None:
    """Save the plan as JSON, or load one."""
    with st.container(border=True):
        st.download_button(
            "Save as JSON",
            lambda: saved.to_json(graph, plan),
            f"{graph.model}.plan.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            help="Who runs what in which order. It can be loaded again below, here or on another "
            "host.",
        )
        st.file_uploader(
            "Load a plan",
            type="json",
            key="edit-file",
            on_change=_load,
            args=(graph,),
            max_upload_size=20,
            help="A plan that was saved here, perhaps changed by hand. It is checked before it is "
            "taken.",
        )
        problem = st.session_state.pop(PROBLEM, None)
        if problem:
            cards.note(problem, "error")


def _load(graph: Graph) -> None:
    given = st.session_state["edit-file"]
    if given is None:
        return
    try:
        _go(saved.keep(graph, pipeline.plan_from(given.getvalue(), graph)))
    except RamielError as error:
        st.session_state[PROBLEM] = str(error)


def numbers(graph: Graph, plan: Plan, planned: Plan, elsewhere: tuple[str, ...]) -> None:
    """Show what the plan is predicted to take, beside the planner's."""
    model = graph.cost_model
    change = plan.makespan_ms / planned.makespan_ms - 1 if planned.makespan_ms else 0.0
    cards.figures(
        (
            f"Predicted · {model}",
            cards.cost(plan.makespan_ms, model),
            (
                "Time of one inference with this plan, and how much longer that is than with the "
                f"planner’s. {cards.COST_HELP[model]}"
            ),
            f"{100 * change:+.2f} %",
        ),
        (
            "Over one worker",
            times(plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0),
            "Predicted speedup over all operators one after another.",
            plural(plan.workers, "worker"),
        ),
        (
            "The planner’s",
            cards.cost(planned.makespan_ms, model),
            f"What the planner {planned.planner} makes of it for as many workers as asked for.",
            plural(planned.workers, "worker"),
        ),
        (
            "Operators moved",
            f"{len(elsewhere):,}",
            (
                "Operators on another worker than in the planner’s, workers matched by what they "
                "share."
            ),
        ),
    )


def workers(
    graph: Graph, plan: Plan, planned: Plan, chains: Chains, elsewhere: tuple[str, ...]
) -> None:
    """Show what each worker runs when, where operators are dragged to other workers."""
    lanes_view(
        lanes(graph, plan, pipeline.timeline_of(graph, plan), chains, elsewhere),
        key="edit-lanes",
        planned_ms=planned.makespan_ms,
        chosen=_picked(plan, chains),
        may_undo=bool(st.session_state.get(BEFORE)),
        may_add=plan.workers < MOST_WORKERS,
        on_choose=lambda names: _choose(graph, names),
        on_move=lambda names, worker: _give(graph, plan, names, worker),
        on_undo=_undo,
    )
    cards.sub(
        "One lane for each worker, in the time that is predicted. A colour is a chain of linear "
        "clustering; grey lines are waiting, hatched orange bars copying."
        + (" Underlined in red: on another worker than the planner’s." if elsewhere else "")
    )


def beside(graph: Graph, plan: Plan, planned: Plan, elsewhere: tuple[str, ...]) -> None:
    """Draw the plan and the planner's on one axis."""
    st.subheader("Beside the planner’s")
    cards.sub("Outlined in red: operators on another worker than the planner’s.")
    shown = {
        "this plan, predicted": pipeline.timeline_of(graph, plan),
        "the planner’s, predicted": pipeline.timeline_of(graph, planned),
    }
    outlined = {
        name: [bar for bar in timeline.bars if bar.name in elsewhere and bar.kind == "compute"]
        for name, timeline in shown.items()
    }
    gantt_view(
        shown,
        key="edit-gantt",
        unit=graph.unit,
        outlined=outlined,
        because="on another worker",
        on_select=lambda name: _choose(graph, [name] if name else []),
    )


def loads(graph: Graph, plan: Plan) -> None:
    """List what each worker has to do, and how much of the time it does it."""
    st.subheader("Who has how much to do")
    timeline = pipeline.timeline_of(graph, plan)
    rows = []
    for worker, names in enumerate(plan.clusters):
        work = timeline.total_ms("compute", worker)
        rows.append(
            {
                "worker": worker,
                "operators": len(names),
                "work": cards.cost(work, graph.cost_model),
                "busy": 100 * work / timeline.makespan_ms if timeline.makespan_ms else 0.0,
                "first operator": names[0],
                "last operator": names[-1],
            }
        )
    busy = st.column_config.ProgressColumn(
        "Busy",
        format="%.0f %%",
        min_value=0,
        max_value=100,
        help="Share of the time in which it computes.",
    )
    widths = {"worker": 60, "operators": 75, "work": 75, "busy": 120}
    lists.show(rows, widths, "Work of each worker", {"busy": busy})


def run(plan: Plan) -> None:
    """Run this very plan, and show how it went."""
    followed = live.named("bench")
    busy = followed is not None and followed.busy
    st.button(
        "Run this plan",
        icon=":material/play_arrow:",
        disabled=busy,
        on_click=live.start_by_hand,
        args=(plan,),
        help=f"{live.REPEATS} rounds of eager kernels, sequential and as planned here, in turns, "
        "in processes of their own.",
    )
    if followed is None or followed.job.plan != str(plan):
        cards.sub("This plan was not run yet; running it takes some seconds.")
    elif busy:
        live.follow(followed.job_id)
    else:
        _outcome(followed)


def _outcome(followed: live.Followed) -> None:
    last = followed.said[-1]
    if last["kind"] == "error":
        cards.note(last["message"], "error")
    elif last["kind"] == "cancelled":
        cards.note("The run was cancelled; nothing of it is left running.")
    elif last["kind"] == "report":
        report = report_from(last["record"])
        low, high = report.speedup_ci
        cards.note(
            f"Measured: {cards.ms(report.parallel_ms)}, {times(report.speedup)} over sequential "
            f"(95 %: {low:.2f} to {high:.2f}); predicted from costs measured in these minutes: "
            f"{cards.ms(report.predicted.makespan_ms)}.",
            "good",
        )
        st.page_link(
            "pages/benchmark.py",
            label="The whole result",
            icon=":material/arrow_forward:",
            query_params=address.carried(),
        )


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Edit",
        "Do you know better than the planner? Drag operators, chains or all that a worker does to "
        "another worker, see the prediction move, then run your plan, save it, or load it again.",
    )
    natural = kept.plan_of(graph)
    known = PLANNERS.get(chosen.planner or DEFAULT)
    planner = DEFAULT if known is None or known.refuses(graph) else chosen.planner or DEFAULT
    planned, _ = kept.timed_plan(graph, chosen.workers or natural.fixpoint, planner)
    left, right = st.columns([4, 11])
    with left:
        frame.workers_picker(natural, chosen, "The planner’s workers")
    with right:
        plan = current(graph, planned)
    if plan is None:
        st.button("Reset", icon=":material/restart_alt:", on_click=_go, args=(None,))
        return
    elsewhere = moved(graph, planned, plan)
    with left:
        controls(graph, plan, natural.linear)
        files(graph, plan)
    with right:
        numbers(graph, plan, planned, elsewhere)
        workers(graph, plan, planned, natural.linear, elsewhere)
        run(plan)
        if elsewhere or plan.workers != planned.workers:
            beside(graph, plan, planned, elsewhere)
        loads(graph, plan)


main()
