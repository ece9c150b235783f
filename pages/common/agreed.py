"""Values that a component and Python both change, such as what is chosen.

A run of the page may have begun before the user's last change, and what it sends must not take that
back. So the browser numbers its changes (assets/shared/agreed.js), and is sent the number up to
which Python has acted on them.

Streamlit ends a run, its callbacks too, as soon as the user does something else, and does not call
them again: two clicks within some milliseconds, and the first one's callback is cut short. The
number tells that as well: what no callback has acted on is acted on while drawing (`catch_up`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st


def sent(key: str, name: str, value: Any) -> dict[str, Any]:
    """What a component is sent of such a value.

    Parameters
    ----------
    key : str
        Of the component among the session's widgets.
    name : str
        Of its state.
    value : Any
        What Python means now.
    """
    return {"value": value, "turn": st.session_state.get(_done(key, name), 0)}


def act(key: str, name: str, listener: Callable[[Any], None]) -> None:
    """Tell a listener of the user's last change, once; for the callback of that state."""
    if _is_open(key, name):
        told = last(key, name)
        listener(told["value"])
        st.session_state[_done(key, name)] = told["turn"]


def catch_up(key: str, listeners: Mapping[str, Callable[[Any], None]]) -> None:
    """Before a component is drawn: act on what callbacks could not, and draw the page anew.

    Parameters
    ----------
    key : str
        Of the component among the session's widgets.
    listeners : Mapping[str, Callable]
        By the name of the state, as for `act`.
    """
    if key not in st.session_state:  # shown for the first time, or again after another page
        for name in listeners:
            st.session_state.pop(_done(key, name), None)
    late = [name for name in listeners if _is_open(key, name)]
    for name in late:
        act(key, name, listeners[name])
    if late:
        st.rerun()


def last(key: str, name: str) -> Any:
    """What a component has told last of one of its states; none at first."""
    return (st.session_state.get(key) or {}).get(name)


def _is_open(key: str, name: str) -> bool:
    told = last(key, name)
    return bool(told) and told["turn"] != st.session_state.get(_done(key, name))


def _done(key: str, name: str) -> str:
    """Where the session keeps the number of the last change acted on."""
    return f"{key}-{name}-turn"
