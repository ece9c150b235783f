"""What a launcher process does: measure costs, benchmark, tune. Joins arrows as `pipeline` does.

A launcher is a fresh process with one thread (`python -m ramiel_core launch FOLDER`), since only
such a one may fork workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ramiel_core import candidates
from ramiel_core.agreement import largest_difference
from ramiel_core.errors import ModelError, RamielError
from ramiel_core.fastest_way import fastest_way
from ramiel_core.graph.costs import reweigh
from ramiel_core.ir import AUTO, MOLDABLE, Configuration, Job, Parcel, Plan, Report
from ramiel_core.kernels import onnx_runtime
from ramiel_core.kernels.tolerance import tolerance_of
from ramiel_core.model import files, kinds, portable, untrusted
from ramiel_core.pipeline import (
    LIBRARIES,
    best_plan,
    parcel_of,
    summary,
    timeline_of,
    traced,
    weights_record,
)
from ramiel_core.plan import crowd
from ramiel_core.plan.by_hand import BY_HAND
from ramiel_core.plan.parts import shared_out
from ramiel_core.plan.planner import DEFAULT, fitting_planner, revalued
from ramiel_core.report import tuned
from ramiel_core.report.summarize import record, summarize
from ramiel_core.run import bench as timing
from ramiel_core.run import confine, host, jobs
from ramiel_core.workshop import Built, Tell, Workshop, apart

IMPORT_TOLERANCE = 1e-4  # between torch and ONNX Runtime, of the largest output
ROUNDED: Mapping[str, float] = {"float16": 1e-2, "bfloat16": 1e-1}
"""The same where a model computes in these: ten times what rounding one number to them takes away,
since each operator rounds, and ONNX Runtime computes several of them in float32."""


def launch(folder: Path) -> int:
    """Do the job of `folder` in this process, which must be fresh and have the host to itself."""

    def tell(kind: str, **said: Any) -> None:
        jobs.tell(folder, {"kind": kind, **said})

    torch.set_num_threads(1)  # a second thread here would hang every worker
    job = jobs.job_in(folder)
    if job.task == "open":
        return _open(job, folder, tell)
    try:
        tell("stage", text=f"Building {job.model}")
        own = folder / jobs.MODEL_FILE
        loaded: dict[str, Any] = {}
        if own.exists():
            parcel = torch.load(own, weights_only=False)  # ours, written a moment ago
            own.unlink()
        else:
            parcel, loaded = built(job)
        compared = _compared(job, parcel, tell) | loaded
        workshop = Workshop(
            parcel, tell, job.signals, clone=job.clone, split=job.split, by_hand=job.plan
        )
        if job.kernels == AUTO:
            job = _settled(workshop, job, tell)
        if job.task == "profile":
            workshop.weighed("eager", job.threads)
            tell("profiled")
        elif job.task == "tune":
            tell("tuned", record={**_tune(workshop, job, tell), **loaded})
        else:
            report = _benchmark(workshop, job, tell)
            tell("report", record={**record(report), **compared})
    except RamielError as error:
        tell("error", message=str(error), error=type(error).__name__)
        return 1
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        tell("error", message=f"the benchmark broke off ({said}). Please report it.")
        raise
    return 0


def built(job: Job) -> tuple[Parcel, dict[str, Any]]:
    """A model by name, and how the weights that were asked for fit, as the record tells it."""
    families = AUTO if job.task == "tune" else job.kernels
    model = traced(
        job.model, device="cpu", weights=job.weights, partial_weights=job.partial_weights
    )
    told = {"weights": weights_record(model.weights)} if model.weights else {}
    return parcel_of(model, families, job.rewrites), told


def _open(job: Job, folder: Path, tell: Tell) -> int:
    """Load and trace an archive that can execute code, with limits; leaves data alone behind.

    It waits for no benchmark, and none for it: it times nothing.
    """
    path = Path(job.model)
    limits = confine.limits_for(path.stat().st_size, int(job.budget_s))
    shapes = [shape for shape in job.shapes.split(",") if shape]
    tell("stage", text=f"Loading {path.name}")
    confine.confine(limits)
    try:
        traced_model = untrusted.load(path, kinds.kind_of(path), path.name, shapes)
        portable.save(traced_model, folder / jobs.OPENED_FILE)
    except RamielError as error:
        tell("error", message=str(error))
        return 1
    except MemoryError:
        tell("error", message=confine.too_large(path.name, limits))
        return 1
    except Exception as error:  # noqa: BLE001 - whatever the archive's own code raises
        said = f"{type(error).__name__}: {error}"
        tell("error", message=f"loading {path.name} broke off ({said}); {confine.ADVICE}.")
        return 1
    tell("opened")
    return 0


def _compared(job: Job, parcel: Parcel, tell: Tell) -> dict[str, Any]:
    """How near an imported file's outputs are to ONNX Runtime's, as the record tells it.

    Raises
    ------
    ModelError
        Where they are further away than rounding explains: nothing that is measured of a model
        that was imported wrongly is worth anything.
    """
    if job.task == "profile" or not files.is_onnx(job.model):
        return {}
    tell("stage", text="Comparing with ONNX Runtime")
    path, _ = files.located(job.model)
    try:
        theirs = apart(onnx_runtime.run_file, path, [t.numpy() for t in parcel.inputs])
    except (RamielError, TypeError) as error:  # numpy has no bfloat16
        return {"import_check": {"against": "onnxruntime", "error": str(error)}}
    difference = largest_difference(parcel.reference, list(map(torch.from_numpy, theirs)))
    kinds = {spec.dtype for node in parcel.graph.nodes for spec in node.outputs if spec}
    allowed = max((ROUNDED.get(kind, IMPORT_TOLERANCE) for kind in kinds), default=IMPORT_TOLERANCE)
    if difference > allowed:
        raise ModelError(
            f"{path.name} was imported wrongly: its outputs are {difference:.2g} of the largest "
            f"away from ONNX Runtime's, where {allowed:g} is allowed. Please report it."
        )
    check = {"max_difference": difference, "tolerance": allowed}
    return {"import_check": {"against": "onnxruntime", **check}}


def _benchmark(workshop: Workshop, job: Job, tell: Tell) -> Report:
    planned_by = "eager" if job.kernels in LIBRARIES else job.kernels
    if job.planner not in (MOLDABLE, BY_HAND):
        fitting_planner(workshop.family(planned_by)[0], job.planner)  # before measuring for it
    workers = job.workers or 0
    if job.planner != MOLDABLE or workers < 2:  # else measured in the rounds of all threads
        graph = workshop.weighed(planned_by, job.threads)
        workers = workers or best_plan(graph, job.threads).workers
    asked = Configuration(job.kernels, job.planner, job.runtime, workers, job.threads)
    parallel, reason = fastest_way(workshop, asked, tell)
    graph, plan = parallel.graph, parallel.plan
    warnings = [*_warnings(job, plan), *filter(None, [reason]), *workshop.parcel.warnings]
    tell("planned", **summary(graph, plan), warnings=warnings)
    built = _contenders(workshop, job, asked, parallel)
    sequential = built["sequential"]
    tolerances = {label: tolerance_of(b.configuration) for label, b in built.items()}
    beside = None
    if plan.workers > 1 and job.kernels not in LIBRARIES:
        beside = workshop.beside(job.kernels, sequential.graph, job.threads)
    with ExitStack() as stack:
        teams = {label: stack.enter_context(workshop.team(b)) for label, b in built.items()}
        crowded = None if beside is None else stack.enter_context(workshop.team(beside))

        def progress(done: int, last_ms: Any) -> None:
            tell("progress", done=done, total=job.repeats, last_ms=dict(last_ms))

        tell("stage", text=f"Timing {job.repeats} rounds")
        labels = ["sequential"]
        if plan.wide:
            labels.append("threads")
        if job.kernels in LIBRARIES:  # whose segments exist in this plan only
            labels.append("parallel")
        runs, costs = timing.interleave(
            teams, workshop.parcel.reference, job.repeats, progress, tolerances, labels, crowded
        )
        tell("stage", text="Tracing one inference")
        measured = timing.median_trace(teams["parallel"])
    wide = set(plan.wide)
    narrow = costs[labels[-1] if job.kernels in LIBRARIES else "sequential"]
    cost_ms = shared_out(graph, {**narrow, **{name: costs["threads"][name] for name in wide}})
    crowding = {}
    if beside is not None:
        found = crowd.crowding(beside.plan, costs["sequential"], costs[timing.BESIDE])
        narrows = (node for node in graph.nodes if node.name not in wide)
        crowding = {n.name: found[n.clone_of or n.part_of or n.name] for n in narrows}
    graph = reweigh(graph, cost_ms, crowding)
    plan = revalued(plan, graph)
    timelines = (timeline_of(graph, plan), measured)
    return summarize(
        graph, plan, job, runs=runs, timelines=timelines, host=host.facts(), warnings=warnings
    )


def _contenders(
    workshop: Workshop, job: Job, asked: Configuration, parallel: Built
) -> dict[str, Built]:
    """A plan and what else a user could pick, by label, to be timed in the same rounds."""
    sequential = workshop.build(Configuration(job.kernels, threads=job.threads))
    built = {"sequential": sequential, "parallel": parallel}
    inside = min(len(host.cores()), max(2, asked.workers * job.threads))
    if inside > job.threads:
        built["threads"] = workshop.build(Configuration(job.kernels, threads=inside))
    if parallel.plan.wide:  # "threads" is one end of such a plan, this is the other
        clusters = workshop.build(replace(asked, planner=DEFAULT))
        if clusters.plan.workers > 1:
            built["clusters"] = clusters
    if job.tuned and sequential.configuration != (plain := Configuration()):
        built["eager"] = workshop.build(plain)  # what a tuner's choice is compared with
    return built


def _tune(workshop: Workshop, job: Job, tell: Tell) -> dict[str, Any]:
    """Find the fastest configuration of a model; kept for `auto`."""
    model = workshop.parcel.graph
    rows = candidates.race(workshop, job.budget_s, tell)
    found = {
        "model": model.model,
        "winner": rows[0]["configuration"],
        "standings": rows,
        "steps": tuned.gains(rows),
        "out": tuned.out(rows),
        "calls": workshop.calls,
        "budget_s": job.budget_s,
        "host": host.facts(),
    }
    tuned.save(model, host.identity(), found)
    return found


def _settled(workshop: Workshop, job: Job, tell: Tell) -> Job:
    """The job with what the tuner found for its model on this host, which it may have to find."""
    known = tuned.load(workshop.parcel.graph, host.identity())
    found = known or _tune(workshop, job, tell)
    return replace(job, **found["winner"], tuned=True)


def _warnings(job: Job, plan: Plan) -> list[str]:
    """What the user should know about the settings before believing the figures."""
    cores, found = len(host.cores()), []
    if job.workers is not None and job.workers > cores:
        found.append(
            f"{job.workers} workers on {cores} cores: workers take turns, and waiting ones sleep."
        )
    if (job.workers or 1) * job.threads > cores:
        found.append(
            f"oversubscribed: {job.workers or 1} × {job.threads} threads on {cores} cores."
        )
    sequential = plan.wide or plan.rejected_makespan_ms is not None  # of which the verdict tells
    if job.workers is not None and not sequential and job.workers > plan.workers:
        found.append(
            f"{job.workers} workers were asked for, but the graph has work for {plan.workers} only."
        )
    return found
