"""Asks launchers for benchmarks, from anywhere: the app, a shell, Python."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from ramiel_core import errors
from ramiel_core.errors import RamielError
from ramiel_core.ir import AUTO, Graph, Job, Plan
from ramiel_core.kernels.segment import segment
from ramiel_core.pipeline import (
    LIBRARIES,
    MOLDABLE,
    Inputs,
    by_hand_plan,
    graph_of,
    parcel_of,
    program_of,
    resolve,
    traced,
    tracing,
)
from ramiel_core.plan.by_hand import BY_HAND
from ramiel_core.plan.planner import known_planner, sequential_plan
from ramiel_core.report import tuned
from ramiel_core.run import host, jobs
from ramiel_core.run.local import Local


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
        _refuse_illegal(job, partial(graph_of, job.model, cost="unit", rewrites=job.rewrites))
        return jobs.start(job)
    with tracing:
        families = AUTO if job.task == "tune" else job.kernels
        own = replace(traced(model, inputs), name=job.model)
        parcel = parcel_of(own, families, job.rewrites)
    _refuse_illegal(job, lambda: parcel.graph)
    packed = io.BytesIO()
    torch.save(parcel, packed)
    return jobs.start(job, packed.getvalue())


def _refuse_illegal(job: Job, graph: Callable[[], Graph]) -> None:
    """Say what is wrong with a plan of one's own before a process is started for it."""
    if job.plan:
        by_hand_plan(graph(), Plan.parse(job.plan).clusters)


def load(model: str | nn.Module, inputs: Inputs | None = None, *, budget_s: float = 60.0) -> Local:
    """A model as it was found to be fastest on this host with one worker, to be called here.

    Parameters
    ----------
    model : str or nn.Module
        A name of torchvision's registry, or a module in eval mode.
    inputs : tuple of torch.Tensor
        Example inputs, for a module; it can be called with inputs of the same shapes.
    budget_s : float
        For the tuner, where nothing is known of the model on this host.

    Returns
    -------
    Local
        Called with tensors, it returns what the model returns. Plans of several workers need
        processes of their own; `bench` runs them.
    """
    own = None if isinstance(model, str) else model
    with tracing:
        traced_model = traced(model, inputs, device="cpu")
        parcel = parcel_of(traced_model, AUTO)
    found = tuned.load(parcel.graph, host.identity())
    if found is None:
        name = model if isinstance(model, str) else traced_model.name
        job = Job(name, task="tune", budget_s=budget_s)
        events = list(finish(start(job, own, inputs)))
        found = events[-1]["record"]
    alone = [row for row in found["standings"] if row["configuration"]["workers"] == 1]
    best = min(alone, key=lambda row: row["ratio"] or float("inf"))["configuration"]
    kernels, threads = best["kernels"], best["threads"]
    graph, weights = (
        parcel.fused if kernels == "fused" and parcel.fused else (parcel.graph, parcel.weights)
    )
    calls = found["calls"].get(f"{kernels} {threads}", {})
    nodes = (replace(n, call=calls.get(n.name, n.call), others=()) for n in graph.nodes)
    graph = replace(graph, nodes=tuple(nodes))
    plan = sequential_plan(graph)
    if kernels in LIBRARIES:
        graph, plan, weights = segment(graph, plan, weights, LIBRARIES[kernels])
    return Local(program_of(graph, plan), weights, threads=threads)


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
