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
from ramiel_core.ir import AUTO, Graph, Plan, Program, Rewrites
from ramiel_core.ir import KERNELS as KERNEL_FAMILIES
from ramiel_core.model import elsewhere, zoo
from ramiel_core.plan.merge import replay
from ramiel_core.plan.planner import PLANNERS
from ramiel_core.run import jobs
from ramiel_core.view import dag, layout

# query parameters
MODEL, COST, WORKERS = "model", "cost", "workers"  # carried from page to page
JOB, MEASURING = "job", "measuring"  # a benchmark or tuning, and a measurement, carried as well
CONSTANTS, DEAD, CLONE = "constants", "dead", "clone"  # rewrites: each "on" or "off"
KERNELS, PLANNER, RUNTIME, THREADS = "kernels", "planner", "runtime", "threads"  # to benchmark
VIEW, OPERATOR, STEP, PART = "view", "op", "step", "part"  # of one page each
CONFIGURATION = (KERNELS, PLANNER, RUNTIME, WORKERS, THREADS)
REWRITES = (CONSTANTS, DEAD, CLONE)
CARRIED = (MODEL, COST, *REWRITES, *CONFIGURATION, JOB, MEASURING)
ON, OFF = "on", "off"

DEFAULT_MODEL, DEFAULT_COST = "googlenet", "flops"
MOST_WORKERS = 256  # that the address may ask for; no graph here has work for so many
MOST_THREADS = 64
RUNTIMES = ("processes", "threads")
MOST_DIGITS = 9
GRAPH_KEY = "operator-graph"  # of the component; its state holds the operator clicked last


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
    model = zoo.resolve(asked.get(MODEL, DEFAULT_MODEL))
    if elsewhere.runs_code(model):
        raise ModelError(
            f"{model[:80]} would run code of this machine, which an address must not ask for. Use "
            f"the shell: `python -m ramiel_core analyze {model[:80]}`."
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
    )


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
    """The operator whose details are shown: clicked in the graph, or named by the address."""
    clicked = (st.session_state.get(GRAPH_KEY) or {}).get("selected")
    if clicked != st.session_state.get("operator-clicked"):
        st.session_state["operator-clicked"] = clicked
        put(OPERATOR, clicked)
    return st.query_params.get(OPERATOR)


# --- arrows, kept ---------------------------------------------------------------------------


def _identity(graph: Graph) -> tuple[str, str, str]:
    """Structure and costs: a benchmark may measure a graph anew at any time."""
    costs = repr([(node.cost_ms, node.send_ms) for node in graph.nodes])
    return graph.fingerprint, graph.cost_model, hashlib.sha256(costs.encode()).hexdigest()


_BY_COST = {Graph: _identity}
_BY_SHAPE = {Graph: lambda graph: graph.fingerprint}


def graph_of(model: str, cost: str, rewrites: Rewrites = pipeline.REWRITES) -> Graph:
    """The weighed graph; the engine itself keeps what is slow about it."""
    return pipeline.graph_of(model, cost=cost, rewrites=rewrites)


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs=_BY_COST)
def plan_of(graph: Graph, workers: int | None = None) -> Plan:
    """`pipeline.plan_of`."""
    return pipeline.plan_of(graph, workers)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_COST)
def planned(graph: Graph, workers: int | None, *, clone: bool) -> tuple[Graph, Plan]:
    """`plan_of` and the graph it is of; with `clone`, both after `pipeline.with_clones`."""
    plan = plan_of(graph, workers)
    return pipeline.with_clones(graph, plan) if clone else (graph, plan)


@st.cache_resource(max_entries=256, show_spinner="Planning…", hash_funcs=_BY_COST)
def timed_plan(graph: Graph, workers: int | None, planner: str) -> tuple[Plan, float]:
    """`pipeline.plan_of`, and the seconds that planning and checking took."""
    start = time.perf_counter()
    plan = pipeline.plan_of(graph, workers, planner)
    return plan, time.perf_counter() - start


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_COST)
def best_plan(graph: Graph, threads: int) -> Plan:
    """`pipeline.best_plan`."""
    return pipeline.best_plan(graph, threads)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_COST)
def outlook(graph: Graph) -> str:
    """`pipeline.outlook`: plans for every number of cores, seconds on large graphs."""
    return pipeline.outlook(graph)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_COST)
def program_of(graph: Graph, workers: int | None, *, clone: bool = False) -> Program:
    """The program of `planned(graph, workers)`."""
    return pipeline.program_of(*planned(graph, workers, clone=clone))


@st.cache_resource(
    max_entries=32, show_spinner="Graphviz places the operators…", hash_funcs=_BY_SHAPE
)
def layout_of(graph: Graph) -> layout.Layout:
    """Where each operator is drawn; the same for every cost model and every plan."""
    return layout.lay_out(graph)


def clusters_after(plan: Plan, steps: int) -> dict[int, tuple[str, ...]]:
    """Clusters after so many merges, by the number of the chain that names them."""
    return replay(plan, steps)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=_BY_COST)
def picture(graph: Graph, clusters: Mapping[int, tuple[str, ...]]) -> dict[str, Any]:
    """What the graph component draws."""
    path = plan_of(graph).critical_path
    return dag.payload(dag.network(graph, clusters, path, layout_of(graph)))


# --- jobs -----------------------------------------------------------------------------------


def ended(said: list[jobs.Event]) -> bool:
    """Whether a job has told its last event."""
    return bool(said) and said[-1]["kind"] in jobs.FINAL
