"""The figure that compares planners."""

from __future__ import annotations

from ramiel_core.plan.planner import make_plan
from ramiel_core.view import palette
from ramiel_core.view.planners import compared
from tests.graphs import shape


def test_the_shortest_plans_are_coloured_and_the_bound_is_drawn():
    graph = shape("fork_join")
    plans = {name: make_plan(graph, 2, name) for name in ("ramiel", "linear", "exact")}
    figure = compared(plans, 11.5, "ms")
    best = min(plan.makespan_ms for plan in plans.values())

    assert list(figure.data[0].y) == ["ramiel", "linear", "exact"]
    assert [c == palette.ACCENT for c in figure.data[0].marker.color] == [
        plan.makespan_ms <= best * 1.001 for plan in plans.values()
    ]
    assert figure.layout.shapes[0].x0 == 11.5
    assert figure.layout.annotations[0].text == "bound max(T1/P, T∞) = 11.5 ms"


def test_free_operators_do_not_divide_by_zero():
    assert compared({"ramiel": make_plan(shape("free"))}, 0.0, "ms").data[0].x == (0,)
