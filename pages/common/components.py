"""Our own Streamlit components, put together from files of assets/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

ASSETS = Path(__file__).parents[2] / "assets"
# What a component is shown by, and what tells Python what the user does in it.
SHARED = tuple(f"shared/{name}.js" for name in ("shelf", "leaving", "shown", "element", "agreed"))


@cache  # registering a name twice logs a warning
def component(name: str, html: str, css: tuple[str, ...], js: tuple[str, ...]) -> ComponentRenderer:
    """A component that is shown by calling it.

    Parameters
    ----------
    name : str
        Unique in the app.
    html : str
        File of its frame, below assets/.
    css, js : tuple of str
        Files below assets/, one after another; all scripts are one module.
    """
    return st.components.v2.component(
        name,
        html=(ASSETS / html).read_text(),
        css="\n".join((ASSETS / file).read_text() for file in css),
        js="\n".join((ASSETS / file).read_text() for file in js),
    )
