"""Operator graphs of models, weighed by a cost model or by what is assumed of a host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from torch import nn

from ramiel_core.errors import GraphError
from ramiel_core.graph import cost_cache
from ramiel_core.graph.assume import assume
from ramiel_core.graph.costs import (
    COST_MODELS,
    SendLine,
    weigh_flops,
    weigh_measured,
    weigh_unit,
)
from ramiel_core.graph.extract import extract
from ramiel_core.graph.rewrite import rewrite
from ramiel_core.ir import Graph, Inputs, Rewrites
from ramiel_core.model import files
from ramiel_core.pipeline.named import resolve, traced, tracing
from ramiel_core.run import host

REWRITES = Rewrites()
"""What a model goes through where nobody asks for anything else."""


def _bare_graph(
    model: str | nn.Module, inputs: Inputs | None = None, rewrites: Rewrites = REWRITES
) -> Graph:
    with tracing:
        return extract(rewrite(traced(model, inputs), rewrites))


@lru_cache(maxsize=32)
def _kept_graph(name: str, stamp: tuple[int, int] | None, rewrites: Rewrites) -> Graph:
    del stamp  # a file that was written anew is another model
    return _bare_graph(name, None, rewrites)


@lru_cache(maxsize=32)
def _kept_weighed(name: str, stamp: tuple[int, int] | None, rewrites: Rewrites, cost: str) -> Graph:
    """Under costs that no measurement changes: what a graph derives from itself is kept, too."""
    return weigh(_kept_graph(name, stamp, rewrites), cost)


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
    if not isinstance(model, str):
        return weigh(_bare_graph(model, inputs, rewrites), cost, threads)
    name = resolve(model)
    kept = name, files.stamp(name), rewrites
    if cost == "measured":
        return weigh(_kept_graph(*kept), cost, threads)
    return _kept_weighed(*kept, cost)


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
