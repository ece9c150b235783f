"""Long lists, of operators mostly: data frames that can be sorted, searched and downloaded.

A data frame is a canvas, which cannot break a line. So each says which of its columns are shown and
how wide they are at least: together no more than a window of 900 px has room for, which is 510 px,
40 of them for ticks where rows can be ticked. Where there is more room they share it; what is
hidden can be shown by the eye above the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.common import cards


def show(
    rows: Sequence[Mapping[str, Any]],
    widths: Mapping[str, int],
    label: str,
    special: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> None:
    """Show rows below each other.

    Parameters
    ----------
    rows : sequence of mappings
        The values, at least one row.
    widths : Mapping[str, int]
        Columns shown, from left to right, and the px that each needs; others are hidden.
    label : str
        What the list is of, for those who hear it.
    special : mapping, optional
        Of columns that are more than their name and values, as `st.column_config` makes them.
    **options
        For `st.dataframe`, such as `key` and `on_select`.
    """
    st.dataframe(
        rows,
        hide_index=True,
        alt=label,
        column_order=list(widths),
        column_config={
            name: {"label": cards.sentence(name)}
            | dict((special or {}).get(name, {}))
            | {"width": widths.get(name)}
            for name in rows[0]
        },
        **options,
    )
