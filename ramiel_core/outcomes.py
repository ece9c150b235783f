"""What becomes of records once a launcher has ended: traces, pages, costs to plan with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ramiel_core.errors import ModelError, RamielError
from ramiel_core.graph import cost_cache
from ramiel_core.graph.costs import reweigh, weigh_measured
from ramiel_core.ir import Graph, Report
from ramiel_core.pipeline import graph_of
from ramiel_core.plan.parts import in_parts, made_whole
from ramiel_core.report import critical, perfetto, tuned
from ramiel_core.report.summarize import report_from
from ramiel_core.run import host
from ramiel_core.view import page


def graph_of_report(report: Report) -> Graph | None:
    """The graph whose operators a benchmark's timelines name; None where unknown.

    Only the eager operators of models that have a name, or a file, are known after the benchmark.
    """
    graph = _planned(report)
    return graph and in_parts(graph, report.split)


def _planned(report: Report) -> Graph | None:
    """The same before any operator was cut into parts."""
    if report.job.kernels != "eager" or report.job.clone:
        return None
    try:
        return graph_of(report.job.model, cost="unit", rewrites=report.job.rewrites)
    except ModelError:
        return None


def trace_of(*records: Mapping[str, Any]) -> dict[str, Any]:
    """Timelines of benchmarks, predicted and measured, as `report.perfetto.trace` makes them.

    Parameters
    ----------
    *records : mapping
        As `bench` returns them.
    """
    timelines = {}
    for number, record in enumerate(records, start=1):
        report = report_from(record)
        graph = graph_of_report(report)
        edges = None if graph is None else graph.edges
        name = report.model if len(records) == 1 else f"{number}. {report.model}"
        timelines[f"{name}, predicted"] = report.predicted, edges
        timelines[f"{name}, measured"] = report.measured, edges
    return perfetto.trace(timelines)


def html_of(*records: Mapping[str, Any]) -> str:
    """Benchmarks as one page that opens without Ramiel and without a network.

    Parameters
    ----------
    *records : mapping
        As `bench` returns them.
    """
    reports = [report_from(record) for record in records]
    shown = [replace(report, measured=critical.labelled(report.measured)) for report in reports]
    paths = [
        {
            "predicted": critical.critical_bars(report.predicted),
            "measured": critical.critical_bars(report.measured),
        }
        for report in shown
    ]
    return page.html(list(zip(shown, paths, strict=True)))


def recalibrate(report: Report) -> Graph:
    """Make what operators cost in a benchmark's own minutes the measured costs of its model.

    Alone, and beside others where the benchmark has measured that; sends keep their costs.

    Returns
    -------
    Graph
        Weighed by them, as `graph_of(model, cost="measured")` is from now on.

    Raises
    ------
    RamielError
        Where its operators are not those of the model, or it ran on another host.
    """
    graph, threads = _planned(report), report.job.threads
    if graph is None or report.plan.wide:
        raise RamielError(
            "only eager kernels at one thread count run the operators that are planned with: "
            "benchmark the model with --kernels eager and without a moldable plan."
        )
    known = cost_cache.load(graph, host.identity(), threads)
    if known is None:
        raise RamielError(
            f"{report.model} was never measured on this host with {threads} threads: run the "
            f"benchmark here again."
        )
    ran = made_whole(reweigh(in_parts(graph, report.split), report.operator_ms))
    found = replace(known, cost_ms={node.name: node.cost_ms for node in ran.nodes})
    if report.crowd > 1:
        found = replace(found, crowding=report.crowding, crowd=report.crowd)
    weighed = weigh_measured(graph, found)
    cost_cache.save(graph, host.identity(), threads, found)
    return weighed


def tuned_for(model: str) -> dict[str, Any] | None:
    """What a tuner found for a model by name on this host, or None.

    The record of a "tune" `Job`, with `found_at`: when that was, as ISO 8601 in UTC.
    """
    return tuned.load(graph_of(model, cost="unit"), host.identity())
