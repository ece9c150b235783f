"""OpNode -> the same operator under another name, or reading values under other names."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from ramiel_core.ir import OpNode


def reading(node: OpNode, instead: Mapping[str, str], name: str) -> OpNode:
    """`node`, or a clone of it under `name`, that reads some values under other names."""
    if not instead and name == node.name:
        return node
    changed = replace(
        node,
        inputs=tuple(instead.get(read, read) for read in node.inputs),
        aliases=tuple(instead.get(read, read) for read in node.aliases),
        call=_renamed(node.call, instead),
        others=tuple(_renamed(call, instead) for call in node.others),
        into=_renamed(node.into, instead) if node.into else "",
    )
    if name == node.name:
        return changed
    return replace(changed, name=name, clone_of=node.name, repeatable=False, into="")


def _renamed(call: str, names: Mapping[str, str]) -> str:
    """A Python expression that reads other variables; its strings and keywords stay.

    >>> _renamed("F.conv(relu, w['relu.x'], relu=2)", {"relu": "relu_clone1"})
    "F.conv(relu_clone1, w['relu.x'], relu=2)"
    """
    text = call.encode()
    variables = [n for n in ast.walk(ast.parse(call, mode="eval")) if isinstance(n, ast.Name)]
    for found in sorted(variables, key=lambda n: -n.col_offset):
        if found.id in names:
            end = found.end_col_offset or len(text)
            text = text[: found.col_offset] + names[found.id].encode() + text[end:]
    return text.decode()
