"""What the app remembers: every query parameter, every session key, every cached arrow.

The address is the truth: model, cost model, workers, job and the like stand in the query, so that
F5, a bookmark and a second tab show the same thing. Widgets mirror it (`mirror`) and write it back.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ramiel_core import pipeline
from ramiel_core.errors import GraphError, ModelError, PlanError
from ramiel_core.graph.costs import COST_MODELS
from ramiel_core.ir import AUTO, Graph, Plan, Point, Program, Rewrites, WeightsFit
from ramiel_core.ir import KERNELS as KERNEL_FAMILIES
from ramiel_core.model import elsewhere
from ramiel_core.plan import saved
from ramiel_core.plan.planner import PLANNERS
from ramiel_core.plan.what_if import speedup_curve as speedup_curve_of
from ramiel_core.run import jobs

# query parameters
MODEL, COST, WORKERS = "model", "cost", "workers"  # carried from page to page
JOB, MEASURING = "job", "measuring"  # a benchmark or tuning, and a measurement, carried as well
CONSTANTS, DEAD, CLONE = "constants", "dead", "clone"  # rewrites: each "on" or "off"
WEIGHTS, PARTIAL = "weights", "partial"  # uploaded ones; "on" where they may fit in part
KERNELS, PLANNER, RUNTIME, THREADS = "kernels", "planner", "runtime", "threads"  # to benchmark
OPERATOR = "operator"  # selected on every page at once, carried as well
VIEW, COLOUR, COLLAPSE, STEP, CHAIN, PART = "view", "colour", "collapse", "step", "chain", "part"
PLAN, ONE, OTHER = "plan", "a", "b"  # a plan by hand, kept under a name; two that are compared
LATENCY, BANDWIDTH, SCALE, PIN = "latency", "bandwidth", "scale", "pin"  # of the page What if
CONFIGURATION = (KERNELS, PLANNER, RUNTIME, WORKERS, THREADS)
REWRITES = (CONSTANTS, DEAD, CLONE)
CARRIED = (MODEL, WEIGHTS, PARTIAL, COST, *REWRITES, *CONFIGURATION, JOB, MEASURING, OPERATOR, PLAN)
ON, OFF = "on", "off"

DEFAULT_MODEL, DEFAULT_COST = "googlenet", "flops"
MOST_WORKERS = 256  # that the address may ask for; no graph here has work for so many
MOST_THREADS = 64
RUNTIMES = ("processes", "threads")
MOST_DIGITS = 9
GRAPH_KEY = "operator-graph"  # of the component; its state holds the operator clicked last
MERGE_KEY = "merge-graph"
COLLAPSE_ABOVE = 800  # operators; larger graphs open with their modules collapsed


@dataclass(frozen=True)
class Choice:
    """What the address asks for."""

    model: str
    cost: str
    workers: int | None  # None: as many as the natural fixpoint leaves
    # None: as the job that the address names, or else the default
    kernels: str | None = None
    planner: str | None = None
    runtime: str | None = None
    threads: int | None = None
    rewrites: Rewrites = pipeline.REWRITES
    clone: bool = False
    weights: str = ""
    partial_weights: bool = False

    @property
    def loading(self) -> dict[str, Any]:
        """The fields of a `Job` that say which weights it runs with."""
        return {"weights": self.weights, "partial_weights": self.partial_weights}


def choice() -> Choice:
    """Read and check what the address asks for.

    Raises
    ------
    RamielError
        For a model, cost model, worker count and so on that does not exist.
    """
    asked = st.query_params
    cost = asked.get(COST, DEFAULT_COST)
    if cost not in COST_MODELS:
        raise GraphError(f"there is no cost model {cost!r}; choose {', '.join(COST_MODELS)}.")
    model = pipeline.resolve(asked.get(MODEL, DEFAULT_MODEL), uploaded_only=True)
    if elsewhere.needs_shell(model):
        raise ModelError(
            f"{model[:80]} would run code or read files of this machine, which an address must "
            f"not ask for. Use the shell: `python -m ramiel_core analyze {model[:80]}`."
        )
    return Choice(
        model,
        cost,
        _number_of(WORKERS, MOST_WORKERS),
        _one_of(KERNELS, (*KERNEL_FAMILIES, AUTO)),
        _one_of(PLANNER, planners()),
        _one_of(RUNTIME, RUNTIMES),
        _number_of(THREADS, MOST_THREADS),
        Rewrites(_one_of(CONSTANTS, (ON, OFF)) != OFF, _one_of(DEAD, (ON, OFF)) != OFF),
        _one_of(CLONE, (ON, OFF)) == ON,
        pipeline.uploaded_weights(asked[WEIGHTS]) if WEIGHTS in asked else "",
        _one_of(PARTIAL, (ON, OFF)) == ON,
    )


def label(model: str) -> str:
    """A model's name as it is shown."""
    return pipeline.label(model)


def planners() -> tuple[str, ...]:
    """Every planner that a benchmark takes."""
    return (*PLANNERS, pipeline.MOLDABLE)


def _number_of(name: str, most: int) -> int | None:
    text = st.query_params.get(name)
    if text is None:
        return None
    number = _digits(text)
    if number is None or not 1 <= number <= most:
        raise PlanError(f"{name} is a whole number from 1 to {most}, not {text[:40]!r}.")
    return number


def _one_of(name: str, known: Sequence[str]) -> str | None:
    text = st.query_params.get(name)
    if text is not None and text not in known:
        raise PlanError(f"{name} is one of {', '.join(known)}, not {text[:40]!r}.")
    return text


def whole_number(name: str, most: int) -> int:
    """A query parameter from 0 to `most`; what is no number counts as 0."""
    return min(_digits(st.query_params.get(name, "")) or 0, most)


def _digits(text: str) -> int | None:
    """The number that a few plain digits write; Python itself refuses thousands of them."""
    plain = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if plain else None


def put(name: str, value: object | None) -> None:
    """Write one query parameter; None takes it away."""
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = str(value)


def mirror(name: str, value: object, key: str) -> dict[str, Any]:
    """Arguments that tie a widget to a query parameter; 0 and "" take it away.

    Parameters
    ----------
    name : str
        The query parameter that a change of the widget writes.
    value : object
        What the widget shows now.
    key : str
        Of the widget.
    """
    st.session_state[key] = value
    return {"key": key, "on_change": lambda: put(name, st.session_state[key] or None)}


def carried() -> dict[str, str]:
    """Query parameters that a link to another page takes along."""
    return {name: st.query_params[name] for name in CARRIED if name in st.query_params}


def operator() -> str | None:
    """The operator that every page shows as selected: named by the address."""
    return st.query_params.get(OPERATOR)


def select(name: str | None) -> None:
    """Select an operator on every page; none lets go."""
    put(OPERATOR, name)


# --- arrows, kept ---------------------------------------------------------------------------


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
def planned(graph: Graph, workers: int | None, *, clone: bool) -> tuple[Graph, Plan]:
    """`plan_of` and the graph it is of; with `clone`, both after `pipeline.with_clones`."""
    plan = plan_of(graph, workers)
    return pipeline.with_clones(graph, plan) if clone else (graph, plan)


@st.cache_resource(max_entries=256, show_spinner="Planning…", hash_funcs=BY_COST)
def timed_plan(graph: Graph, workers: int | None, planner: str) -> tuple[Plan, float]:
    """`pipeline.plan_of`, and the seconds that planning and checking took."""
    start = time.perf_counter()
    plan = pipeline.plan_of(graph, workers, planner)
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
def program_of(graph: Graph, workers: int | None, *, clone: bool = False) -> Program:
    """The program of `planned(graph, workers)`."""
    return pipeline.program_of(*planned(graph, workers, clone=clone))


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=BY_COST)
def kept_plan(graph: Graph, name: str) -> Plan:
    """A plan by hand that `plan.saved.keep` has kept, checked and predicted anew."""
    return pipeline.by_hand_plan(graph, saved.kept(name, graph))


# --- jobs -----------------------------------------------------------------------------------


def ended(said: list[jobs.Event]) -> bool:
    """Whether a job has told its last event."""
    return bool(said) and said[-1]["kind"] in jobs.FINAL


def last_record(model: str) -> dict[str, Any] | None:
    """What the benchmark found that the address names, or else the latest of a model."""
    named, latest = st.query_params.get(JOB), None
    for job_id, record in jobs.reports(model):
        if named is None or job_id == named:
            return record
        latest = latest or record
    return latest
