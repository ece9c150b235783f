"""Plans, checked; their programs and timelines, checked; and what to say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from ramiel_core.check import check_plan, check_program
from ramiel_core.check_memory import check_layout
from ramiel_core.errors import ModelError, PlanError
from ramiel_core.ir import MOLDABLE, Graph, Inputs, Plan, Program, Timeline
from ramiel_core.pipeline.graphs import assumed, graph_of
from ramiel_core.pipeline.named import (
    refuse_weights,
    weights_fit,
    weights_problem,
    weights_record,
)
from ramiel_core.plan import saved
from ramiel_core.plan.by_hand import placed, reassigned
from ramiel_core.plan.clone import LIMITS, Limits, clone
from ramiel_core.plan.moldable import moldable_ways
from ramiel_core.plan.planner import DEFAULT, fitting_planner, known_planner, make_plan
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.split import split
from ramiel_core.plan.what_if import quick_plan
from ramiel_core.program.emit import emit
from ramiel_core.report.verdict import expectation
from ramiel_core.run import host

SWITCH_MS = 0.1
"""What a wide section between two others is taken to cost unmeasured: 0.05 to 0.3 here."""

NEAR_BOUND = 1.01  # a plan this near to its critical path is not worth another worker


def plan_of(graph: Graph, workers: int | None = None, planner: str = DEFAULT) -> Plan:
    """A checked plan for at most so many workers, by a planner of `plan.planner.PLANNERS`.

    None is as many as the natural fixpoint of merging leaves.

    Raises
    ------
    PlanError
        For less than one worker, an unknown planner, or a graph too large for it.
    """
    plan = make_plan(graph, workers, planner)
    check_plan(graph, plan)
    return plan


def unmeasured_moldable(graph: Graph, workers: int | None = None) -> tuple[Graph, Plan]:
    """The moldable plan, checked, as well as it can be known without measuring for it.

    Wide operators cost what they were measured to on this host with so many threads, or else what
    `assume` makes of them; a benchmark measures both, and what changing threads costs.

    Parameters
    ----------
    graph : Graph
        Weighed, with one thread inside each operator.
    workers : int, optional
        Side by side; wide are as many threads, or as there are cores. Default: as many as cores.
    """
    workers = workers or len(host.cores())
    most = min(len(host.cores()), workers)
    wide = assumed(graph, threads=most)
    molded, plan = moldable_ways(graph, wide, workers, 1, most, SWITCH_MS)[0]
    check_plan(molded, plan)
    return molded, plan


def with_clones(graph: Graph, plan: Plan, limits: Limits = LIMITS) -> tuple[Graph, Plan]:
    """A plan whose workers repeat cheap operators instead of waiting for them; checked.

    The same graph and plan where that is not predicted to help.
    """
    graph, plan = clone(graph, plan, limits)
    check_plan(graph, plan)
    return graph, plan


def with_parts(
    graph: Graph, plan: Plan, workers: int | None = None, planner: str = DEFAULT
) -> tuple[Graph, Plan]:
    """A plan where several workers compute parts of one slow pooling; checked.

    The same graph and plan where that is not predicted to help, and for a planner that proves
    what it says of the operators as they are.

    Parameters
    ----------
    graph, plan
        Of these workers, by this planner.
    workers : int, optional
        At most so many; default: those of the plan.
    planner : str
        Plans the parts as well.
    """
    if fitting_planner(graph, planner).leaves_threads:
        return graph, plan
    most = workers or plan.workers
    graph, plan = split(graph, plan, most, lambda cut: plan_of(cut, most, planner))
    check_plan(graph, plan)
    return graph, plan


def adapted(
    graph: Graph,
    plan: Plan,
    workers: int | None = None,
    planner: str = DEFAULT,
    *,
    split: bool = False,
    clone: bool = False,
) -> tuple[Graph, Plan]:
    """What was planned, after `with_parts` and then `with_clones`, or what is asked for of them."""
    if split:
        graph, plan = with_parts(graph, plan, workers, planner)
    return with_clones(graph, plan) if clone else (graph, plan)


def planner_named(name: str | None = None) -> str:
    """A planner's name, checked before anything slow starts; None is the one usually taken.

    Raises
    ------
    PlanError
        Names the nearest, or says who makes moldable plans.
    """
    if name == MOLDABLE:
        raise PlanError(
            "a moldable plan is made of costs measured with one thread and with several: `bench "
            "MODEL --planner moldable` measures them, and the page Planners predicts it."
        )
    return known_planner(name or DEFAULT)


def best_plan(graph: Graph, threads: int = 1, planner: str = DEFAULT) -> Plan:
    """The plan of least predicted makespan, of all worker counts that have cores of their own."""
    best = plan_of(graph, 1, planner)
    most = min(best.fixpoint, len(host.cores()) // threads)
    for workers in range(2, most + 1):
        if best.makespan_ms <= best.tinf_ms * NEAR_BOUND:
            break  # more workers can only add sends
        best = min(best, plan_of(graph, workers, planner), key=lambda plan: plan.makespan_ms)
    return best


def what_if(graph: Graph, workers: int, pins: Mapping[str, int] | None = None) -> Plan:
    """A plan soon enough to follow a slider, checked, with some operators on workers of a choice.

    Parameters
    ----------
    graph : Graph
        Weighed, perhaps by `assumed`.
    workers : int
        At most so many, beside those that a pin names.
    pins : mapping, optional
        Worker by operator; the others stay where they are planned without pins.

    Raises
    ------
    PlanError
        For a pin of an operator that is not in the graph, or on a worker below 0.
    """
    plan = quick_plan(graph, workers)
    if pins:
        plan = replace(reassigned(graph, plan, pins), linear=plan.linear)
    check_plan(graph, plan)
    return plan


def plan_from(text: str | bytes, graph: Graph) -> Plan:
    """The plan that `plan.saved.to_json` wrote, checked, and predicted for this graph.

    Raises
    ------
    PlanError
        For text that is no plan of this model, or a plan that does not fit the graph; says why.
    """
    return by_hand_plan(graph, saved.from_json(text, graph))


def by_hand_plan(graph: Graph, clusters: Sequence[Sequence[str]]) -> Plan:
    """A checked plan of clusters that a person, or another program, chose.

    Raises
    ------
    PlanError
        Where an operator is missing, unknown or run twice, or workers wait for each other.
    """
    check_plan(graph, Plan(tuple(map(tuple, clusters))))
    return placed(graph, clusters)


def program_of(graph: Graph, plan: Plan) -> Program:
    """The emitted program of a plan, checked against it."""
    program = emit(graph, plan)
    check_program(graph, plan, program)
    check_layout(graph, program)
    return program


def timeline_of(graph: Graph, plan: Plan) -> Timeline:
    """The predicted timeline of a plan."""
    return simulate(graph, plan.clusters)


def summary(graph: Graph, plan: Plan) -> dict[str, Any]:
    """What `analyze --json` prints. `clusters_merged` is at the natural fixpoint of merging."""
    return {
        "model": graph.model,
        "operators": graph.operators,
        "parameters": graph.parameters,
        "clusters_linear": len(plan.linear),
        "clusters_merged": plan.fixpoint,
        "t1_ms": plan.t1_ms,
        "tinf_ms": plan.tinf_ms,
        "tinf_send_ms": plan.tinf_send_ms,
        "parallelism": plan.parallelism,
        "parallelism_send": plan.t1_ms / plan.tinf_send_ms if plan.tinf_send_ms else 1.0,
        "cost_model": graph.cost_model,
        "critical_path": list(plan.critical_path),
        "workers": plan.workers,
        "predicted_ms": plan.makespan_ms,
        "planner": plan.planner,
        "proved_ms": plan.lower_bound_ms or None,  # by the exact planner: nothing is shorter
        "removed_constants": list(graph.removed_constants),
        "removed_repeats": list(graph.removed_repeats),
        "removed_dead": list(graph.removed_dead),
        "cloned": list(graph.clones),
        "split": graph.split,
    }


def outlook(graph: Graph) -> str:
    """A sentence on what to expect of a model on this host."""
    return expectation(*with_parts(graph, best_plan(graph)), len(host.cores()))


def analyze(
    model: str | nn.Module,
    inputs: Inputs | None = None,
    *,
    cost: str = "flops",
    planner: str = DEFAULT,
    weights: str = "",
    partial_weights: bool = False,
) -> dict[str, Any]:
    """Operators, clusters, T1, T-infinity and critical path of a model, as a dictionary.

    A file of `weights` changes none of these; how it fits the model by name is told under
    "weights", and refused where it does not, unless `partial_weights` says that this is meant.
    """
    found = {}
    if weights:
        refuse_weights(model)
        fit = weights_fit(str(model), weights)
        if why := weights_problem(fit, partial=partial_weights):
            raise ModelError(why)
        found["weights"] = weights_record(fit)
    graph = graph_of(model, inputs, cost=cost)
    return summary(graph, plan_of(graph, planner=planner)) | found
