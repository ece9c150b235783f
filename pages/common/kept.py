"""Arrows of the engine, kept: what a page has asked for once is there at once the next time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping

import streamlit as st

from ramiel_core import pipeline
from ramiel_core.ir import Graph, Plan, Point, Program, Rewrites, WeightsFit
from ramiel_core.plan import saved
from ramiel_core.plan.what_if import speedup_curve as speedup_curve_of


def _identity(graph: Graph) -> tuple[str, str, str]:
    """Structure and costs: a benchmark may measure a graph anew at any time."""
    costs = repr([(node.cost_ms, node.send_ms) for node in graph.nodes])
    return graph.fingerprint, graph.cost_model, hashlib.sha256(costs.encode()).hexdigest()


BY_COST = {Graph: _identity}  # how Streamlit tells arguments of kept functions apart


def graph_of(model: str, cost: str, rewrites: Rewrites = pipeline.REWRITES) -> Graph:
    """The weighed graph; the engine itself keeps what is slow about it."""
    return pipeline.graph_of(model, cost=cost, rewrites=rewrites)


@st.cache_resource(max_entries=16, show_spinner="Reading the weights…")
def weights_fit(model: str, weights: str) -> WeightsFit:
    """`pipeline.weights_fit` of uploaded weights, which are named by their content."""
    return pipeline.weights_fit(model, weights)


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs=BY_COST)
def plan_of(graph: Graph, workers: int | None = None) -> Plan:
    """`pipeline.plan_of`."""
    return pipeline.plan_of(graph, workers)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_COST)
def what_if(graph: Graph, workers: int, pins: Mapping[str, int]) -> Plan:
    """`pipeline.what_if`."""
    return pipeline.what_if(graph, workers, pins)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=BY_COST)
def speedup_curve(graph: Graph) -> tuple[Point, ...]:
    """`plan.what_if.speedup_curve`."""
    return speedup_curve_of(graph)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_COST)
def planned(
    graph: Graph, workers: int | None, *, split: bool = False, clone: bool = False
) -> tuple[Graph, Plan]:
    """`plan_of` and the graph it is of, `pipeline.adapted`."""
    return pipeline.adapted(graph, plan_of(graph, workers), workers, split=split, clone=clone)


@st.cache_resource(max_entries=256, show_spinner="Planning…", hash_funcs=BY_COST)
def timed_plan(graph: Graph, workers: int | None, planner: str) -> tuple[Plan, float]:
    """`pipeline.plan_of`, and the seconds that planning and checking took."""
    start = time.perf_counter()
    plan = pipeline.plan_of(graph, workers, planner)
    return plan, time.perf_counter() - start


@st.cache_resource(max_entries=64, show_spinner="Planning…", hash_funcs=BY_COST)
def timed_moldable(graph: Graph, workers: int) -> tuple[Plan, float]:
    """The plan of `pipeline.unmeasured_moldable`, and the seconds that planning it took."""
    start = time.perf_counter()
    _, plan = pipeline.unmeasured_moldable(graph, workers)
    return plan, time.perf_counter() - start


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_COST)
def best_plan(graph: Graph, threads: int) -> Plan:
    """`pipeline.best_plan`."""
    return pipeline.best_plan(graph, threads)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_COST)
def outlook(graph: Graph) -> str:
    """`pipeline.outlook`: plans for every number of cores, seconds on large graphs."""
    return pipeline.outlook(graph)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_COST)
def program_of(
    graph: Graph, workers: int | None, *, split: bool = False, clone: bool = False
) -> Program:
    """The program of `planned(graph, workers)`."""
    return pipeline.program_of(*planned(graph, workers, split=split, clone=clone))


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=BY_COST)
def kept_plan(graph: Graph, name: str) -> Plan:
    """A plan by hand that `plan.saved.keep` has kept, checked and predicted anew."""
    return pipeline.by_hand_plan(graph, saved.kept(name, graph))
