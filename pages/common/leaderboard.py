"""A tuner's standings as a table: one configuration a line, the fastest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import streamlit as st

from pages.common import cards
from ramiel_core.report import tuned

STATES = {
    "best": "fastest",
    "finalist": "still in the race",
    "measuring": "being timed",
    "waiting": "waiting",
    "slower": "slower, out",
}


WORDS_PX, STATE_PX, INTERVAL_PX = 350, 165, 105  # fixed: the first rows are seldom the longest


class Row(TypedDict):
    """A line of the table."""

    configuration: str
    state: str
    median: float | None
    ratio: float | None
    interval: str
    predicted: float | None
    rounds: int
    memory: float | None
    difference: str


def row(standing: Mapping[str, Any], winner: Mapping[str, Any] | None) -> Row:
    """What the table says of one standing; the winner is known once the race is over."""
    timed = standing["rounds"] > 0
    low, high = standing["ratio_ci"] or (1.0, 1.0)
    name = STATES.get(standing["state"], standing["state"])
    if winner and standing["state"] == "finalist":
        level = tuned.is_level(standing, winner)
        name = "as fast, within noise" if level else "in the race to the end"
    elif standing["state"] == "failed":
        name = f"failed: {standing['reason']}"
    comparable = winner is None or standing["against"] == winner["label"]
    return {
        "configuration": tuned.in_words(standing["configuration"]),
        "state": name,
        "median": standing["median_ms"],
        "ratio": standing["ratio"],
        "interval": f"{low:.2f} to {high:.2f}" if high > low and comparable else "",
        "predicted": standing["predicted_ms"],
        "rounds": standing["rounds"],
        "memory": standing["memory_bytes"] / 1e6 or None,
        "difference": f"{standing['max_difference']:.1g}" if timed else "",
    }


def table(rows: Sequence[Mapping[str, Any]], key: str, *, over: bool = False) -> None:
    """Show all standings; wider than the page, it scrolls.

    Parameters
    ----------
    rows : sequence of mapping
        As the tuner tells them.
    key : str
        Of the table.
    over : bool
        Whether the race has ended.
    """
    number = st.column_config.NumberColumn
    st.dataframe(
        [row(standing, rows[0] if over else None) for standing in rows],
        key=key,
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            "configuration": st.column_config.TextColumn(
                "Configuration", width=WORDS_PX, pinned=True
            ),
            "state": st.column_config.TextColumn(
                "State",
                width=STATE_PX,
                help="Slower ones leave the race early; who fails says why.",
            ),
            "median": number("Median, ms", format="%.2f", help="Of all its rounds."),
            "ratio": number(
                "× the fastest",
                format="%.2f×",
                help="Its time over the fastest's in rounds that both ran: a host changes its "
                "speed, so medians of different minutes do not compare.",
            ),
            "interval": st.column_config.TextColumn(
                "95 %",
                width=INTERVAL_PX,
                help="Where that ratio lies with 95 % certainty; for those that met the fastest.",
            ),
            "predicted": number(
                "Predicted, ms",
                format="%.2f",
                help="Simulated from measured operators. Kernel libraries run whole segments, "
                "which nobody predicts.",
            ),
            "rounds": number("Rounds", help="Timed inferences."),
            "memory": number(
                "Memory, MB", format="%.0f", help="Of all its workers, shared pages counted once."
            ),
            "difference": st.column_config.TextColumn(
                "Largest difference",
                help="Of its outputs from eager's at one thread, as a share of the largest value; "
                "0 means none. More than the kernels' tolerance counts as failed.",
            ),
        },
    )
    failed = [standing for standing in rows if standing["state"] == "failed"]
    for standing in failed if over else ():
        words = tuned.in_words(standing["configuration"])
        cards.sub(f"{cards.sentence(words)} failed: {standing['reason']}")
