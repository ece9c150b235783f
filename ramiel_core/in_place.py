"""Which calls write over their first argument: by their name, or because they are asked to."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

IN_PLACE: Mapping[Any, Any] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.imatmul: operator.matmul,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
    operator.ilshift: operator.lshift,
    operator.irshift: operator.rshift,
}
"""What `a += b` and the like compute, where nobody sees that `a` is written over."""

AUGMENTED = frozenset(f"__{function.__name__}__" for function in IN_PLACE)
"""The methods behind them: what torch.fx records where `a` is a tensor that it does not follow."""


def writes_first(node: Any, layers: Mapping[str, Any]) -> bool:
    """Whether a call in a graph of torch.fx writes over its first argument.

    Parameters
    ----------
    node : torch.fx.Node
        Of any kind.
    layers : mapping
        The model's, by their paths.
    """
    if node.op == "call_module":
        return bool(getattr(layers[str(node.target)], "inplace", False))
    asked = bool(node.kwargs.get("inplace"))
    return node.op in ("call_function", "call_method") and (asked or is_in_place(node.target))


def is_in_place(target: Any) -> bool:
    """Whether a function, or the method of this name, always writes over its first argument.

    >>> is_in_place("add_"), is_in_place("__iadd__"), is_in_place("__and__")
    (True, True, False)
    >>> is_in_place(operator.iadd), is_in_place(operator.and_)
    (True, False)
    """
    if getattr(target, "__module__", "") == "_operator":  # where `and_` is no `and` in place
        return target in IN_PLACE
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    plain = name.partition(".")[0]  # `add_.Tensor` is an overload of `add_`
    return plain in AUGMENTED or (plain.endswith("_") and not plain.endswith("__"))
