"""Small pieces of every page: notes, tables of facts, numbers with their units.

Texts may hold names from the address or from a model, so they are escaped here and never given
to Streamlit's Markdown, which would fetch an image that a name asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Literal

import streamlit as st

from ramiel_core.view import palette

COST_NAMES = {
    "flops": "estimated (flops)",
    "unit": "all equal (unit)",
    "measured": "measured on this host",
}
COST_HELP = {
    "flops": (
        "Costs are estimated from each operator's arithmetic and memory traffic (cost model "
        "“flops”): about right in proportion, rough in milliseconds."
    ),
    "unit": "Every operator costs 1 (cost model “unit”): the shape of the graph alone.",
    "measured": (
        "Costs were measured on this host, operator by operator (cost model “measured”), alone and "
        "while other workers computed, which slows them."
    ),
}


def lead(text: str) -> None:
    """Show the sentence under a page's title."""
    st.html(f'<p class="rv-lead">{escape(text)}</p>')


def sub(text: str) -> None:
    """Show a quiet remark."""
    st.html(f'<p class="rv-sub">{escape(text)}</p>')


def note(text: str, kind: Literal["info", "warning", "error", "good"] = "info") -> None:
    """Show a sentence in a box."""
    role = "alert" if kind in ("warning", "error") else "note"
    shown = sentence(text) if kind == "error" else text
    st.html(f'<div class="rv-note rv-{kind}" role="{role}">{escape(shown)}</div>')


def verdict(text: str, *, good: bool) -> None:
    """Show the sentence that everything else on the page explains."""
    tone = "rv-good" if good else ""
    st.html(f'<div class="rv-verdict {tone}" role="note">{escape(text)}</div>')


def facts(rows: Mapping[str, str]) -> None:
    """Show names and values, one pair a line; empty values are left out."""
    pairs = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items() if v)
    st.html(f'<dl class="rv-facts">{"".join(pairs)}</dl>')


def figures(*cells: tuple[str, str, str] | tuple[str, str, str, str]) -> None:
    """Show numbers side by side: label, value, what it means, and perhaps a remark below."""
    for column, (label, value, meaning, *remark) in zip(st.columns(len(cells)), cells, strict=True):
        column.metric(
            label,
            value,
            remark[0] if remark else None,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=meaning,
        )


def chip(cluster: int, text: str) -> str:
    """HTML of a text on its cluster's colour."""
    fill = palette.fill(cluster)
    style = f"background:{fill};color:{palette.text_on(fill)}"
    return f'<span class="rv-chip" style="{style}">{escape(text)}</span>'


def sentence(text: str) -> str:
    """`text` with a capital; the engine's errors begin small, to stand after a colon."""
    return text[:1].upper() + text[1:]


def cost(value_ms: float, cost_model: str) -> str:
    """A cost with its unit; under equal costs it counts operators.

    >>> cost(1234.5, "flops"), cost(66.0, "unit")
    ('1,234 ms', '66 units')
    """
    if cost_model == "unit":
        return f"{value_ms:,.0f} units"
    return ms(value_ms)


def ms(value: float) -> str:
    """Milliseconds, to as many places as can be believed.

    >>> ms(12.345), ms(0.1234)
    ('12.3 ms', '0.123 ms')
    """
    places = 0 if value >= 1000 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{places}f} ms"


def size(value_bytes: float) -> str:
    """Bytes in the unit that fits.

    >>> size(512), size(3_200_000)
    ('512 B', '3.2 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value_bytes >= scale:
            return f"{value_bytes / scale:.3g} {unit}"
    return f"{value_bytes:.0f} B"


def count(value: float) -> str:
    """A large count, shortened.

    >>> count(197), count(13_004_888), count(6.1e9)
    ('197', '13.0 M', '6.10 G')
    """
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale:
            shown = value / scale
            return f"{shown:.{2 if shown < 10 else 1 if shown < 100 else 0}f} {unit}"
    return f"{value:,.0f}"


def quantity(value: float, unit: str) -> str:
    """Join a large count and its unit.

    >>> quantity(6.1e9, "FLOP"), quantity(0, "FLOP")
    ('6.10 GFLOP', '0 FLOP')
    """
    shown = count(value)
    return shown + unit if shown[-1].isalpha() else f"{shown} {unit}"
