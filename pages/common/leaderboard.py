"""A tuner's standings as a table: one configuration a line, the fastest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from pages.common import cards, table
from pages.common.table import Column
from ramiel_core.report import tuned

STATES = {
    "best": "fastest",
    "finalist": "still in the race",
    "measuring": "being timed",
    "waiting": "waiting",
    "slower": "slower, out",
    "skipped": "not tried: see below",
    "failed": "failed: see below",
}
COLUMNS = {
    "configuration": Column("Configuration"),
    "state": Column("State", "Slower ones leave the race early; why one failed stands below."),
    "median": Column("Median, ms", "Of all its rounds.", ".2f"),
    "ratio": Column(
        "× the fastest",
        "Its time over the fastest’s in rounds that both ran: a host changes its speed, so medians "
        "of different minutes do not compare.",
        ".2f",
        "×",
    ),
    "interval": Column(
        "95 %", "Where that ratio lies with 95 % certainty; for those that met the fastest."
    ),
    "predicted": Column(
        "Predicted, ms",
        "Simulated from measured operators. Kernel libraries run whole segments, which nobody "
        "predicts.",
        ".2f",
    ),
    "rounds": Column("Rounds", "Timed inferences.", "d"),
    "memory": Column("Memory, MB", "Of all its workers, shared pages counted once.", ".0f"),
    "difference": Column(
        "Largest difference",
        "Of its outputs from eager’s at one thread, as a share of the largest value; 0 means none. "
        "More than the kernels’ tolerance counts as failed.",
    ),
}


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
    name = STATES[standing["state"]]
    if winner and standing["state"] == "finalist":
        level = tuned.is_level(standing, winner)
        name = "as fast, within noise" if level else "in the race to the end"
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


def show(rows: Sequence[Mapping[str, Any]], *, over: bool = False) -> None:
    """Show all standings, and below them why some failed, were not tried or were closed early.

    Parameters
    ----------
    rows : sequence of mapping
        As the tuner tells them.
    over : bool
        Whether the race has ended.
    """
    winner = rows[0] if over else None
    table.show(COLUMNS, [row(standing, winner) for standing in rows], "Leaderboard")
    for said in tuned.out(rows):
        cards.sub(said)
