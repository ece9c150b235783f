"""Jobs that have ended, as their launchers would have left them."""

from __future__ import annotations

import json

from ramiel_core import pipeline
from ramiel_core.ir import Job, Run
from ramiel_core.report.summarize import record, summarize
from ramiel_core.run import jobs
from tests.tunings import HOST


def ended_job(folder, *events, **settings):
    """Id of a job in this cache folder that said these events and asked for these settings."""
    job_id = "00112233aabbccdd"
    home = folder / "jobs" / job_id
    home.mkdir(parents=True)
    (home / "job.json").write_text(json.dumps({"model": "googlenet", **settings}))
    for event in events:
        jobs.tell(home, event)
    return job_id


def benchmark(folder, kernels="eager", parallel_ms=(8.0, 8.2), graph=None, model="", **settings):
    """Id of a benchmark of SqueezeNet on two workers that has ended, under this cache folder.

    `model` is what the job names, where that is not the name in the graph: a file.
    """
    graph = graph or pipeline.graph_of("squeezenet1_0")
    plan = pipeline.plan_of(graph, 2)
    timeline = pipeline.timeline_of(graph, plan)
    times = {"sequential": (9.0, 9.2), "parallel": parallel_ms}
    runs = [
        Run(label, 1, 1, ms, True, 0.0, 1e-4, shared_bytes=3_360_000, apart_bytes=12_200_000)
        for label, ms in times.items()
    ]
    job = Job(model or graph.model, workers=2, kernels=kernels, **settings)
    report = summarize(graph, plan, job, runs=runs, timelines=(timeline, timeline), host=HOST)
    event = {"kind": "report", "record": record(report)}
    return ended_job(folder, event, model=job.model, kernels=kernels, workers=2)
