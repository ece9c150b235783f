"""Two plans of one graph: which workers correspond, which operators another worker runs."""

from __future__ import annotations

from collections import defaultdict

from ramiel_core.ir import Graph, Plan


def matched_workers(graph: Graph, plan: Plan, other: Plan) -> dict[int, int]:
    """The number in `plan` of each worker of `other`, so that both are as like as can be.

    Workers are alike: plans that differ in their numbers alone are the same plan. The two
    workers that share the most work get one number, then the next two, and so on: not always the
    most shared work in total, but pairs that a reader sees, too. A worker that shares nothing
    counts on from those of `plan`.

    Examples
    --------
    >>> graph = Graph.parse("a:1 b:5<a c:2<a")
    >>> matched_workers(graph, Plan((("a", "b"), ("c",))), Plan((("c",), ("a", "b"))))
    {1: 0, 0: 1}
    """
    mine, theirs = plan.worker_of(), other.worker_of()
    shared: dict[tuple[int, int], float] = defaultdict(float)
    for node in graph.nodes:
        shared[mine[node.name], theirs[node.name]] += node.cost_ms
    number: dict[int, int] = {}
    for a, b in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        if b not in number and a not in number.values():
            number[b] = a
    free = [i for i in range(plan.workers + other.workers) if i not in number.values()]
    left = [b for b in range(other.workers) if b not in number]
    return number | dict(zip(left, free[: len(left)], strict=True))


def moved(graph: Graph, plan: Plan, other: Plan) -> tuple[str, ...]:
    """Operators that another worker runs in `other`, workers matched; in topological order.

    >>> graph = Graph.parse("a:1 b:5<a c:2<a")
    >>> moved(graph, Plan((("a", "b"), ("c",))), Plan((("a", "b", "c"),)))
    ('c',)
    """
    number = matched_workers(graph, plan, other)
    mine, theirs = plan.worker_of(), other.worker_of()
    return tuple(n.name for n in graph.nodes if mine[n.name] != number[theirs[n.name]])
