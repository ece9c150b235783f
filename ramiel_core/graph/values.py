"""The arguments of a call as Python text: names of values, parts of them, literals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import fx

from ramiel_core.errors import ModelError
from ramiel_core.graph.record import Seen


class Values:
    """Writes down what the nodes of one model are called with.

    Parameters
    ----------
    seen : mapping
        What each node returned.
    name_of : callable
        The name under which a node's value is known, or None where it is a known constant.
    """

    def __init__(
        self, seen: Mapping[fx.Node, Seen], name_of: Callable[[fx.Node], str | None]
    ) -> None:
        self._seen, self._name_of = seen, name_of

    def text(self, value: Any) -> str:
        """Any argument of a call.

        Raises
        ------
        ModelError
            For one that cannot be written down.
        """
        return _nested(value, self._leaf)

    def arguments(self, args: Iterable[Any], kwargs: Mapping[str, Any]) -> str:
        """All of a call's, as they stand between its brackets."""
        named = [f"{key}={self.text(value)}" for key, value in kwargs.items()]
        return ", ".join([*map(self.text, args), *named])

    def operand(self, value: Any) -> str:
        """What stands beside an operator or before a dot."""
        text = self.text(value)
        return f"({text})" if text.startswith("-") else text

    def item(self, owner: Any, index: Any) -> str:
        """A part of a value: `x[1]`, `x[:, 0]`."""
        nesting = self._seen[owner].nesting if isinstance(owner, fx.Node) else None
        if nesting is not None and isinstance(index, (int, str)):
            return self._parts(owner, nesting[index])
        return f"{self.operand(owner)}[{self._subscript(index)}]"

    def is_known(self, value: Any) -> bool:
        """Whether a program has this value under a name."""
        return isinstance(value, fx.Node) and self._name_of(value) is not None

    def _parts(self, owner: fx.Node, numbers: Any) -> str:
        """What a call returned in tuples of tuples, or a part of it, put together again."""
        return _nested(numbers, lambda number: f"{self._name_of(owner)}[{number}]")

    def _subscript(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(map(self._subscript, index))
        if isinstance(index, slice):
            ends = ("" if end is None else self.text(end) for end in (index.start, index.stop))
            step = "" if index.step is None else f":{self.text(index.step)}"
            return ":".join(ends) + step
        return "..." if index is Ellipsis else self.text(index)

    def _leaf(self, value: Any) -> str:
        if isinstance(value, fx.Node):
            name, seen = self._name_of(value), self._seen[value]
            if name is None:
                return self.text(seen.constant)
            return name if seen.nesting is None else self._parts(value, seen.nesting)
        if isinstance(value, slice):
            ends = (value.start, value.stop, value.step)
            return f"slice({', '.join(map(self.text, ends))})"
        if isinstance(value, torch.device):  # plans run where the weights are: on the CPU
            return "'cpu'"
        return _literal(value)


def _nested(value: Any, leaf: Callable[[Any], str]) -> str:
    """Tuples, lists and dictionaries around leaves.

    >>> _nested({"a": (1,), "b": [(), 2]}, str)
    "{'a': (1,), 'b': [(), 2]}"
    """
    if isinstance(value, dict):
        parts = (f"{key!r}: {_nested(part, leaf)}" for key, part in value.items())
        return "{" + ", ".join(parts) + "}"
    if not isinstance(value, (list, tuple)):
        return leaf(value)
    inner = ", ".join(_nested(part, leaf) for part in value)
    if isinstance(value, list):
        return f"[{inner}]"
    return f"({inner},)" if len(value) == 1 else f"({inner})"


def _literal(value: Any) -> str:
    """A number, a text or a constant of torch's, by which Python finds the same value.

    A subclass, such as numpy's floats or an enumeration, becomes what it is a kind of.

    >>> _literal(float("-inf")), _literal(complex("1+nanj")), _literal(True)
    ("float('-inf')", "complex('1+nanj')", 'True')
    """
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return repr(value)
    for kind in (int, float, str, bytes):
        if isinstance(value, kind):
            text = kind.__repr__(value)
            return f"float('{text}')" if text in ("inf", "-inf", "nan") else text
    if isinstance(value, complex):
        return f"complex('{str(value).strip('()')}')"
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format, range)):
        return repr(value)
    if callable(getattr(value, "item", None)):  # a number of numpy's
        return _literal(value.item())
    raise ModelError(
        f"an operator is given a {type(value).__name__} ({str(value)[:60]!r}), which cannot be "
        f"written into a program; give numbers, texts, tensors or tuples of them."
    )
