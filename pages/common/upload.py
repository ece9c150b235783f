"""A model file of the user's own: what it is before it is loaded, and the sizes it leaves open."""

from __future__ import annotations

import streamlit as st

from pages.common import cards, frame, state
from ramiel_core import pipeline
from ramiel_core.errors import RamielError

MOST_MB = 2048  # of an upload; one protobuf message holds no more
MOST_OPERATORS = 12  # kinds that are named
LARGEST_SIZE = 1_000_000


def offer(model: str) -> None:
    """Take a file, say what it is, ask for sizes, and open its graph.

    Parameters
    ----------
    model : str
        The model chosen now, which may be a file that was uploaded before.
    """
    given = st.file_uploader(
        "A model of your own, as ONNX",
        key="upload",
        max_upload_size=MOST_MB,
        help="An .onnx file with its weights inside. It stays on this host and is never sent on. "
        "ONNX holds no code; formats that can execute code on loading are refused.",
    )
    try:
        if given is not None:
            name = _kept(given.file_id, given.name, given.getbuffer())
        elif pipeline.is_file(model):
            name = model
        else:
            return
        with st.container(border=True):
            _ask(name)
    except RamielError as error:
        cards.note(cards.sentence(str(error)), "error")


def _kept(file_id: str, name: str, content: memoryview) -> str:
    """Store an upload once, not in every run of the page."""
    if st.session_state.get("upload-id") != file_id:
        st.session_state["upload-name"] = pipeline.keep(name, content)
        st.session_state["upload-id"] = file_id
    return str(st.session_state["upload-name"])


def _ask(name: str) -> None:
    about = pipeline.describe(name)
    kinds = sorted(about.operators.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds[:MOST_OPERATORS])
    more = f" and {len(kinds) - MOST_OPERATORS} other kinds" if len(kinds) > MOST_OPERATORS else ""
    cards.facts(
        {
            "File": state.label(name.partition("@")[0]),
            "Format": f"ONNX, opset {about.opset}, {cards.size(about.size_bytes)}",
            "Producer": about.producer,
            "Operators": f"{sum(about.operators.values()):,}: {shown}{more}",
            "Inputs": "; ".join(map(str, about.inputs)) or "none",
        }
    )
    known = pipeline.dimensions_of(name)
    sizes = {}
    if known:
        cards.sub("Dimensions that the file leaves open; a plan needs one size for each.")
        for column, (dimension, size) in zip(
            st.columns(max(4, len(known))), known.items(), strict=False
        ):
            sizes[dimension] = int(
                column.number_input(
                    _as_code(dimension), 1, LARGEST_SIZE, size, key=f"size-{dimension}"
                )
            )
    wanted = pipeline.with_sizes(name, {d: n for d, n in sizes.items() if n != known[d]})
    if st.button("Open its graph", type="primary", icon=":material/account_tree:"):
        with st.spinner("Importing…"):
            pipeline.graph_of(wanted)
        frame.choose_model(wanted)
        st.switch_page("pages/graph.py", query_params=state.carried())


def _as_code(text: str) -> str:
    """A name from a file as a label, which would take it for Markdown."""
    return f"`{text.replace('`', '_')}`"
