"""Values that a component and Python both change, such as what is chosen.

A run of the page may have begun before the user's last change, and what it sends must not take that
back. So the browser numbers its changes (assets/shared/agreed.js), and is sent the number that the
run knew.
"""

from __future__ import annotations

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
    known = last(key, name)
    return {"value": value, "turn": known["turn"] if known else 0}


def told(key: str, name: str) -> Any:
    """The value that the user has chosen; for the callback of that state."""
    return last(key, name)["value"]


def last(key: str, name: str) -> Any:
    """What a component has told last of one of its states; none at first."""
    return (st.session_state.get(key) or {}).get(name)
