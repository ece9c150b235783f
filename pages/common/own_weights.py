"""Weights of the user's own for the model chosen: how they fit it, and whether to use them."""

from __future__ import annotations

import streamlit as st

from pages.common import address, cancelled, cards, choice, kept
from ramiel_core import pipeline
from ramiel_core.errors import RamielError
from ramiel_core.ir import WeightsFit

MOST_MB = 4096  # of an upload
LONGEST = 80  # letters of a file's name
READING = "weights-reading"  # a file that was being read when the user did something else


def offer(chosen: choice.Choice) -> None:
    """Take a file of weights, say how it fits the model, and let benchmarks use it."""
    cut_short = cancelled.take(READING)
    if pipeline.is_file(chosen.model):
        return  # which holds its own
    with st.expander("Weights of your own", expanded=bool(chosen.weights)):
        given = st.file_uploader(
            "Weights of this model, as .safetensors or as a state dict (.pth, .pt)",
            key="weights-upload",
            max_upload_size=MOST_MB,
            help="They stay on this host. Only tensors are read: a file that needs code of its own "
            "is refused. Plans and times do not depend on weights; outputs do.",
        )
        try:
            if given is not None:
                with cancelled.noted(READING, given.name):
                    name = _kept(given.file_id, given.name, given.getbuffer())
                    fit = kept.weights_fit(chosen.model, name)
                _ask(chosen, name, fit)
            elif chosen.weights:
                _ask(chosen, chosen.weights, kept.weights_fit(chosen.model, chosen.weights))
        except RamielError as error:
            cards.note(cards.sentence(str(error)), "error")
    if cut_short and given is None:
        cards.note(f"Reading {cut_short[:LONGEST]} was cancelled; upload it again to use it.")


def _kept(file_id: str, name: str, content: memoryview) -> str:
    """Store an upload once, not in every run of the page."""
    if st.session_state.get("weights-id") != file_id:
        st.session_state["weights-name"] = pipeline.keep_weights(name, content)
        st.session_state["weights-id"] = file_id
    return str(st.session_state["weights-name"])


def _ask(chosen: choice.Choice, name: str, fit: WeightsFit) -> None:
    """Show how weights fit, and offer to use them, or to go back to random ones."""
    if name == chosen.weights:
        _tell(fit)
        cards.note("Benchmarks and tunings of this model use these weights.", "good")
        st.button("Back to random weights", on_click=_use, args=(None,))
        return
    refused = pipeline.weights_problem(fit, partial=False)
    hopeless = pipeline.weights_problem(fit, partial=True)
    if hopeless:
        cards.note(cards.sentence(hopeless), "error")
        return
    _tell(fit)
    meant = bool(refused) and st.checkbox(
        "Use what fits; the rest stays random", key="weights-partial"
    )
    usable = meant or not refused
    st.button(
        "Use these weights",
        type="primary" if usable else "secondary",
        icon=":material/weight:",
        disabled=not usable,
        on_click=_use,
        args=(name,),
        kwargs={"partial": meant},
    )


def _tell(fit: WeightsFit) -> None:
    said = " ".join(pipeline.weights_record(fit)["said"])
    doubtful = bool(fit.missing + fit.unexpected + fit.misfits + fit.not_finite)
    cards.note(said, "warning" if doubtful else "info")
    if doubtful:
        with st.popover("All names"):
            st.json(pipeline.weights_record(fit))


def _use(name: str | None, *, partial: bool = False) -> None:
    address.put(address.WEIGHTS, name)
    address.put(address.PARTIAL, address.ON if partial else None)
