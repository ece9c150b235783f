"""What the page What if assumes: read from the address, and written back by its controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from pages.common import address, cards, choice
from ramiel_core import pipeline
from ramiel_core.errors import PlanError
from ramiel_core.graph.costs import SendLine
from ramiel_core.ir import Graph

MOST_WORKERS = 64
MOST_PINS = 64  # more belong into a plan of its own: the page Edit
THREADS = (1, 2, 4, 8, 16, 32, 64)
LATENCIES_US = (0, 1, 2, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000)
BANDWIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # GB/s
FACTORS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
GB_PER_S = 1e6  # bytes per ms
US = 1e-3  # ms


@dataclass(frozen=True)
class Assumed:
    """What may differ from the plan as it is; None is as it is."""

    workers: int
    threads: int = 1
    latency_us: float | None = None
    bandwidth: float | None = None  # GB/s
    scale: Mapping[str, float] = field(default_factory=dict)
    pins: Mapping[str, int] = field(default_factory=dict)

    def graph(self, graph: Graph) -> Graph:
        """The graph under these assumptions."""
        line = usual = pipeline.line_of(graph)
        if usual is not None and self.latency_us is not None:
            line = replace(usual, signal_ms=self.latency_us * US)
        if line is not None and self.bandwidth is not None:
            line = replace(line, bytes_per_ms=self.bandwidth * GB_PER_S)
        changed = None if line == usual else line
        return pipeline.assumed(graph, threads=self.threads, scale=self.scale, line=changed)


def asked(graph: Graph, chosen: choice.Choice) -> Assumed:
    """What the address assumes.

    Raises
    ------
    PlanError
        For what is no number, no operator of the graph, or out of range; says which.
    """
    query = address.current()
    workers = min(chosen.workers or 2, MOST_WORKERS)
    return Assumed(
        workers,
        chosen.threads or 1,
        _number(query.get(address.LATENCY), address.LATENCY),
        _number(query.get(address.BANDWIDTH), address.BANDWIDTH),
        _scale(query.get(address.SCALE, ""), graph),
        _pins(query.get(address.PIN, ""), graph),
    )


def _number(text: str | None, name: str) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    least = 0.001 if name == address.BANDWIDTH else 0.0
    if not least <= number <= 1e6:
        raise PlanError(f"{name} is a number from {least:g} to 1000000, not {text[:40]!r}.")
    return number


def _pairs(text: str) -> list[tuple[str, str]]:
    words = [word for word in text.split(",") if word]
    return [(name, value) for name, _, value in (word.rpartition(":") for word in words)]


def _scale(text: str, graph: Graph) -> dict[str, float]:
    kinds = {node.op for node in graph.nodes}
    found = {}
    for kind, factor in _pairs(text):
        if kind not in kinds:
            raise PlanError(
                f"no operator of {graph.model} is of the kind {kind[:60]!r}; choose another."
            )
        found[kind] = _number(factor, address.SCALE) or 0.0
    return found


def _pins(text: str, graph: Graph) -> dict[str, int]:
    found = {}
    for name, worker in _pairs(text)[:MOST_PINS]:
        if name not in graph.index:
            raise PlanError(
                f"there is no operator {name[:60]!r} in {graph.model} to pin; choose another."
            )
        if not (worker.isascii() and worker.isdigit() and int(worker[:4]) < MOST_WORKERS):
            raise PlanError(f"workers are numbered from 0 to {MOST_WORKERS - 1}.")
        found[name] = int(worker)
    return found


def _put_pair(name: str, key: str, value: float | None) -> None:
    """Write one pair among those that the address has now; None takes it away."""
    pairs = dict(_pairs(address.get(name, "")))
    pairs.pop(key, None)
    if value is not None:
        pairs[key] = f"{value:g}"
    address.put(name, ",".join(f"{key}:{value}" for key, value in pairs.items()) or None)


def forget() -> None:
    """Assume nothing any more."""
    for name in (address.LATENCY, address.BANDWIDTH, address.SCALE, address.PIN, address.THREADS):
        address.put(name, None)


def controls(graph: Graph, assumed: Assumed, used: int) -> None:
    """Show every assumption with a way to change it; `used` workers have work."""
    with st.container(border=True):
        _workers(assumed)
        _sends(graph, assumed)
    with st.container(border=True):
        _scales(graph, assumed)
    with st.container(border=True):
        _pinned(graph, assumed, used)
    st.button(  # an icon would leave no room for all of its words in a narrow window
        "Assume nothing",
        on_click=forget,
        width="stretch",
        help="Takes back everything but the number of workers.",
    )


def _workers(assumed: Assumed) -> None:
    st.slider(
        "Workers",
        1,
        MOST_WORKERS,
        help="At most so many run side by side, each with cores of its own: this host may have "
        "fewer.",
        **address.mirror(address.WORKERS, assumed.workers, "what-if-workers"),
    )
    _stepped(
        address.THREADS,
        "Threads per worker",
        THREADS,
        (assumed.threads, 1),
        "{:g}",
        "Threads inside each operator. Measured costs where this model was measured with so many, "
        "else Amdahl's law with 83 % of each operator's time shared out.",
    )


def _sends(graph: Graph, assumed: Assumed) -> None:
    line = pipeline.line_of(graph)
    if line is None:
        cards.sub("Under equal costs a send costs nothing, so there is no latency to change.")
        return
    usual = _usual(line)
    _stepped(
        address.LATENCY,
        "Send latency, µs",
        LATENCIES_US,
        (usual[0] if assumed.latency_us is None else assumed.latency_us, usual[0]),
        "{:g} µs",
        "From the moment a value is published until the worker that waits for it goes on. "
        f"Usual here: {usual[0]:g} µs.",
    )
    _stepped(
        address.BANDWIDTH,
        "Bandwidth, GB/s",
        BANDWIDTHS,
        (usual[1] if assumed.bandwidth is None else assumed.bandwidth, usual[1]),
        "{:g} GB/s",
        "How fast a value is copied to another worker. Operators that write straight into shared "
        f"memory have nothing left to copy. Usual here: {usual[1]:g} GB/s.",
    )


def _usual(line: SendLine) -> tuple[float, float]:
    """Latency in µs and bandwidth in GB/s, to as many places as a slider shows."""
    return float(f"{line.signal_ms / US:.3g}"), float(f"{line.bytes_per_ms / GB_PER_S:.3g}")


def _stepped(
    name: str,
    label: str,
    options: Sequence[float],
    now: tuple[float, float],
    form: str,
    meaning: str,
) -> None:
    """Show a slider over steps of no even size; its usual value leaves nothing in the address."""
    value, usual = now
    key = f"what-if-{name}"
    st.session_state[key] = value

    def changed() -> None:
        picked = st.session_state[key]
        address.put(name, None if picked == usual else f"{picked:g}")

    st.select_slider(
        label,
        sorted({*options, value, usual}),
        key=key,
        on_change=changed,
        format_func=form.format,
        help=meaning,
    )


def _scales(graph: Graph, assumed: Assumed) -> None:
    work = Counter[str]()
    for node in graph.nodes:
        work[node.op] += node.cost_ms
    kinds = [kind for kind, _ in work.most_common()]
    share = {k: 100 * ms / graph.t1_ms if graph.t1_ms else 0.0 for k, ms in work.items()}
    kind = st.selectbox(
        "Kind of operator",
        kinds,
        key="what-if-kind",
        format_func=lambda kind: f"{kind}, {share[kind]:.1f} %",
        help="What a better kernel for one kind of operator would be worth. Behind each stands its "
        "share of T1, the time of all operators one after another.",
    )
    if kind is None:
        return
    value = assumed.scale.get(kind, 1.0)
    key = f"what-if-scale-{kind}"
    st.session_state[key] = value

    def changed() -> None:
        factor = st.session_state[key]
        _put_pair(address.SCALE, kind, None if factor == 1.0 else factor)

    st.select_slider(
        "Its cost, times",
        sorted({*FACTORS, value}),
        key=key,
        on_change=changed,
        format_func="{:g}×".format,
        help="0.5 makes all operators of this kind twice as fast, 0 free.",
    )
    if assumed.scale:
        cards.sub("Scaled: " + ", ".join(f"{k} {f:g}×" for k, f in assumed.scale.items()))


def _pinned(graph: Graph, assumed: Assumed, used: int) -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    name = left.selectbox(
        "Operator",
        list(graph.index),
        index=None,
        key="what-if-operator",
        placeholder="Search",
        help="Pinning puts an operator on a worker of your choice; the others stay where they are "
        "planned.",
    )
    workers = range(min(MOST_WORKERS, max(used + 1, *assumed.pins.values(), 2)))
    right.selectbox(
        "On worker",
        workers,
        key="what-if-worker",
        help="Workers are numbered by who starts first; the last one of the list has nothing to do "
        "yet.",
    )

    def pin() -> None:  # a click may come before the page has met the last choice
        name, worker = st.session_state["what-if-operator"], st.session_state["what-if-worker"]
        _put_pair(address.PIN, name, worker)

    st.button(
        "Pin",
        icon=":material/keep:",
        disabled=name is None or len(assumed.pins) >= MOST_PINS,
        on_click=pin,
        width="stretch",
    )
    if assumed.pins:
        _unpin(assumed)


def _unpin(assumed: Assumed) -> None:
    key = "what-if-pins"
    st.session_state[key] = list(assumed.pins)

    def changed() -> None:
        for name in set(assumed.pins).difference(st.session_state[key]):
            _put_pair(address.PIN, name, None)

    arguments: dict[str, Any] = {"key": key, "on_change": changed}
    st.multiselect(
        "Pinned",
        list(assumed.pins),
        format_func=lambda name: f"{name} → worker {assumed.pins[name]}",
        help="Take one away to let the plan decide again.",
        **arguments,
    )
