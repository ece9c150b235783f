"""One fx node -> the Python expression that computes it, as a person would write it.

A layer of `torch.nn` becomes the functional call that its `forward` makes, with its weights by
name in `w`; one that has no such form is called as the object it is, `w["path"](x)`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from ramiel_core.graph.functional import functional
from ramiel_core.graph.record import Seen
from ramiel_core.graph.values import Values
from ramiel_core.in_place import IN_PLACE, is_in_place

INFIX: Mapping[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.matmul: "@",
    operator.and_: "&",
    operator.or_: "|",
    operator.xor: "^",
    operator.lshift: "<<",
    operator.rshift: ">>",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}
WITH_OUT: Mapping[Any, str] = {
    operator.add: "torch.add",
    operator.iadd: "torch.add",
    operator.mul: "torch.mul",
    operator.imul: "torch.mul",
    operator.sub: "torch.sub",
    operator.isub: "torch.sub",
    operator.truediv: "torch.div",
    operator.itruediv: "torch.div",
}
TAKE_OUT = (
    *("torch.cat(", "torch.add(", "torch.mul(", "torch.sub(", "torch.div(", "torch.maximum("),
    *("torch.minimum(", "torch.sigmoid(", "torch.tanh(", "torch.exp(", "torch.sqrt("),
    *("F.avg_pool2d(", "F.gelu("),
)
"""Calls that take `out=` as they are."""
OUT_OF_ONE: Mapping[str, str] = {
    "F.relu(": "torch.clamp_min({}, 0, ",  # which torch computes as this, in place or not
    "torch.relu(": "torch.clamp_min({}, 0, ",
    "F.sigmoid(": "torch.sigmoid({}, ",
    "F.tanh(": "torch.tanh({}, ",
    "F.silu(": "torch.ops.aten.silu.out({}, ",
    "F.hardswish(": "torch.ops.aten.hardswish.out({}, ",
    "F.hardsigmoid(": "torch.ops.aten.hardsigmoid.out({}, ",
}
"""Calls on one value, in place or not, by what the same kernel is called where it takes `out=`."""
PREFIX: Mapping[Any, str] = {operator.neg: "-", operator.invert: "~", operator.not_: "not "}


def is_imported(function: Any) -> bool:
    """Whether emitted code must import a function by its own name."""
    known = function.__module__ == "builtins" or _qualified_name(function).startswith("torch.")
    has_own_syntax = function in (*INFIX, *IN_PLACE, *PREFIX, operator.getitem)
    return not (known or has_own_syntax)


def _qualified_name(function: Any) -> str:
    """Where a function can be found: "torch.nn.functional.relu"."""
    name = str(fx.node._get_qualified_name(function))  # noqa: SLF001 - what fx's codegen uses
    short = name.removeprefix("torch._C._nn.")  # where `F.gelu` and others really are
    return f"torch.nn.functional.{short}" if getattr(F, short, None) is function else name


class Renderer:
    """Writes calls for the nodes of one GraphModule and collects the modules they need.

    Parameters
    ----------
    module : fx.GraphModule
    seen : mapping
        What each node returned.
    values : Values
        How arguments are written.
    imported : mapping
        The names of functions that are not torch's.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        seen: Mapping[fx.Node, Seen],
        values: Values,
        imported: Mapping[Any, str],
    ) -> None:
        self.imports: set[str] = set()
        self._layers = dict(module.named_modules())
        self._seen, self._values, self._imported = seen, values, imported

    def call(self, node: fx.Node, *, in_place: bool, keeps_type: bool = True) -> str:
        """The expression for `node`.

        Parameters
        ----------
        node : fx.Node
            A call.
        in_place : bool
            Allows it to write over its first input.
        keeps_type : bool
            Whether an operator that writes over its first input returns the same type where it does
            not; else it writes over a copy.
        """
        text = self._call(node, in_place=in_place, keeps_type=keeps_type)
        if _is_deep(self._seen[node].nesting):  # a channel carries flat tuples
            return f"torch.utils._pytree.tree_leaves({text})"
        return text

    def _call(self, node: fx.Node, *, in_place: bool, keeps_type: bool) -> str:  # noqa: PLR0911 - one a kind of call
        if node.op == "call_module":
            return self._layer(node, in_place=in_place)
        kwargs = {k: v for k, v in node.kwargs.items() if in_place or k != "inplace"}
        if node.op == "call_method":
            return self._method(node, kwargs, in_place=in_place, keeps_type=keeps_type)
        args, target = node.args, node.target
        if target is getattr and len(args) == 2:
            part = self._seen[node].part  # fields by number: a channel carries plain tuples
            field = f".{args[1]}" if part is None else f"[{part}]"
            return f"{self._values.operand(args[0])}{field}"
        if target is operator.getitem:
            return self._values.item(*args)
        if target in PREFIX:
            return f"{PREFIX[target]}{self._values.operand(args[0])}"
        if target in IN_PLACE and not keeps_type:
            left, right = map(self._values.text, args)
            copied, augmented = "" if in_place else ".clone()", getattr(target, "__name__", "")
            return f"{left}{copied}.__{augmented}__({right})"
        infix = INFIX.get(IN_PLACE.get(target, target))
        if infix and len(args) == 2 and not kwargs:
            left, right = map(self._values.operand, args)
            return f"{left} {infix} {right}"
        function = self._function(target)
        if is_in_place(target) and not in_place:
            return f"{function}({self._kept(node, in_place=False)})"
        return f"{function}({self._values.arguments(args, kwargs)})"

    def _method(
        self, node: fx.Node, kwargs: Mapping[str, Any], *, in_place: bool, keeps_type: bool
    ) -> str:
        owner, *rest = node.args
        method, text = str(node.target), self._values.operand(owner)
        if is_in_place(method) and not in_place:
            if keeps_type and hasattr(torch.Tensor, method[:-1]):
                method = method[:-1]
            else:
                text += ".clone()"
        return f"{text}.{method}({self._values.arguments(rest, kwargs)})"

    def into(self, node: fx.Node, call: str, buffer: str) -> str:
        """`call` of `node` as one that writes into `buffer`, by the same kernel; else empty."""
        if node.op == "call_method":  # which are functions as well
            call = f"torch.{node.target}({self._values.arguments(node.args, node.kwargs)})"
        for called, form in OUT_OF_ONE.items():
            if call.startswith(called) and len(node.all_input_nodes) == 1:
                return f"{form.format(self._values.text(node.all_input_nodes[0]))}out={buffer})"
        if call.startswith(TAKE_OUT):
            return f"{call.removesuffix(')')}, out={buffer})"
        function = WITH_OUT.get(node.target)
        if function and all(map(self._values.is_known, node.args)):
            left, right = map(self._values.text, node.args)
            return f"{function}({left}, {right}, out={buffer})"
        return ""

    def _kept(self, node: fx.Node, *, in_place: bool) -> str:
        """All arguments, the first one copied where it would be written over but must not be."""
        text = self._values.arguments(node.args, node.kwargs)
        if in_place or not node.args:
            return text
        first = self._values.text(node.args[0])
        return f"{first}.clone(){text.removeprefix(first)}"

    def _function(self, target: Any) -> str:
        name = _qualified_name(target)
        if name.startswith("torch.nn.functional."):
            return "F." + name.removeprefix("torch.nn.functional.")
        if name.startswith("torch."):
            if name.startswith("torch.ops.torchvision."):  # where only its own import puts them
                self.imports.add("import torchvision")
            return name
        if is_imported(target):
            # Not `import module`: a package may have a function of its submodule's name.
            line = f"from {target.__module__} import {target.__name__}"
            known_as = self._imported[target]
            renamed = "" if known_as == target.__name__ else f" as {known_as}"
            self.imports.add(f"{line}{renamed}")
            return known_as
        return str(target.__name__)

    def _layer(self, node: fx.Node, *, in_place: bool) -> str:
        path = str(node.target)
        layer = self._layers[path]
        if len(node.args) == 1 and not node.kwargs:
            x = self._values.text(node.args[0])
            if text := functional(path, layer, x, in_place=in_place):
                return text
        args = self._kept(node, in_place=in_place or not getattr(layer, "inplace", False))
        return f'w["{path}"]({args})'


def _is_deep(nesting: Any) -> bool:
    parts = nesting if isinstance(nesting, (tuple, list)) else ()
    return isinstance(nesting, dict) or not all(isinstance(part, int) for part in parts)
