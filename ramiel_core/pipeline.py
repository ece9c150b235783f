"""The only file that joins the arrows: model -> graph -> plan -> program -> run -> report.

The shell (`__main__`), the app's pages and Python users call what stands here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from ramiel_core.check import check_plan, check_program
from ramiel_core.check_memory import check_layout
from ramiel_core.errors import GraphError, ModelError, RamielError
from ramiel_core.graph import cost_cache
from ramiel_core.graph.assume import assume
from ramiel_core.graph.costs import (
    COST_MODELS,
    SendLine,
    weigh_flops,
    weigh_measured,
    weigh_unit,
)
from ramiel_core.graph.extract import extract, weights_of
from ramiel_core.graph.rewrite import rewrite
from ramiel_core.ir import (
    AUTO,
    Graph,
    Inputs,
    Parcel,
    Plan,
    Program,
    Rewrites,
    Timeline,
    TracedModel,
    WeightsFit,
)
from ramiel_core.kernels import inductor, onnx_runtime, open_vino
from ramiel_core.kernels.fuse import fuse
from ramiel_core.kernels.segment import Family
from ramiel_core.model import about, files, zoo
from ramiel_core.model import weights as weight_files
from ramiel_core.model.trace import trace
from ramiel_core.plan import saved
from ramiel_core.plan.by_hand import placed, reassigned
from ramiel_core.plan.clone import LIMITS, Limits, clone
from ramiel_core.plan.planner import DEFAULT, known_planner, make_plan
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.what_if import quick_plan
from ramiel_core.program.emit import emit
from ramiel_core.report.verdict import expectation
from ramiel_core.run import host

MOLDABLE = "moldable"
"""The planner that needs costs at two thread counts, so that only a launcher can ask for it."""

LIBRARIES: Mapping[str, Family] = {
    "inductor": inductor.recipe,
    "onnxruntime": onnx_runtime.recipe,
    "openvino": open_vino.recipe,
}

FIVE = ("squeezenet1_0", "googlenet", "resnet50", "densenet121", "inception_v3")
"""The models of the published comparison; what `bench` runs when none is named."""

REWRITES = Rewrites()
"""What a model goes through where nobody asks for anything else."""

NEAR_BOUND = 1.01  # a plan this near to its critical path is not worth another worker


def traced(
    model: str | nn.Module,
    inputs: Inputs | None = None,
    device: str = "meta",
    *,
    weights: str = "",
    partial_weights: bool = False,
) -> TracedModel:
    """A model by name, or any module with example inputs, as operator calls.

    Parameters
    ----------
    model : str or nn.Module
        A name of the registry, an ONNX file as `model.files` names it, or a module in eval mode.
    inputs : Inputs
        Example inputs, for a module.
    device : str
        "meta" gives shapes without numbers, at no cost.
    weights : str
        A file of weights to load, of a model by name; "" for random ones.
    partial_weights : bool
        Whether they may fit in part.

    Raises
    ------
    ModelError
        For an unknown name, a model that cannot be traced or imported, or weights that do not fit.
    """
    if weights:
        refuse_weights(model)
    if isinstance(model, str):
        name = resolve(model)
        if files.is_file(name):
            return files.load(name, device)
        module, inputs = zoo.build(name, device)
        fit = None
        if weights:
            path = weight_files.located(weights)
            fit = weight_files.put(module, path, name, partial=partial_weights)
        return replace(trace(module, inputs, name), weights=fit)
    if inputs is None:
        raise RamielError("a module of your own needs example inputs: analyze(module, (tensor,)).")
    return trace(model, inputs, type(model).__name__.lower())


def refuse_weights(model: str | nn.Module) -> None:
    """Say why no other weights can be put onto this model, which holds its own."""
    if not isinstance(model, str):
        raise ModelError(
            "a module of your own holds its weights: put others into it by load_state_dict before."
        )
    if files.is_file(model):
        raise ModelError(
            f"{files.label(model)} holds its own weights; leave --weights out, or name the model "
            f"that the weights are of."
        )


def weights_fit(model: str, weights: str) -> WeightsFit:
    """How a file's weights would fit a model by name; what does not fit is told, not raised.

    Raises
    ------
    ModelError
        For an unknown model, or a file that cannot be read.
    """
    refuse_weights(model)
    name = resolve(model)
    module, _ = zoo.build(name, "meta")
    return weight_files.load(module, weight_files.located(weights), name)


def weights_problem(fit: WeightsFit, *, partial: bool) -> str:
    """Why such weights are refused, in a sentence; empty where they are not."""
    return weight_files.problem(fit, partial=partial)


def weights_record(fit: WeightsFit) -> dict[str, Any]:
    """A fit as JSON takes it, with what it means in sentences as `said`."""
    return {**asdict(fit), "said": list(weight_files.told(fit))}


def keep_weights(name: str, content: memoryview) -> str:
    """Store an uploaded file of weights; returns its name, as `model.weights.keep`."""
    return weight_files.keep(name, content)


def uploaded_weights(text: str) -> str:
    """The name of uploaded weights, checked; as `model.weights.located`."""
    weight_files.located(text, uploaded_only=True)
    return text


tracing = threading.RLock()
"""Held while a model is traced: torch.fx changes nn.Module itself for as long as that takes."""


def resolve(model: str, *, uploaded_only: bool = False) -> str:
    """The name under which a model is known: as `model.files.resolve`."""
    return files.resolve(model, uploaded_only=uploaded_only)


def is_file(model: str) -> bool:
    """Whether a name is that of a file, rather than of a model of the registry."""
    return files.is_file(model)


def is_here(upload: str) -> bool:
    """Whether an uploaded model is still kept."""
    try:
        files.resolve(upload, uploaded_only=True)
    except RamielError:
        return False
    return True


def label(model: str) -> str:
    """A model's name as pages and reports show it."""
    return files.label(model)


def keep(
    name: str,
    content: memoryview,
    beside: Mapping[str, memoryview] | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> str:
    """Store an uploaded file; returns the name of its model, as `model.files.keep`."""
    return files.keep(name, content, beside, tick)


def with_sizes(model: str, sizes: Mapping[str, int]) -> str:
    """The name of a file's model with sizes for its dynamic dimensions."""
    return files.with_sizes(model, sizes)


def size(text: str) -> tuple[str, int]:
    """One size of a dynamic dimension, as a shell takes it: `NAME=SIZE`."""
    return files.size(text)


def dimensions_of(model: str) -> dict[str, int]:
    """Dynamic dimensions of a file's model, with the sizes that they have."""
    return files.dimensions_of(model)


def describe(model: str) -> about.Description:
    """What a file says of itself, before it is loaded; as `model.files.describe`."""
    return files.describe(model)


def weight_warnings(model: str) -> tuple[str, ...]:
    """What to tell of a model's weights before its figures are believed: NaN, infinities.

    All weights of a file are read for it, once, and in pieces.
    """
    name = resolve(model)
    return _stamped_warnings(name, files.stamp(name))


@lru_cache(maxsize=32)
def _stamped_warnings(name: str, stamp: tuple[int, int] | None) -> tuple[str, ...]:
    del stamp  # a file that was written anew is another model
    return tuple(files.weight_warnings(name))


def _bare_graph(
    model: str | nn.Module, inputs: Inputs | None = None, rewrites: Rewrites = REWRITES
) -> Graph:
    with tracing:
        return extract(rewrite(traced(model, inputs), rewrites))


@lru_cache(maxsize=32)
def _stamped_graph(name: str, stamp: tuple[int, int] | None, rewrites: Rewrites) -> Graph:
    del stamp  # a file that was written anew is another model
    return _bare_graph(name, None, rewrites)


def _named_graph(name: str, rewrites: Rewrites = REWRITES) -> Graph:
    return _stamped_graph(name, files.stamp(name), rewrites)


def graph_of(
    model: str | nn.Module,
    inputs: Inputs | None = None,
    *,
    cost: str = "flops",
    threads: int = 1,
    rewrites: Rewrites = REWRITES,
) -> Graph:
    """The weighed operator graph of a model; no weights are drawn, nothing runs.

    Parameters
    ----------
    model : str or nn.Module
        A name of torchvision's registry, an ONNX file, or a module in eval mode.
    inputs : Inputs
        Example inputs, for a module.
    cost : {"unit", "flops", "measured"}
        Measured costs must have been measured before: by a "profile" `Job`, or any benchmark.
    threads : int
        Inside each operator, for measured costs.
    rewrites : Rewrites
        What the traced model goes through first.

    Raises
    ------
    ModelError
        For an unknown name, or a model that cannot be traced.
    GraphError
        For an unknown cost model, or costs that were never measured on this host.
    """
    if isinstance(model, str):
        bare = _named_graph(resolve(model), rewrites)
    else:
        bare = _bare_graph(model, inputs, rewrites)
    return weigh(bare, cost, threads)


def weigh(graph: Graph, cost: str, threads: int = 1) -> Graph:
    """`graph` under another cost model; as `graph_of`."""
    if cost == "unit":
        return weigh_unit(graph)
    if cost == "flops":
        return weigh_flops(graph)
    if cost != "measured":
        raise GraphError(f"there is no cost model {cost!r}; choose {', '.join(COST_MODELS)}.")
    known = cost_cache.load(graph, host.identity(), threads)
    if known is None:
        raise GraphError(
            f"{graph.model} was never measured on this host with {threads} threads. Run "
            f"`python -m ramiel_core analyze {graph.model} --cost measured`, or a benchmark."
        )
    return weigh_measured(graph, known)


def is_measured(graph: Graph, threads: int = 1) -> bool:
    """Whether `weigh(graph, "measured", threads)` would succeed."""
    return cost_cache.load(graph, host.identity(), threads) is not None


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


def with_clones(graph: Graph, plan: Plan, limits: Limits = LIMITS) -> tuple[Graph, Plan]:
    """A plan whose workers repeat cheap operators instead of waiting for them; checked.

    The same graph and plan where that is not predicted to help.
    """
    graph, plan = clone(graph, plan, limits)
    check_plan(graph, plan)
    return graph, plan


def planner_named(name: str | None = None) -> str:
    """A planner's name, checked before anything slow starts; None is the one usually taken.

    Raises
    ------
    PlanError
        Names the nearest.
    """
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


def line_of(graph: Graph) -> SendLine | None:
    """What a send costs under the cost model of `graph`; None where it costs nothing."""
    if graph.cost_model == "unit":
        return None
    known = cost_cache.load(graph, host.identity(), 1) if graph.cost_model == "measured" else None
    return known.send if known else SendLine()


def assumed(
    graph: Graph,
    *,
    threads: int = 1,
    scale: Mapping[str, float] | None = None,
    line: SendLine | None = None,
) -> Graph:
    """`graph.assume.assume`, with costs that were measured at so many threads where there are."""
    if threads > 1 and graph.cost_model == "measured" and is_measured(graph, threads):
        return assume(weigh(graph, "measured", threads), scale=scale, line=line)
    return assume(graph, threads=threads, scale=scale, line=line)


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
        "operators": len(graph) - len(graph.clones),
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
        "removed_dead": list(graph.removed_dead),
        "cloned": list(graph.clones),
    }


def outlook(graph: Graph) -> str:
    """A sentence on what to expect of a model on this host."""
    return expectation(graph, best_plan(graph), len(host.cores()))


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


def parcel_of(model: TracedModel, kernels: str = "eager", rewrites: Rewrites = REWRITES) -> Parcel:
    """Run a traced model once, at one thread, and take along what running it again needs.

    Parameters
    ----------
    model : TracedModel
        On the CPU.
    kernels : str
        The `fused` family, and `auto`, rewrite the model, which later nobody has.
    rewrites : Rewrites
        What is planned went through these; the reference is what the model itself returned.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more threads may sum in another order, to other bits
    try:
        with torch.no_grad():
            reference = model.module(*(tensor.clone() for tensor in model.inputs))
        model = rewrite(model, rewrites)
        graph = extract(model)
        fused = _fused(model) if kernels in ("fused", AUTO) else None
    finally:
        torch.set_num_threads(threads)
    return Parcel(graph, weights_of(model, graph), model.inputs, reference, fused)


def _fused(model: TracedModel) -> tuple[Graph, dict[str, Any]]:
    rewritten = fuse(model)
    graph = replace(extract(rewritten), kernels="fused")
    return graph, weights_of(rewritten, graph)
