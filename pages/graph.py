"""The operator graph: coloured by cluster, its critical path, and every operator's details."""

from __future__ import annotations

from html import escape

import streamlit as st

from pages.common import address, cards, choice, frame, kept, linked, pictures
from pages.common.graph_component import CHOSEN, COLOUR, expanded, graph_view
from ramiel_core.ir import Graph, OpNode, Plan
from ramiel_core.view import dag
from ramiel_core.view.collapse import WAYS, By
from ramiel_core.view.operators import costs, table
from ramiel_core.view.scene import Scene
from ramiel_core.words import plural, times

LINEAR, MERGED, WORKERS = "linear", "merged", "workers"
BY_CLUSTER = "cluster"
NOTHING = "nothing"
COLLAPSE = {NOTHING: "Nothing", "chain": "Chains", "module": "Modules", "cluster": "Clusters"}
VIEWS = {LINEAR: "Linear clusters", MERGED: "Merged", WORKERS: "For my workers"}
HEIGHT = 700  # px
NEIGHBOURS_SHOWN = 8
KEY = "operator-graph"  # of the component
COLLAPSE_ABOVE = 800  # operators; larger graphs open with their modules collapsed

Clusters = dict[int, tuple[str, ...]]


def pick_view(plan: Plan, chosen: choice.Choice) -> tuple[str, int | None]:
    """Let the user choose whose clusters are coloured: a view, and its worker count."""
    default = WORKERS if chosen.workers else MERGED
    asked = address.get(address.VIEW, default)
    asked = asked if asked in VIEWS else default
    counts = {LINEAR: f" ({len(plan.linear)})", MERGED: f" ({plan.fixpoint})", WORKERS: ""}
    st.segmented_control(
        "Clusters",
        list(VIEWS),
        required=True,
        format_func=lambda view: VIEWS[view] + counts[view],
        help="Linear clusters are chains of operators. Merged: chains that one worker can do "
        "in turn have been put together. For my workers: merged further, and balanced by "
        "prediction.",
        **address.mirror(address.VIEW, asked, "view-picker"),
    )
    if asked != WORKERS:
        return asked, None
    return asked, st.number_input(
        "Workers",
        1,
        choice.MOST_WORKERS,
        width=140,
        help="Processes that run side by side; usually as many as there are cores.",
        **address.mirror(
            address.WORKERS, chosen.workers or min(2, plan.fixpoint), "workers-number"
        ),
    )


def pick_collapse(graph: Graph) -> By | None:
    """Let the user choose what is drawn as one box; large graphs open with modules collapsed."""
    default = "module" if len(graph) > COLLAPSE_ABOVE else NOTHING
    asked = address.get(address.COLLAPSE, default)
    asked = asked if asked in COLLAPSE else default
    st.segmented_control(
        "Collapse",
        list(COLLAPSE),
        required=True,
        format_func=COLLAPSE.__getitem__,
        help="Draws groups of operators as one box each. Chains: runs of operators without a "
        "branch. Modules: as the model's code nests them. Clusters: what one worker does in one "
        "go. Double click a group, or press X, to expand it where it stands.",
        **address.mirror(address.COLLAPSE, asked, "collapse-picker"),
    )
    return next((way for way in WAYS if way == asked), None)


def clusters_of(graph: Graph, plan: Plan, view: str, own: Plan) -> tuple[Clusters, str]:
    """The clusters of a view, and what they are in a sentence; `own` is for the user's workers."""
    if view == LINEAR:
        chains = dict(enumerate(plan.linear))
        return chains, f"{plural(len(chains), 'chain')} before any merge."
    if view == MERGED:
        merged = list(pictures.clusters_after(plan, len(plan.steps)).values())
        return dict(enumerate(merged)), (
            f"{plural(len(plan.linear), 'chain')} merged into "
            f"{plural(plan.fixpoint, 'cluster')} at the natural fixpoint."
        )
    clusters = dict(enumerate(own.clusters))
    predicted = cards.cost(own.makespan_ms, graph.cost_model)
    if own.rejected_makespan_ms is not None:
        slower = cards.cost(own.rejected_makespan_ms, graph.cost_model)
        return clusters, (
            f"One cluster: more workers are predicted to take {slower}, one alone "
            f"{predicted} ({graph.cost_model} costs), so Ramiel runs it sequentially."
        )
    speedup = own.t1_ms / own.makespan_ms if own.makespan_ms else 1.0
    return clusters, (
        f"{plural(own.workers, 'worker')}, predicted {predicted}, {times(speedup)} as fast "
        f"as one ({graph.cost_model} costs)."
        + (f" {plural(len(graph.split), 'pooling')} cut into parts." if graph.split else "")
        + (f" {plural(len(graph.clones), 'clone')}, dashed." if graph.clones else "")
    )


def details(graph: Graph, plan: Plan, clusters: Clusters, node: OpNode) -> None:
    """Show everything known about one operator, with ways to its neighbours."""
    number = next((i for i, names in clusters.items() if node.name in names), None)
    where = "" if number is None else cards.chip(number, f"cluster {number}")
    st.html(f'<span class="rv-name">{escape(node.name)}</span> &nbsp; {where}')
    share = 100 * node.cost_ms / graph.t1_ms if graph.t1_ms else 0.0
    cards.facts(
        {
            "Kind": node.op,
            "Clone of": node.clone_of,
            "Module": node.module,
            "Output": ", ".join(str(spec) for spec in node.outputs if spec).replace("×", "×\u200b"),
            "Cost": f"{cards.cost(node.cost_ms, graph.cost_model)} ({graph.cost_model})",
            "Share of T1": f"{share:.2f} %",
            f"With {graph.crowd} at once": f"{node.crowding:+.0%}" if graph.crowd > 1 else "",
            "To hand over": cards.ms(node.send_ms) if node.send_ms else "free",
            "Arithmetic": cards.quantity(node.flops, "FLOP"),
            "Reads": cards.size(node.read_bytes),
            "Writes": "nothing: a view" if node.is_view else cards.size(node.output_bytes),
            "Parameters": cards.count(node.parameters),
            "Critical path": "on it" if node.name in plan.critical_path else "not on it",
        }
    )
    neighbours("Reads from", graph.producers[node.name])
    neighbours("Is read by", graph.consumers[node.name])


def group_details(graph: Graph, plan: Plan, label: str, names: tuple[str, ...]) -> None:
    """Show what a group amounts to, with ways to its heaviest operators."""
    st.html(f'<span class="rv-name">{escape(label)}</span>')
    members = [graph[name] for name in names]
    cost_ms = sum(node.cost_ms for node in members)
    cards.facts(
        {
            "Operators": str(len(names)),
            "Cost": f"{cards.cost(cost_ms, graph.cost_model)} ({graph.cost_model})",
            "Share of T1": f"{100 * cost_ms / graph.t1_ms if graph.t1_ms else 0:.2f} %",
            "Parameters": cards.count(sum(node.parameters for node in members)),
            "Critical path": plural(len({*names} & {*plan.critical_path}), "operator"),
        }
    )
    cards.sub("Double click the group, or press X, to expand it.")
    heaviest = sorted(members, key=lambda node: -node.cost_ms)
    neighbours("Holds", tuple(node.name for node in heaviest))


def neighbours(title: str, names: tuple[str, ...]) -> None:
    """Offer a jump to each operator of a list."""
    cards.sub(f"{title} {plural(len(names), 'operator')}")
    icons = {
        "Reads from": "arrow_upward",
        "Is read by": "arrow_downward",
        "Holds": "subdirectory_arrow_right",
    }
    with st.container(gap=None):
        for name in names[:NEIGHBOURS_SHOWN]:
            st.button(
                name.replace("_", "\\_\u200b"),  # a long one breaks there
                key=f"to-{title}-{name}",
                type="tertiary",
                icon=f":material/{icons.get(title, 'weight')}:",
                on_click=address.put,
                args=(address.OPERATOR, name),
            )
    if len(names) > NEIGHBOURS_SHOWN:
        cards.sub(f"and {len(names) - NEIGHBOURS_SHOWN} more")


def downloads(graph: Graph, plan: Plan, clusters: Clusters) -> None:
    """Offer the picture as DOT, SVG and one page that needs nothing else."""
    path = plan.critical_path
    layout = pictures.layout_of(graph)
    offers = (
        ("DOT", "dot", "text/vnd.graphviz", lambda: dag.dot_text(graph, clusters, path)),
        ("SVG", "svg", "image/svg+xml", lambda: dag.svg(graph, clusters, path)),
        (
            "HTML",
            "html",
            "text/html",
            lambda: dag.standalone_html(dag.network(graph, clusters, path, layout)),
        ),
    )
    helps = {
        "DOT": "The graph in Graphviz's own language.",
        "SVG": "An exact drawing, to print or to put into a paper.",
        "HTML": "The network as one page that works off line: zoom, pan, hover.",
    }
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, ending, mime, make in offers:
            st.download_button(
                label,
                make,
                f"{graph.model}.{ending}",
                mime,
                icon=":material/download:",
                on_click="ignore",
                help=helps[label],
            )
        cards.sub(f"{len(graph.edges):,} edges · placed by {layout.engine}")


def panel(graph: Graph, plan: Plan, clusters: Clusters, scene: Scene, selected: str | None) -> None:
    """Show what is known about the operator or group selected."""
    boxes = scene.collapsed
    if selected in graph.index:
        details(graph, plan, clusters, graph[selected])
    elif selected in boxes.labels:
        group_details(graph, plan, boxes.labels[selected], boxes.members[selected])
    else:
        st.markdown("**No operator chosen**")
        cards.sub("Click a box in the graph, or search for a name above it.")
        heaviest = sorted(graph.nodes, key=lambda node: -node.cost_ms)[:NEIGHBOURS_SHOWN]
        neighbours("The heaviest", tuple(node.name for node in heaviest))


def cost_chart(graph: Graph, clusters: Clusters) -> None:
    """Show every operator as a bar; a click selects it."""
    with st.expander("Cost of every operator", key="costs-open", on_change="rerun") as opened:
        if opened.open:  # plotly takes a second to start: nobody should wait for it unasked
            cards.sub(
                f"In the order in which one worker runs them. {cards.COST_HELP[graph.cost_model]} "
                f"Click a bar to select its operator."
            )
            linked.chart(costs(graph, clusters), "cost-chart", address.operator())


def all_operators(graph: Graph, plan: Plan, clusters: Clusters, scene: Scene) -> None:
    """Show every operator as a row; a tick selects it."""
    with st.expander("All operators", key="table-open", on_change="rerun") as opened:
        if opened.open:
            cards.sub(
                "Tick a row to select its operator on every page; click a heading to sort. What is "
                "selected elsewhere comes first."
            )
            slack_ms = scene.facts.value["values"]["slack"]
            rows = table(graph, clusters, scene.paint["worker"], slack_ms, plan.critical_path)
            widths = {
                "operator": 95,
                "kind": 78,
                f"cost, {graph.unit}": 68,
                f"slack, {graph.unit}": 70,
                "critical": 55,
                "cluster": 52,
                "worker": 52,
            }
            linked.table(rows, widths, "operator-table", address.operator())


def main() -> None:
    """Draw the page."""
    graph, chosen = frame.opened(
        "Graph",
        "Every box is one operator of the model, every arrow a value handed on. A colour is a "
        "cluster: what one worker does. Red is the critical path, which sets the shortest "
        "possible time. Click an operator for its details; press ? for the keys.",
    )
    plan = kept.plan_of(graph)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view, workers = pick_view(plan, chosen)
        by = pick_collapse(graph)
    own = plan
    if view == WORKERS:
        graph, own = kept.planned(graph, workers, **chosen.after)
    clusters, said = clusters_of(graph, plan, view, own)
    cards.sub(said)
    left, right = st.columns([11, 4])
    with left:
        asked = workers or chosen.workers
        opened = expanded(KEY)
        coloured = own if view == WORKERS else kept.plan_of(graph, asked)
        scene = pictures.picture(graph, clusters, coloured, by=by, expanded=opened)
        graph_view(
            scene,
            key=KEY,
            height=HEIGHT,
            selected=address.operator(),
            colour=address.get(address.COLOUR, BY_CLUSTER),
            on={
                CHOSEN: address.select,
                COLOUR: lambda by: address.put(address.COLOUR, None if by == BY_CLUSTER else by),
            },
        )
        downloads(graph, plan, clusters)
    with right, st.container(border=True):
        panel(graph, plan, clusters, scene, address.operator())
    cost_chart(graph, clusters)
    all_operators(graph, plan, clusters, scene)


main()
