"""One section of a graph as a model for or-tools CP-SAT."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ramiel_core.ir import Graph
from ramiel_core.plan.deal import Clusters
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.simulate import simulate

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

TICKS = 2**20  # of the starting makespan, at most: the grid of times


def search(
    graph: Graph, workers: int, start: Clusters, start_ms: float, effort: float
) -> tuple[Clusters | None, float]:
    """Look for a plan that is shorter than a known one.

    Parameters
    ----------
    graph : Graph
        Weighed; every operator of it is planned.
    workers : int
        At most so many.
    start : tuple of tuples of operator names
        The known plan, in run order.
    start_ms : float
        What `simulate` predicts of it.
    effort : float
        The solver's deterministic time: the same plan on every host, however fast that is.

    Returns
    -------
    clusters : tuple of tuples of operator names, or None
        The best plan found, in run order.
    bound_ms : float
        No plan is shorter: that is proved.
    """
    from ortools.sat.python import cp_model  # two seconds, which only the exact planner pays

    ticks = 2.0 ** math.floor(math.log2(TICKS / start_ms))  # a ms; so quarters stay whole
    problem = _Problem(graph, workers, ticks, start_ms)
    problem.hint(start)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(problem.model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    bound_ms = solver.best_objective_bound / ticks
    return (problem.clusters(solver) if found else None), bound_ms


class _Problem:
    """The model: all durations rounded down to ticks, so that its bound holds for the graph."""

    def __init__(self, graph: Graph, workers: int, ticks: float, start_ms: float) -> None:
        from ortools.sat.python import cp_model

        self.graph, self.workers, self.ticks = graph, workers, ticks
        self.model = cp_model.CpModel()
        self.horizon = math.floor(start_ms * ticks)
        self.start = {n.name: self.model.new_int_var(0, self.horizon, "") for n in graph.nodes}
        self.on = {n.name: self._workers_of(i) for i, n in enumerate(graph.nodes)}
        self.sent = {n.name: self.model.new_bool_var("") for n in graph.nodes}
        self.ends = {n.name: self.model.new_int_var(0, self.horizon, "") for n in graph.nodes}
        self._edges()
        self._workers()
        self._makespan()

    def _whole(self, ms: float) -> int:
        return math.floor(ms * self.ticks)

    def _workers_of(self, position: int) -> list[cp_model.IntVar]:
        """On which worker: they are alike, so the first operator is on 0, the next on 0 or 1."""
        on = [self.model.new_bool_var("") for _ in range(min(self.workers, position + 1))]
        self.model.add_exactly_one(on)
        return on

    def _edges(self) -> None:
        """A reader starts after its inputs; elsewhere, after they have been sent."""
        model, graph = self.model, self.graph
        for p, r in graph.edges:
            together = model.new_bool_var("")
            for w, here in enumerate(self.on[r]):
                if w < len(self.on[p]):
                    there = self.on[p][w]
                    model.add_bool_or(~there, ~here, together)
                    model.add_bool_or(~together, ~there, here)
                else:
                    model.add_implication(here, ~together)
            model.add_implication(~together, self.sent[p])
            ready = self.start[p] + self._whole(graph[p].cost_ms)
            model.add(self.start[r] >= ready + self._whole(graph[p].send_ms) * ~together)
            model.add(self.start[r] >= self.ends[p]).only_enforce_if(together)

    def _workers(self) -> None:
        """A worker does one thing at a time: computing, and copying what is sent."""
        model, graph = self.model, self.graph
        busy: list[list[Any]] = [[] for _ in range(self.workers)]
        for node in graph.nodes:
            copy = max(0, self._whole(node.send_ms - graph.signal_ms))
            length = self._whole(node.cost_ms) + copy * self.sent[node.name]
            for w, here in enumerate(self.on[node.name]):
                span = (self.start[node.name], length, self.ends[node.name])
                busy[w].append(model.new_optional_interval_var(*span, here, ""))
            model.add(self.ends[node.name] == self.start[node.name] + length)
        for intervals in busy:
            model.add_no_overlap(intervals)

    def _makespan(self) -> None:
        """Least end of the last; with what is known of it: load, and paths before and after."""
        model, graph = self.model, self.graph
        makespan = model.new_int_var(0, self.horizon, "")
        onward_ms = distance_to_end(graph, free_sends=True)
        for node in graph.nodes:
            model.add(makespan >= self.ends[node.name])
            onward = self._whole(onward_ms[node.name]) - len(graph)  # each may be rounded down
            if onward > 0:
                model.add(makespan >= self.start[node.name] + onward)
        for w in range(self.workers):
            load = [
                self._whole(node.cost_ms) * self.on[node.name][w]
                for node in graph.nodes
                if w < len(self.on[node.name])
            ]
            model.add(makespan >= sum(load))
        model.minimize(makespan)

    def hint(self, clusters: Sequence[Sequence[str]]) -> None:
        """Begin the search at a known plan."""
        bars = simulate(self.graph, clusters).bars
        number: dict[int, int] = {}  # workers by their first operator, as `_workers_of` wants it
        worker_of = {name: i for i, names in enumerate(clusters) for name in names}
        for node in self.graph.nodes:
            mine = number.setdefault(worker_of[node.name], len(number))
            for w, here in enumerate(self.on[node.name]):
                self.model.add_hint(here, w == mine)
        for bar in bars:
            if bar.kind == "compute":
                self.model.add_hint(self.start[bar.name], self._whole(bar.start_ms))

    def clusters(self, solver: cp_model.CpSolver) -> Clusters:
        """What the solver found, by start; ties as the model's own code."""
        index = self.graph.index
        begin, end = (
            {name: solver.value(at) for name, at in times.items()}
            for times in (self.start, self.ends)
        )
        by_worker: dict[int, list[str]] = {}
        for name in sorted(index, key=lambda n: (begin[n], end[n], index[n])):
            worker = next(w for w, here in enumerate(self.on[name]) if solver.value(here))
            by_worker.setdefault(worker, []).append(name)
        return tuple(tuple(names) for names in by_worker.values())
