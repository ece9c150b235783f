"""Tables that are read as a whole: a few lines of figures, each column as wide as it needs.

Streamlit's own data frames are for long lists: a canvas, which cannot break a line and so scrolls
sideways in a narrow window, and which a screen reader does not read like a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import streamlit as st


@dataclass(frozen=True)
class Column:
    """One column: its heading, what that means, and how its numbers are written."""

    title: str
    help: str = ""
    format: str = ""  # of a number, as for `format()`; without one it holds words
    unit: str = ""  # behind each number

    def cell(self, value: Any) -> str:
        """The text of one cell; a dash where there is no value."""
        if value is None:
            return "–"
        return f"{value:{self.format}}{self.unit}" if self.format else str(value)


def show(columns: Mapping[str, Column], rows: Sequence[Mapping[str, Any]], label: str) -> None:
    """Show rows below each other; the first column names them.

    Parameters
    ----------
    columns : Mapping[str, Column]
        By their key in each row, from left to right.
    rows : sequence of mappings
        The values.
    label : str
        What the table is of, for those who hear it.
    """
    head = "".join(_heading(column) for column in columns.values())
    body = "".join(_line(columns, row) for row in rows)
    st.html(
        f'<div class="rv-table" role="region" tabindex="0" aria-label="{escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heading(column: Column) -> str:
    title = escape(column.title)
    said = f'<abbr title="{escape(column.help)}">{title}</abbr>' if column.help else title
    return f'<th scope="col"{_kind(column)}>{said}</th>'


def _line(columns: Mapping[str, Column], row: Mapping[str, Any]) -> str:
    (name, first), *others = columns.items()
    cells = "".join(
        f'<td{_kind(column)} data-heading="{escape(column.title)}">'
        f"{escape(column.cell(row[key]))}</td>"
        for key, column in others
    )
    return f'<tr><th scope="row">{escape(first.cell(row[name]))}</th>{cells}</tr>'


def _kind(column: Column) -> str:
    return ' class="rv-number"' if column.format else ""
