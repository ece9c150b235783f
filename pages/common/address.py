"""The address: every query parameter, read and written.

It is the truth: model, cost model, workers, job and the like stand in the query, so that F5, a
bookmark and a second tab show the same thing. Widgets mirror it (`mirror`) and write it back.

The browser sends its address with each message, and hears of a change of ours only when the run
that made it answers. What the user does in between comes with the address of before, which would
take the change back. So a session remembers for a while what it has written over (`current`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

MODEL, COST, WORKERS = "model", "cost", "workers"  # carried from page to page
JOB, MEASURING = "job", "measuring"  # a benchmark or tuning, and a measurement, carried as well
CONSTANTS, REPEATS, DEAD = BEFORE_PLANNING = "constants", "repeats", "dead"  # "on" or "off"
SPLIT, CLONE = "split", "clone"  # likewise
WEIGHTS, PARTIAL = "weights", "partial"  # uploaded ones; "on" where they may fit in part
KERNELS, PLANNER, RUNTIME, THREADS = "kernels", "planner", "runtime", "threads"  # to benchmark
OPERATOR = "operator"  # selected on every page at once, carried as well
VIEW, COLOUR, COLLAPSE, STEP, CHAIN, PART = "view", "colour", "collapse", "step", "chain", "part"
PLAN, ONE, OTHER = "plan", "a", "b"  # a plan by hand, kept under a name; two that are compared
LATENCY, BANDWIDTH, SCALE, PIN = "latency", "bandwidth", "scale", "pin"  # of the page What if
CONFIGURATION = (KERNELS, PLANNER, RUNTIME, WORKERS, THREADS)
REWRITES = (*BEFORE_PLANNING, SPLIT, CLONE)
CARRIED = (MODEL, WEIGHTS, PARTIAL, COST, *REWRITES, *CONFIGURATION, JOB, MEASURING, OPERATOR, PLAN)
ON, OFF = "on", "off"

MOST_DIGITS = 9
WRITTEN = "address-written"  # in the session
UNDER_WAY_S = 10.0  # a message from before a change is not under way for longer


@dataclass(frozen=True)
class _Written:
    """What a page has written last, and what it has written over, each with the time of that."""

    page: str
    now: dict[str, str]
    over: tuple[tuple[float, dict[str, str]], ...]

    def on(self, page: str) -> _Written:
        """The same, seen from a page to which a link has led."""
        if page == self.page:
            return self
        return _Written(page, _carried(self.now), tuple((t, _carried(old)) for t, old in self.over))

    def is_over(self, sent: Mapping[str, str]) -> bool:
        """Whether a browser sends this only because it has not heard of a change yet."""
        since = time.monotonic() - UNDER_WAY_S
        return any(old == sent and written > since for written, old in self.over)


def current() -> dict[str, str]:
    """Every query parameter; what the browser has not heard of yet counts as well."""
    sent = st.query_params.to_dict()
    run, written = get_script_run_ctx(), st.session_state.get(WRITTEN)
    if run is None or written is None:
        return sent
    here = written.on(run.page_script_hash)
    if sent != here.now:
        if run.is_history_navigation or not here.is_over(sent):  # the user went elsewhere
            del st.session_state[WRITTEN]
            return sent
        st.query_params.from_dict(here.now)
    st.session_state[WRITTEN] = here
    return dict(here.now)


def go(address: Mapping[str, str]) -> None:
    """Write all query parameters anew."""
    old, run = current(), get_script_run_ctx()
    if old == address:
        return
    if run is not None:
        written = st.session_state.get(WRITTEN)
        over = written.on(run.page_script_hash).over if written else ()
        # First of all: Streamlit may end this run at the next line, in favour of a newer one.
        st.session_state[WRITTEN] = _Written(
            run.page_script_hash, dict(address), (*over[-8:], (time.monotonic(), old))
        )
    st.query_params.from_dict(address)


def get(name: str, default: str | None = None) -> Any:
    """One query parameter."""
    return current().get(name, default)


def put(name: str, value: object | None) -> None:
    """Write one query parameter; None takes it away."""
    kept = {key: text for key, text in current().items() if key != name}
    go(kept if value is None else kept | {name: str(value)})


def whole_number(name: str, most: int) -> int:
    """A query parameter from 0 to `most`; what is no number counts as 0."""
    return min(digits(get(name, "")) or 0, most)


def digits(text: str) -> int | None:
    """The number that a few plain digits write; Python itself refuses thousands of them."""
    plain = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if plain else None


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
    return _carried(current())


def _carried(address: Mapping[str, str]) -> dict[str, str]:
    return {name: address[name] for name in CARRIED if name in address}


def operator() -> str | None:
    """The operator that every page shows as selected: named by the address."""
    return current().get(OPERATOR)


def select(name: str | None) -> None:
    """Select an operator on every page; none lets go."""
    put(OPERATOR, name)
