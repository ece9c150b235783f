"""A model file of the user's own: what it is before it is loaded, and what it leaves open.

Opening a file that can execute code waits for a checkbox that names the risk, and happens in a
process of its own; whatever else the user does meanwhile, *Cancel* among it, ends that process.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.common import address, cancelled, cards, frame
from ramiel_core import client, pipeline
from ramiel_core.errors import RamielError

MOST_MB = 2048  # of an upload; one protobuf message holds no more
LARGE_BYTES = 50_000_000  # whose storing shows how far it is
MOST_OPERATORS = 12  # kinds that are named
LARGEST_SIZE = 1_000_000
LOADING = "upload-loading"  # an archive that was being loaded when the user did something else
FORMATS = (".onnx", ".pt2", ".pt", ".pth")  # of a model; everything else lies beside one


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
        accept_multiple_files=True,
        max_upload_size=MOST_MB,
        help="An .onnx file, with the files beside it in which it keeps weights, if there are any. "
        "It stays on this host and is never sent on. ONNX holds no code; .pt2 and TorchScript can "
        "execute code on loading, and are loaded only if you say so.",
    )
    place = st.empty()  # kept free, or all below would move, and show twice while a load runs
    cut_short = cancelled.take(LOADING)
    try:
        name = _named(given, model)
        if cut_short:
            with place:
                _tell_of_cancelled(cut_short, again=name == cut_short)
        if not name:
            return
        with st.container(border=True):
            _describe(name)
            if client.needs_trust(name):
                _ask_for_trust(name)
            else:
                _ask(name)
    except RamielError as error:
        cards.note(cards.sentence(str(error)), "error")


def _named(given: Sequence[UploadedFile], model: str) -> str:
    """The file to offer, uploaded now or before; empty where there is none."""
    if given:
        return _kept(given)
    return model if pipeline.is_file(model) else ""


def _tell_of_cancelled(name: str, *, again: bool) -> None:
    way = "click “Load it” to start anew" if again else "upload it again to load it"
    cards.note(f"Loading {pipeline.label(name)} was cancelled, and its process has ended; {way}.")


def _kept(given: Sequence[UploadedFile]) -> str:
    """Store an upload once, not in every run of the page."""
    ids = sorted(file.file_id for file in given)
    if st.session_state.get("upload-ids") != ids:
        models = [file for file in given if file.name.lower().endswith(FORMATS)]
        main = (models or given)[-1]  # whoever drops a second model means that one
        beside = {f.name: f.getbuffer() for f in given if f is not main and f not in models}
        bar = st.empty()
        large = sum(file.size for file in given) > LARGE_BYTES

        def tick(share: float) -> None:
            if large:
                bar.progress(min(share, 1.0), "Storing…")

        st.session_state["upload-name"] = pipeline.keep(main.name, main.getbuffer(), beside, tick)
        st.session_state["upload-ids"] = ids
        bar.empty()
    return str(st.session_state["upload-name"])


def _describe(name: str) -> None:
    about = pipeline.describe(name)
    kinds = sorted(about.operators.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds[:MOST_OPERATORS])
    more = f" and {len(kinds) - MOST_OPERATORS} other kinds" if len(kinds) > MOST_OPERATORS else ""
    cards.facts(
        {
            "File": pipeline.label(name.partition("@")[0]),
            "Format": f"{about.format}, {cards.size(about.size_bytes)}",
            "Producer": about.producer,
            "Operators": f"{sum(about.operators.values()):,}: {shown}{more}",
            "Inputs": "; ".join(about.inputs) or "not told",
        }
    )


def _ask_for_trust(name: str) -> None:
    cards.note(client.RISK, "warning")
    shapes = st.text_input(
        "Shapes of its inputs",
        key="trust-shapes",
        placeholder="1x3x224x224, 1x64:int64",
        help="One for each input, with its type where that is not float32. Empty: those that a "
        "torch.export archive was exported with; TorchScript does not record any.",
    )
    trusts = st.checkbox("I trust this file, and want it to be loaded", key=f"trust-{name}")
    wanted = st.button(
        "Load it",
        type="primary",
        icon=":material/lock_open:",
        disabled=not trusts,
        on_click=cancelled.forget,  # a second click starts anew, and says so by what it shows
        args=(LOADING,),
    )
    if wanted:
        _load(name, [shape for shape in shapes.replace(" ", "").split(",") if shape])


def _load(name: str, shapes: Sequence[str]) -> None:
    """Wait for the process that loads the file; a click elsewhere raises inside, which ends it."""
    st.button("Cancel", icon=":material/close:", help="Ends the process; nothing of it is kept.")
    told = st.empty()

    def tick(passed_s: float) -> None:
        share = min(passed_s / client.OPEN_S, 1.0)
        told.progress(share, f"Loading and tracing in a process of its own: {passed_s:.0f} s")

    with cancelled.noted(LOADING, name):
        traced = client.open_trusted(name, shapes, tick=tick)
    _open(traced)


def _ask(name: str) -> None:
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
    with st.spinner("Looking through its weights…"):
        for warning in pipeline.weight_warnings(name):
            cards.note(cards.sentence(warning), "warning")
    if st.button("Open its graph", type="primary", icon=":material/account_tree:"):
        with st.spinner("Importing…"):
            pipeline.graph_of(wanted)
        _open(wanted)


def _open(model: str) -> None:
    frame.choose_model(model)
    st.switch_page("pages/graph.py", query_params=address.carried())


def _as_code(text: str) -> str:
    """A name from a file as a label, which would take it for Markdown."""
    return f"`{text.replace('`', '_')}`"
