"""Emitted Python -> its lines, each with the operator that it is about."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String

from ramiel_core.view.scene import Part

KINDS = {
    Comment: "comment",
    Keyword: "keyword",
    String: "string",
    Number: "number",
    Name.Function: "function",
}
_VALUE = re.compile(r'\s+(?:(\w+) = |send\("(\w+)")')


def listing(source: str, operators: Collection[str]) -> Part:
    r"""Lines of a program, coloured, and linked to the operators that they compute or hand over.

    Parameters
    ----------
    source : str
        From `program.emit`.
    operators : Collection[str]
        Names in the graph.

    Returns
    -------
    Part
        ``lines``: for each the operator or none, then pairs of kind and text.

    Examples
    --------
    >>> listing("def f():\n    a = 1\n", {"a"}).value["lines"][1]
    ['a', '', '    a = ', 'number', '1']
    """
    lines: list[list[Any]] = []
    row: list[str] = []
    for token, text in PythonLexer(stripnl=False).get_tokens(source):
        kind = next((name for parent, name in KINDS.items() if token in parent), "")
        for i, piece in enumerate(text.split("\n")):
            if i:
                lines.append(row)
                row = []
            if piece and row and row[-2] == kind:
                row[-1] += piece
            elif piece:
                row += [kind, piece]
    return Part.of({"lines": [[_operator("".join(r[1::2]), operators), *r] for r in lines]})


def _operator(line: str, operators: Collection[str]) -> str | None:
    found = _VALUE.match(line)
    name = next(filter(None, found.groups())) if found else None
    return name if name in operators else None
