"""Plan and timeline -> one lane for each worker, as plain JSON for the component that edits it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ramiel_core.ir import Graph, Plan, Timeline
from ramiel_core.view import gantt, palette
from ramiel_core.view.scene import Part


def lanes(
    graph: Graph,
    plan: Plan,
    timeline: Timeline,
    chains: Sequence[Sequence[str]],
    moved: Collection[str],
) -> Part:
    """Who runs what when, a column each, operators in topological order.

    Parameters
    ----------
    graph : Graph
        Weighed; times are in its `unit`.
    plan : Plan
        Of this graph.
    timeline : Timeline
        Predicted of this plan.
    chains : Sequence[Sequence[str]]
        Every operator once: those of one chain share a colour, and are chosen together.
    moved : Collection[str]
        Operators to mark.

    Examples
    --------
    >>> graph = Graph.parse("a:1 b:5<a")
    >>> from ramiel_core.ir import Bar
    >>> bars = Bar(0, "a", "compute", 0.0, 1.0), Bar(0, "b", "compute", 1.0, 6.0)
    >>> lanes(
    ...     graph, Plan((("a", "b"),)), Timeline(bars, 6.0), [["a", "b"]], {"b"}
    ... ).value["end"]
    [1.0, 6.0]
    """
    worker_of = plan.worker_of()
    span = {bar.name: bar for bar in timeline.bars if bar.kind == "compute"}
    chain_of = {name: i for i, chain in enumerate(chains) for name in chain}
    fills = [palette.fill(i) for i in range(len(chains))]
    return Part.of(
        {
            "name": list(graph.index),
            "op": [node.op for node in graph.nodes],
            "worker": [worker_of[name] for name in graph.index],
            "start": [gantt.short(span[name].start_ms) for name in graph.index],
            "end": [gantt.short(span[name].end_ms) for name in graph.index],
            "chain": [chain_of[name] for name in graph.index],
            "moved": [graph.index[name] for name in moved],
            "between": [
                [bar.kind, bar.worker, gantt.short(bar.start_ms), gantt.short(bar.end_ms)]
                for bar in timeline.bars
                if bar.kind != "compute"
            ],
            "fills": [[fill, palette.text_on(fill)] for fill in fills],
            "colours": gantt.COLOURS,
            "workers": plan.workers,
            "makespan": timeline.makespan_ms,
            "unit": graph.unit,
        }
    )
