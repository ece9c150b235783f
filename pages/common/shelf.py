"""Large data for components, sent by components of their own.

Streamlit sends an element anew where anything in it has changed, and only a reference where it has
not. So what is large and stays goes apart from what is small and changes; the browser puts both
together by key (assets/shared/shelf.js).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyvis
import streamlit as st

from ramiel_core.view.scene import Part

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPT = Path(__file__).parents[2] / "assets" / "shared" / "shelf.js"
VIS_NETWORK = Path(pyvis.__file__).parent / "lib" / "vis-9.1.2" / "vis-network.min.js"


def send(part: Part, key: str) -> None:
    """Make a part known to every component of the page, under its own key.

    Parameters
    ----------
    part : Part
        What to send.
    key : str
        Of this place among the session's widgets.
    """
    _part()(key=key, data={"key": part.key, "value": part.value})


def send_vis_network(key: str) -> None:
    """Make vis-network known to every component of the page: 470 KB, once."""
    _vis_network()(key=key)


@cache  # registering a name twice logs a warning
def _part() -> ComponentRenderer:
    put = "export default ({ data }) => { put(data.key, data.value); };"
    return st.components.v2.component("ramiel_shelf", js=f"{SCRIPT.read_text()}\n{put}")


@cache
def _vis_network() -> ComponentRenderer:
    """Wrap the bundle that pyvis carries: a UMD one, which writes to `exports` where given."""
    bundle = VIS_NETWORK.read_text().partition("//# sourceMappingURL")[0]
    vis = f"((exports, module) => {{\n{bundle}\nreturn exports;\n}})({{}}, {{}})"
    put = f'const vis = {vis};\nexport default () => {{ put("vis-network", vis); }};'
    return st.components.v2.component("ramiel_vis_network", js=f"{SCRIPT.read_text()}\n{put}")
