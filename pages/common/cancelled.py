"""Work that a click elsewhere ends: the page starts anew, and then can say what became of it.

Streamlit ends a run by raising what is no `Exception`, at the next element that is drawn, and the
page that shows the click's effect is another run; so whoever works leaves a note in the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def noted(key: str, what: str) -> Iterator[None]:
    """Leave `what` in the session under `key` if the block is cut short.

    An error is no such end: whoever catches it can say what happened.
    """
    st.session_state[key] = what
    try:
        yield
    except Exception:
        forget(key)
        raise
    forget(key)


def take(key: str) -> str | None:
    """What was cut short under this key since somebody asked; told once."""
    found: str | None = st.session_state.pop(key, None)
    return found


def forget(key: str) -> None:
    """Nobody needs to be told: it has ended, or starts anew."""
    st.session_state.pop(key, None)
