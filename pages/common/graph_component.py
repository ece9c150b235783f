"""The operator graph as a Streamlit component: zoom, pan, search, and clicks back to Python."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyvis
import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

ASSETS = Path(__file__).parents[2] / "assets" / "graph"
VIS_NETWORK = Path(pyvis.__file__).parent / "lib" / "vis-9.1.2" / "vis-network.min.js"


def graph_view(
    payload: dict[str, Any], *, key: str, height: int = 640, selected: str | None = None
) -> str | None:
    """Show a graph; say which operator was clicked.

    Parameters
    ----------
    payload : dict
        From `ramiel_core.view.dag.payload`. While its positions stay the same, a new payload
        only recolours: zoom, position and search stay as the user left them.
    key : str
        Of this view among the session's widgets.
    height : int
        px.
    selected : str, optional
        An operator to mark and to bring into view, whenever this value changes.

    Returns
    -------
    str or None
        Name of the operator clicked last; none after a click beside all of them.
    """
    data = {**payload, "height": height, "selected": selected}
    # A state exists only with a callback; the rerun itself is all that a click has to cause.
    result = _component()(
        key=key, data=data, default={"selected": selected}, on_selected_change=lambda: None
    )
    clicked: str | None = result.selected
    return clicked


@cache  # registering a name twice logs a warning
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "ramiel_graph",
        html=(ASSETS / "graph.html").read_text(),
        css=(ASSETS / "graph.css").read_text(),
        js=f"{_vis_network()}\n{(ASSETS / 'graph.js').read_text()}",
    )


def _vis_network() -> str:
    """Wrap the bundle that pyvis carries into a constant `vis` of the module it is put into.

    It is a UMD bundle: given `exports` and `module` it writes to them and touches no global.
    """
    bundle = VIS_NETWORK.read_text().partition("//# sourceMappingURL")[0]
    return f"const vis = ((exports, module) => {{\n{bundle}\nreturn exports;\n}})({{}}, {{}});"
