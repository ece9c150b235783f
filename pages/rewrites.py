"""What became of the model before it was planned, and which operators workers repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from pages.common import address, cards, choice, frame, kept, lists, table
from pages.common.table import Column
from ramiel_core import pipeline
from ramiel_core.ir import Graph, Plan, Rewrites
from ramiel_core.words import plural

NONE = Rewrites(fold_constants=False, share_repeats=False, drop_dead=False)
AS_TRACED = "as traced"
OFF = "Off: turn it on above."
SPLIT, CLONED = "slow poolings in parts", "cheap operators cloned"
BEFORE_PLANNING = {
    "fold_constants": "constants folded",
    "share_repeats": "repeats shared",
    "drop_dead": "dead code dropped",
}


@dataclass(frozen=True)
class Stage:
    """A graph and its plan after one more rewrite."""

    title: str
    graph: Graph
    plan: Plan


def switches(chosen: choice.Choice) -> None:
    """Let the user turn each rewrite on and off; the address remembers what is not usual."""
    with st.container(horizontal=True, gap="medium"):
        switch(
            "Fold constants",
            address.CONSTANTS,
            now=chosen.rewrites.fold_constants,
            usual=True,
            says="What depends on weights and sizes alone is computed once, and kept as a weight.",
        )
        switch(
            "Share repeats",
            address.REPEATS,
            now=chosen.rewrites.share_repeats,
            usual=True,
            says="What is computed several times of the same values is computed once.",
        )
        switch(
            "Drop dead code",
            address.DEAD,
            now=chosen.rewrites.drop_dead,
            usual=True,
            says="Operators whose values nobody reads are left out.",
        )
        switch(
            "Cut slow poolings",
            address.SPLIT,
            now=chosen.split,
            usual=True,
            says="Several workers compute some channels each of one slow pooling, where that is "
            "predicted to be faster.",
        )
        switch(
            "Clone cheap operators",
            address.CLONE,
            now=chosen.clone,
            usual=False,
            says="A worker repeats a cheap operator rather than wait for another worker's value, "
            "where that is predicted to be faster. Off unless asked for: it seldom gains 1 %.",
        )


def switch(label: str, name: str, *, now: bool, usual: bool, says: str) -> None:
    """Draw one toggle that is tied to a query parameter."""
    key = f"rewrite-{name}"
    st.session_state[key] = now

    def write() -> None:
        on = st.session_state[key]
        address.put(name, None if on == usual else address.ON if on else address.OFF)

    st.toggle(label, key=key, on_change=write, help=says, width="content")


def steps(wanted: Rewrites) -> Iterator[tuple[str, Rewrites]]:
    """No rewrite, and then one more of those that are on, in the order in which they come."""
    now = NONE
    yield AS_TRACED, now
    for name in (field.name for field in fields(wanted)):
        if getattr(wanted, name):
            now = replace(now, **{name: True})
            yield BEFORE_PLANNING[name], now


def stages(chosen: choice.Choice, cost: str) -> list[Stage]:
    """The model as traced, and after each rewrite that is on; each after those before it."""
    found = []
    for title, rewrites in steps(chosen.rewrites):
        graph = kept.graph_of(chosen.model, cost, rewrites)
        found.append(Stage(title, graph, kept.plan_of(graph, chosen.workers)))
    if chosen.split:
        found.append(Stage(SPLIT, *kept.planned(graph, chosen.workers, split=True)))
    if chosen.clone:
        both = kept.planned(graph, chosen.workers, split=chosen.split, clone=True)
        found.append(Stage(CLONED, *both))
    return found


def cost_model(chosen: choice.Choice) -> str:
    """The one asked for; estimated where the model was measured in another form only."""
    forms = steps(chosen.rewrites)
    graphs = (kept.graph_of(chosen.model, "unit", form) for _, form in forms)
    if chosen.cost != "measured" or all(map(pipeline.is_measured, graphs)):
        return chosen.cost
    cards.note(
        "The model was measured after its rewrites only, so this page compares by estimated costs "
        "(cost model “flops”)."
    )
    return "flops"


def columns(unit: str) -> dict[str, Column]:
    """The columns of the table of stages, times in this unit."""
    return {
        "stage": Column("Stage"),
        "operators": Column("Operators", "", ",d"),
        "parts": Column("Parts", "Pieces of slow poolings.", ",d"),
        "clones": Column("Clones", "Operators that another worker repeats.", ",d"),
        "clusters": Column("Chains → clusters"),
        "t1": Column(f"T1, {unit}", "All the work, one worker.", ",.3f"),
        "tinf": Column(f"T∞, {unit}", "The critical path.", ",.3f"),
        "parallelism": Column("T1 / T∞", "", ".3f", "×"),
        "predicted": Column(f"Predicted, {unit}", "One inference on these workers.", ",.3f"),
        "workers": Column("Workers", "That have work to do.", "d"),
    }


def line(stage: Stage) -> dict[str, Any]:
    """What the table says of one stage."""
    facts = pipeline.summary(stage.graph, stage.plan)
    return {
        "stage": stage.title,
        "operators": facts["operators"],
        "parts": sum(facts["split"].values()),
        "clones": len(facts["cloned"]),
        "clusters": f"{facts['clusters_linear']} → {facts['clusters_merged']}",
        "t1": facts["t1_ms"],
        "tinf": facts["tinf_ms"],
        "parallelism": facts["parallelism"],
        "predicted": facts["predicted_ms"],
        "workers": facts["workers"],
    }


def verdict(rows: list[Stage]) -> None:
    """Say what all rewrites together changed."""
    first, last = rows[0], rows[-1]
    gone = len(first.graph) - last.graph.operators
    before, after = first.plan.makespan_ms, last.plan.makespan_ms
    unit = last.graph.unit
    if not gone and not last.graph.clones and not last.graph.split:
        cards.verdict(
            f"Nothing to rewrite in {first.graph.model}: every operator depends on the input, is "
            f"read by another, none comes twice, and none is worth cutting or repeating here.",
            good=False,
        )
        return
    share = 100 * (1 - after / before) if before else 0.0
    clones = plural(len(last.graph.clones), "clone")
    split = last.graph.split
    cut = f", {plural(len(split), 'pooling')} cut into parts" if split else ""
    workers = plural(last.plan.workers, "worker")
    cards.verdict(
        f"{plural(gone, 'operator')} removed and {clones} added{cut}; one inference on "
        f"{workers} is predicted to take {after:,.5g}\u00a0{unit} instead of "
        f"{before:,.5g}\u00a0{unit} ({share:.2f}\u00a0% less).",
        good=True,
    )


def removed(
    title: str, names: tuple[str, ...], before: Graph, says: str, *, on: bool, nothing: str
) -> None:
    """List operators that a rewrite took out, with what they cost before."""
    st.subheader(title)
    cards.sub(says)
    if not names:
        cards.sub(nothing if on else OFF)
        return
    # An operator called like a function that its program imports has an underscore more there.
    rows = [before[name if name in before.index else f"{name}_"] for name in names]
    cost = cards.cost(sum(node.cost_ms for node in rows), before.cost_model)
    with st.expander(f"{plural(len(names), 'operator')} removed, {cost} of T1"):
        lists.show(
            [
                {
                    "operator": node.name,
                    "kind": node.op,
                    "module": node.module,
                    "output": ", ".join(str(spec) for spec in node.outputs if spec),
                }
                for node in rows
            ],
            {"operator": 130, "kind": 75, "module": 130, "output": 150},
            f"{title}: operators removed",
            key=f"removed-{title}",
        )


def why_none(stage: Stage | None, plan: Plan, one_worker: str, nowhere: str) -> str:
    """Why a rewrite of the planned graph has changed nothing."""
    if stage is None:
        return OFF
    return one_worker if plan.workers == 1 else nowhere


def in_parts(stage: Stage | None, plan: Plan) -> None:
    """List the poolings that are cut: into how many parts, who computes them, what they cost."""
    st.subheader("Poolings in parts")
    cards.sub(
        "Pooling looks at each channel by itself, so several workers can compute some channels "
        "each: the same kernel on the same numbers, so the same bits. torch's pooling is slow and "
        "often stands where nothing else can run; its parts are written one behind the other, so "
        "that nothing has to be put together. Other operators stay whole."
    )
    if stage is None or not stage.graph.split:
        one = "The plan has one worker, who computes each operator as a whole."
        cards.sub(why_none(stage, plan, one, "No cut is predicted to shorten this plan by 1 %."))
        return
    worker_of = stage.plan.worker_of()
    rows = []
    for name in stage.graph.split:
        parts = [stage.graph[part] for part in stage.graph[name].joins]
        workers = sorted({worker_of[part.name] for part in parts})
        rows.append(
            {
                "operator": name,
                "kind": parts[0].op,
                "parts": len(parts),
                "computed by": ", ".join(f"cluster {worker}" for worker in workers),
                "cost": sum(part.cost_ms for part in parts),
                "each": max(part.cost_ms for part in parts),
            }
        )
    lists.show(
        rows,
        {"operator": 150, "kind": 90, "parts": 60, "computed by": 150, "cost": 80, "each": 80},
        "Poolings in parts",
        {
            "cost": st.column_config.NumberColumn("Cost, ms", format="%.4f"),
            "each": st.column_config.NumberColumn(
                "Each part, ms", format="%.4f", help="The largest of them."
            ),
        },
        key="in-parts",
    )


def cloned(stage: Stage | None, plan: Plan) -> None:
    """List the clones: who repeats what, and what it costs beside what it saves."""
    st.subheader("Cloning")
    cards.sub(
        "A value that another worker needs is copied, signalled and waited for. Where its operator "
        "is cheap and what it reads is there already, the other worker computes it once more: the "
        "same kernel on the same numbers, so the same bits. Random operators and those that write "
        "over their input are never repeated. In the graph clones are dashed (view “For my "
        "workers”), in the code a comment names the original."
    )
    if stage is None or not stage.graph.clones:
        one = "The plan has one worker, who needs nothing twice."
        cards.sub(why_none(stage, plan, one, "No clone is predicted to shorten this plan."))
        return
    worker_of = stage.plan.worker_of()
    nodes = [stage.graph[name] for name in stage.graph.clones]
    lists.show(
        [
            {
                "clone": node.name,
                "of": node.clone_of,
                "kind": node.op,
                "computed by": f"cluster {worker_of[node.name]}",
                "beside": f"cluster {worker_of[node.clone_of]}",
                "cost": node.cost_ms,
                "send": stage.graph[node.clone_of].send_ms,
            }
            for node in nodes
        ],
        {"clone": 130, "computed by": 95, "beside": 75, "cost": 80, "send": 80},
        "Clones",
        {
            "cost": st.column_config.NumberColumn("Cost, ms", format="%.4f"),
            "send": st.column_config.NumberColumn(
                "Send, ms", format="%.4f", help="What handing the value over would cost."
            ),
        },
        key="cloned",
    )


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Rewrites",
        "Before a model is planned, what never changes and what comes twice is computed once, and "
        "what nobody reads is left out; afterwards workers share out slow poolings among them, and "
        "may repeat cheap operators instead of waiting for them. Outputs stay equal bit for bit.",
    )
    switches(chosen)
    with st.columns([1, 2])[0]:
        frame.workers_picker(kept.plan_of(graph), chosen, "Workers")
    rows = stages(chosen, cost_model(chosen))
    verdict(rows)
    table.show(columns(rows[0].graph.unit), [line(row) for row in rows], "Stages")
    cards.sub(cards.COST_HELP[rows[0].graph.cost_model])
    before = rows[0].graph
    removed(
        "Constants",
        graph.removed_constants,
        before,
        "An operator that reads weights and sizes only gives the same result in every inference: "
        "position biases, masks, tokens expanded to the batch. It becomes a weight, unless all of "
        "them together would add more than a quarter to the model's weights (16 MiB at least).",
        on=chosen.rewrites.fold_constants,
        nothing="None here: every operator depends on the input.",
    )
    removed(
        "Repeats",
        graph.removed_repeats,
        before,
        "Where several operators compute the same of the same values, as branches do that each "
        "begin with a ReLU of what all of them read, the first does it for all: the same kernel on "
        "the same numbers, so the same bits.",
        on=chosen.rewrites.share_repeats,
        nothing="None here: no two operators compute the same of the same values.",
    )
    removed(
        "Dead code",
        graph.removed_dead,
        before,
        "An operator is dead where neither the output nor memory that is read later depends on it. "
        "Dropout in inference is not dead, though it does nothing: an operator counts as torch.fx "
        "traces it.",
        on=chosen.rewrites.drop_dead,
        nothing="None here: every operator is read by another one, or returned.",
    )
    of = {row.title: row for row in rows}
    in_parts(of.get(SPLIT), rows[-1].plan)
    cloned(of.get(CLONED), rows[-1].plan)


main()
