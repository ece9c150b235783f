"""What each command does; torch is imported only by those that need it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ramiel_core.errors import ModelError, RamielError
from ramiel_core.ir import MOLDABLE, Job, Rewrites
from ramiel_core.shell import tables

if TYPE_CHECKING:
    import argparse

    from rich.progress import Progress

FAILED = 1


def _named(model: str, options: argparse.Namespace) -> str:
    """A model's name, checked, with the sizes that were asked for."""
    from ramiel_core import client, pipeline

    sizes = dict(pipeline.size(text) for text in options.dim)
    if options.trust and client.needs_trust(model):
        model = client.open_trusted(model, options.input)
    name = pipeline.with_sizes(pipeline.resolve(model), sizes)
    if sizes:
        pipeline.graph_of(name)  # which refuses a size that does not fit
    return name


def _rewrites_of(options: argparse.Namespace) -> Rewrites:
    return Rewrites(options.fold_constants, options.share_repeats, options.drop_dead)


def analyze(options: argparse.Namespace) -> int:
    """Print what planning finds of a model."""
    from ramiel_core import client, pipeline

    planner, rewrites = pipeline.planner_named(options.planner), _rewrites_of(options)
    model = _named(options.model, options)
    weights = _fitted(model, options)
    graph = pipeline.graph_of(model, rewrites=rewrites)
    if options.cost == "measured" and (options.refresh or not pipeline.is_measured(graph)):
        job = Job(model, task="profile", **asdict(rewrites))
        for _ in client.finish(client.start(job)):
            pass
    graph = pipeline.weigh(graph, options.cost)
    plan = pipeline.plan_of(graph, planner=planner)
    after = {"split": options.split, "clone": options.clone}
    found = pipeline.summary(*pipeline.adapted(graph, plan, None, planner, **after)) | weights
    if sizes := pipeline.dimensions_of(model):
        found["dimensions"] = sizes
    if warnings := pipeline.weight_warnings(model):
        found["warnings"] = warnings
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        tables.summary(found, options.planner, pipeline.outlook(graph))
        for warning in found.get("warnings", ()):
            print(f"Warning: {warning}")
    return 0


def _fitted(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """How the weights that were asked for fit; as JSON also where they are then refused."""
    from ramiel_core import pipeline

    asked = _weights_of(options)
    if not asked["weights"]:
        return {}
    fit = pipeline.weights_fit(model, asked["weights"])
    found = {"weights": pipeline.weights_record(fit)}
    if why := pipeline.weights_problem(fit, partial=asked["partial_weights"]):
        if options.json:
            print(json.dumps(found, indent=2))
        raise ModelError(why)
    return found


def _weights_of(options: argparse.Namespace) -> dict[str, Any]:
    if options.partial_weights and not options.weights:
        raise ModelError("--partial-weights is about a file: name it by --weights FILE.")
    return {"weights": options.weights, "partial_weights": options.partial_weights}


def bench(options: argparse.Namespace) -> int:
    """Benchmark models one after another, and write their records."""
    from ramiel_core import outcomes, pipeline

    fields = (
        "kernels",
        "planner",
        "runtime",
        "workers",
        "threads",
        "repeats",
        "signals",
        "split",
        "clone",
    )
    settings = {name: getattr(options, name) for name in fields} | asdict(_rewrites_of(options))
    settings |= _weights_of(options)
    models = [_named(name, options) for name in options.models] or list(pipeline.FIVE)
    if options.weights and len(models) > 1:
        raise ModelError("weights are of one model: name the one that --weights belongs to.")
    jobs = [Job(model, **settings) for model in models]  # all are checked before the first starts
    records: list[dict[str, Any]] = []
    with tables.progress() as progress:
        for job in jobs:
            records.append(_bench_one(job, progress))
            options.out.write_text(json.dumps(records, indent=1) + "\n")
            if options.trace:
                trace = outcomes.trace_of(*records)
                options.trace.write_text(json.dumps(trace) + "\n")
            if options.html:
                options.html.write_text(outcomes.html_of(*records))
    tables.benchmarks(records)
    written = (options.out, options.trace, options.html)
    print(f"Written to {' and '.join(map(str, filter(None, written)))}.")
    return 0 if all(record["equal"] for record in records) else FAILED


def _bench_one(job: Job, progress: Progress) -> dict[str, Any]:
    from ramiel_core import client

    bar = progress.add_task(f"{job.model}: starting", total=job.repeats)
    for event in client.finish(client.start(job)):
        if event["kind"] == "stage":
            progress.update(bar, description=f"{job.model}: {event['text']}")
        elif event["kind"] == "queued":
            progress.update(bar, description=f"{job.model}: waiting for another benchmark")
        elif event["kind"] == "planned":
            for warning in event["warnings"]:
                progress.console.print(f"[yellow]{job.model}: {warning}[/]")
        elif event["kind"] == "progress":
            progress.update(bar, completed=event["done"])
        elif event["kind"] == "report":
            progress.update(bar, description=f"{job.model}: done")
            found: dict[str, Any] = event["record"]
            return found
    raise RamielError(f"the benchmark of {job.model} was cancelled; start it again.")


def tune(options: argparse.Namespace) -> int:
    """Find the fastest configuration of a model, and print how all of them stood."""
    from ramiel_core import client

    model = _named(options.model, options)
    job = Job(model, task="tune", budget_s=options.budget, **_weights_of(options))
    found: dict[str, Any] = {}
    with tables.progress() as progress:
        bar = progress.add_task(f"{job.model}: starting", total=None)
        for event in client.finish(client.start(job)):
            if event["kind"] == "stage":
                progress.update(bar, description=f"{job.model}: {event['text']}")
            elif event["kind"] == "standings":
                rows = event["rows"]
                waiting = sum(row["state"] in ("waiting", "measuring") for row in rows)
                progress.update(bar, total=len(rows), completed=len(rows) - waiting)
            elif event["kind"] == "tuned":
                found = event["record"]
    if not found:
        raise RamielError(f"the tuning of {job.model} was cancelled; start it again.")
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        tables.standings(found)
    return 0


def emit(options: argparse.Namespace) -> int:
    """Write the parallel and the sequential program of a model."""
    from ramiel_core import pipeline

    named = options.planner
    planner = named if named == MOLDABLE else pipeline.planner_named(named)
    model, rewrites = _named(options.model, options), _rewrites_of(options)
    if options.kernels == "fused":
        graph = pipeline.weigh(pipeline.fused_graph(model, rewrites), options.cost)
    else:
        graph = pipeline.graph_of(model, cost=options.cost, rewrites=rewrites)
    if planner == MOLDABLE:
        parallel = pipeline.unmeasured_moldable(graph, options.workers)
    else:
        plan = pipeline.plan_of(graph, options.workers, planner)
        after = {"split": options.split, "clone": options.clone}
        parallel = pipeline.adapted(graph, plan, options.workers, planner, **after)
    plans = {"parallel.py": parallel, "sequential.py": (graph, pipeline.plan_of(graph, 1))}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, made in plans.items():
        path = options.out / name
        path.write_text(pipeline.program_of(*made).source)
        print(path)
    return 0


def models() -> int:
    """Print every model by name."""
    from ramiel_core.model import zoo

    for family, names in zoo.families().items():
        print(f"{family}: {', '.join(names)}")
    return 0


def launch(options: argparse.Namespace) -> int:
    """Do the job of a folder in this process, once the host is free."""
    from ramiel_core.run import jobs

    with jobs.host_to_itself(options.folder):
        # Only now: it imports torch, which would take a core from the job that is timed meanwhile.
        from ramiel_core import launcher

        return launcher.launch(options.folder)
