"""Asks launchers for what needs a process of its own, from anywhere: the app, a shell, Python."""

from __future__ import annotations

import io
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from ramiel_core import errors
from ramiel_core.agreement import agreement
from ramiel_core.errors import ModelError, RamielError, RunError
from ramiel_core.ir import AUTO, MOLDABLE, Configuration, Graph, Inputs, Job, Plan
from ramiel_core.kernels.segment import segment
from ramiel_core.kernels.tolerance import tolerance_of
from ramiel_core.model import files, kinds, uploads, weight_uploads
from ramiel_core.pipeline import (
    LIBRARIES,
    by_hand_plan,
    graph_of,
    is_here,
    parcel_of,
    program_of,
    refuse_weights,
    resolve,
    traced,
    tracing,
    weights_fit,
    weights_problem,
)
from ramiel_core.plan.by_hand import BY_HAND
from ramiel_core.plan.planner import known_planner, sequential_plan
from ramiel_core.report import tuned
from ramiel_core.run import confine, host, jobs
from ramiel_core.run.local import Local
from ramiel_core.words import times

KNOWN_OPS = frozenset({"aten", "prims", "mkldnn", "higher_order", "quantized", "torchvision"})
"""Namespaces of operators that a launcher has: torch's own, and what a program imports."""

OPEN_S = 300  # that loading and tracing one may take, of processor time and of the wall's clock
START_S = 60  # for a process to begin, on a busy host
RISK = (
    "Loading this file executes code that it may hold, with everything your account may do: read "
    "and delete your files, and use the network. Its memory and time are limited, and this app "
    "itself does not load it; neither makes a hostile file harmless. Load it only if you trust "
    "where it comes from."
)


def start(job: Job, model: nn.Module | None = None, inputs: Inputs | None = None) -> str:
    """Start a benchmark in a process of its own; `run.jobs` follows and cancels it by its id.

    Raises
    ------
    ModelError
        For a name that is not in the registry, or a module that cannot be traced.
    PlanError
        For an unknown planner, or a plan of one's own that does not fit the model.
    """
    if job.plan:
        job = replace(job, planner=BY_HAND, workers=Plan.parse(job.plan).workers)
    elif job.planner != MOLDABLE:
        known_planner(job.planner)
    if model is None:
        job = replace(job, model=resolve(job.model))
        if job.weights:
            job = replace(job, weights=_checked_weights(job))
        _refuse_illegal(job, partial(graph_of, job.model, cost="unit", rewrites=job.rewrites))
        return jobs.start(job)
    if job.weights:
        refuse_weights(model)
    with tracing:
        families = AUTO if job.task == "tune" else job.kernels
        own = replace(traced(model, inputs), name=job.model)
        parcel = parcel_of(own, families, job.rewrites)
    _refuse_unknown(parcel.graph)
    _refuse_illegal(job, lambda: parcel.graph)
    packed = io.BytesIO()
    torch.save(parcel, packed)
    return jobs.start(job, packed.getvalue())


def _checked_weights(job: Job) -> str:
    """The name of a job's weights, wherever its launcher runs; refused here if they do not fit."""
    if why := weights_problem(weights_fit(job.model, job.weights), partial=job.partial_weights):
        raise ModelError(why)
    uploaded = weight_uploads.UPLOADS.path_of(job.weights)
    return job.weights if uploaded else str(weight_uploads.located(job.weights))


def _refuse_unknown(graph: Graph) -> None:
    """Say which of its calls no other process would know, before one is started for a module."""
    calls = "\n".join((*graph.imports, *(node.call for node in graph.nodes)))
    found = re.search(r"from __main__ import \w+", calls) or next(
        (op for op in re.finditer(r"torch\.ops\.(\w+)\.\w+", calls) if op[1] not in KNOWN_OPS), None
    )
    if found:
        raise ModelError(
            f"{graph.model} calls what only this process knows (`{found[0]}`); put model and all "
            f"into a module that Python finds and name a function of it that returns both model "
            f"and inputs: `package.module:function`."
        )


def _refuse_illegal(job: Job, graph: Callable[[], Graph]) -> None:
    """Say what is wrong with a plan of one's own before a process is started for it."""
    if job.plan:
        by_hand_plan(graph(), Plan.parse(job.plan).clusters)


def load(
    model: str | nn.Module,
    inputs: Inputs | None = None,
    *,
    budget_s: float = 60.0,
    weights: str = "",
    partial_weights: bool = False,
) -> Local:
    """A model as it was found to be fastest on this host with one worker, to be called here.

    Parameters
    ----------
    model : str or nn.Module
        A name of torchvision's registry, or a module in eval mode.
    inputs : Inputs
        Example inputs, for a module; it is called as with these: same structure and shapes.
    budget_s : float
        For the tuner, where nothing is known of the model on this host.
    weights : str
        A file of weights for a model by name; "" for random ones.
    partial_weights : bool
        Whether they may fit in part.

    Returns
    -------
    Local
        Called as the model is, it returns what the model returns. Plans of several workers need
        processes of their own; `bench` runs them, and where one was faster a warning says so.

    Raises
    ------
    RunError
        Where what was loaded returns something else than the model for the example inputs.
    """
    own = None if isinstance(model, str) else model
    with tracing:
        traced_model = traced(
            model, inputs, device="cpu", weights=weights, partial_weights=partial_weights
        )
        parcel = parcel_of(traced_model, AUTO)
    found = tuned.load(parcel.graph, host.identity())
    if found is None:
        name = model if isinstance(model, str) else traced_model.name
        job = Job(name, "tune", budget_s=budget_s, weights=weights, partial_weights=partial_weights)
        events = list(finish(start(job, own, inputs)))
        found = events[-1]["record"]
    row = fastest_alone(found)
    c = Configuration(**row["configuration"])
    graph, held = (
        parcel.fused if c.kernels == "fused" and parcel.fused else (parcel.graph, parcel.weights)
    )
    calls = found["calls"].get(f"{c.kernels} {c.threads}", {})
    nodes = (replace(n, call=calls.get(n.name, n.call), others=()) for n in graph.nodes)
    graph = replace(graph, nodes=tuple(nodes))
    plan = sequential_plan(graph)
    if c.kernels in LIBRARIES:
        graph, plan, held = segment(graph, plan, held, LIBRARIES[c.kernels])
    local = Local(
        program_of(graph, plan), held, threads=c.threads, signature=traced_model.signature
    )
    allowed = tolerance_of(c)
    agrees, difference = agreement(local.infer(parcel.inputs), parcel.reference, allowed)
    if not agrees:
        raise RunError(
            f"{graph.model} by {row['label']} is {difference:.2g} of the largest output away from "
            f"the model itself, where {allowed:g} is allowed; tune it again, and "
            f"please report it."
        )
    return local


def fastest_alone(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fastest standing of one worker; warns where several workers were faster still.

    Raises
    ------
    RunError
        Where none with one worker ran to its end.
    """
    ran = [row for row in found["standings"] if row["state"] not in tuned.OUT and row["ratio"]]
    alone = [row for row in ran if row["configuration"]["workers"] == 1]
    if not alone:
        raise RunError(
            f"no configuration of {found['model']} with one worker came to its end when it was "
            f"tuned; tune it again with more seconds."
        )
    best: Mapping[str, Any] = min(alone, key=lambda row: row["ratio"])
    if best["ratio"] > tuned.SAME and found["winner"]["workers"] > 1:
        warnings.warn(
            f"{found['model']} runs fastest here with {tuned.in_words(found['winner'])}, which "
            f"need processes of their own (ramiel_core.bench); loaded is "
            f"{tuned.in_words(best['configuration'])}, which takes {times(best['ratio'])} as long.",
            stacklevel=3,
        )
    return best


def bench(model: str | nn.Module, inputs: Inputs | None = None, **settings: Any) -> dict[str, Any]:
    """Benchmark a model and return its record; settings are the fields of `Job`.

    Raises
    ------
    RamielError
        Whatever stopped it, as the launcher said it.
    """
    own = None if isinstance(model, str) else model
    name = model if isinstance(model, str) else type(model).__name__.lower()
    job_id = start(Job(name, **settings), own, inputs)
    for event in finish(job_id):
        if event["kind"] == "report":
            found: dict[str, Any] = event["record"]
            return found
    raise RamielError("the benchmark was cancelled; start it again.")


def finish(job_id: str) -> Iterator[jobs.Event]:
    """Follow a job to its end; cancels it if the caller stops listening.

    Raises
    ------
    RamielError
        The error that the launcher told.
    """
    ended = False
    try:
        for event in jobs.follow(job_id):
            ended = event["kind"] in jobs.FINAL
            if event["kind"] == "error":
                raise getattr(errors, event.get("error", ""), RamielError)(event["message"])
            yield event
    finally:
        if not ended:
            jobs.cancel(job_id)


# --- archives that can execute code: only after their user has agreed ------------------------


def needs_trust(model: str) -> bool:
    """Whether a name is that of a file which can only be loaded by executing what it holds."""
    if not files.is_file(model):
        return False
    path, _ = files.located(model)
    return kinds.kind_of(path) in kinds.TRUSTABLE


def open_trusted(
    model: str,
    shapes: Sequence[str] = (),
    *,
    seconds: int = OPEN_S,
    tick: Callable[[float], None] = lambda _: None,
) -> str:
    """Load and trace a file that can execute code, in a process of its own that has limits.

    Ask its user before: `RISK` says what for. What comes back is data, from which nothing is
    executed, so neither this process nor any launcher loads the file itself.

    Parameters
    ----------
    model : str
        Path or name of a torch.export or TorchScript archive.
    shapes : sequence of str
        Of its inputs, as `model.untrusted.example` reads them; a torch.export archive has its own.
    seconds : int
        That it may take, of processor time and of the wall's clock.
    tick : callable
        Called with the seconds passed, several times a second. If it raises, the process is ended.

    Returns
    -------
    str
        The name under which the model is known from now on, without any further consent.

    Raises
    ------
    ModelError
        Where it cannot be loaded or traced.
    RunError
        Where it crashed, or passed a limit.
    """
    path, _ = files.located(model)
    name = uploads.traced_name(path, shapes)
    if is_here(name):
        return name
    job = Job(str(path.resolve()), task="open", budget_s=seconds, shapes=",".join(shapes))
    job_id, began = jobs.start(job), time.monotonic()
    try:
        while (code := jobs.exit_code(job_id)) is None:
            passed_s = time.monotonic() - began
            if passed_s > seconds + START_S:
                break
            tick(passed_s)
            time.sleep(jobs.POLL_S)
        last = _last_event(job_id)
        if code == 0 and last["kind"] == "opened":
            uploads.keep_traced(jobs.opened_file(job_id), name)
            return name
        if code == 1 and last["kind"] == "error":
            raise ModelError(last["message"])
        raise RunError(confine.end_of(files.label(model), code, seconds))
    finally:
        jobs.forget(job_id)


def _last_event(job_id: str) -> jobs.Event:
    """What a process said last; one that runs code of others may have said anything."""
    try:
        last = jobs.events(job_id)[-1]
        return {"kind": str(last["kind"]), "message": str(last.get("message", ""))}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {"kind": "unreadable"}
