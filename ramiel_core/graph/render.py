"""One fx node -> the Python expression that computes it, as a person would write it.

A layer of `torch.nn` becomes the functional call that its `forward` makes, with its weights by
name in `w`; one that has no such form is called as the object it is, `w["path"](x)`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ramiel_core.errors import ModelError

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

WITH_OUT: Mapping[Any, str] = {
    operator.add: "torch.add",
    operator.iadd: "torch.add",
    operator.mul: "torch.mul",
    operator.imul: "torch.mul",
}
PREFIX: Mapping[Any, str] = {operator.neg: "-", operator.invert: "~", operator.not_: "not "}


@dataclass(frozen=True)
class _Layer:
    """A layer of `torch.nn` about to be written: its path, itself, and what it reads."""

    path: str
    layer: Any
    x: str

    def weight(self, name: str) -> str:
        """One of its weights, or None where it has none of that name."""
        return f'w["{self.path}.{name}"]' if getattr(self.layer, name) is not None else "None"

    def weights(self, *names: str) -> str:
        """Several of its weights, as arguments."""
        return ", ".join(self.weight(name) for name in names)


def _convolution(dimensions: int) -> Callable[[_Layer], str]:
    def call(c: _Layer) -> str:
        m = c.layer
        how = f"{m.stride}, {m.padding!r}, {m.dilation}, {m.groups}"
        return f"F.conv{dimensions}d({c.x}, {c.weights('weight', 'bias')}, {how})"

    return call


def _batch_norm(c: _Layer) -> str:
    weights = c.weights("running_mean", "running_var", "weight", "bias")
    of_batch = c.layer.running_mean is None  # then its statistics serve, in eval mode as well
    return f"F.batch_norm({c.x}, {weights}, {of_batch}, 0.0, {c.layer.eps})"


def _layer_norm(c: _Layer) -> str:
    shape = tuple(c.layer.normalized_shape)
    return f"F.layer_norm({c.x}, {shape}, {c.weights('weight', 'bias')}, {c.layer.eps})"


def _max_pool(c: _Layer) -> str:
    m = c.layer
    where = f"{m.kernel_size}, {m.stride}, {m.padding}, {m.dilation}"
    return f"F.max_pool2d({c.x}, {where}, ceil_mode={m.ceil_mode})"


def _avg_pool(c: _Layer) -> str:
    m = c.layer
    where = f"{m.kernel_size}, {m.stride}, {m.padding}"
    how = f"{m.ceil_mode}, {m.count_include_pad}, {m.divisor_override}"
    return f"F.avg_pool2d({c.x}, {where}, {how})"


LAYERS: Mapping[type[nn.Module], Callable[[_Layer], str]] = {
    nn.Conv1d: _convolution(1),
    nn.Conv2d: _convolution(2),
    nn.Conv3d: _convolution(3),
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.Linear: lambda c: f"F.linear({c.x}, {c.weights('weight', 'bias')})",
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.AdaptiveAvgPool2d: lambda c: f"F.adaptive_avg_pool2d({c.x}, {c.layer.output_size})",
    nn.AdaptiveMaxPool2d: lambda c: f"F.adaptive_max_pool2d({c.x}, {c.layer.output_size})",
    nn.ReLU: lambda c: f"F.relu({c.x})",
    nn.ReLU6: lambda c: f"F.relu6({c.x})",
    nn.SiLU: lambda c: f"F.silu({c.x})",
    nn.Hardswish: lambda c: f"F.hardswish({c.x})",
    nn.Hardsigmoid: lambda c: f"F.hardsigmoid({c.x})",
    nn.Sigmoid: lambda c: f"torch.sigmoid({c.x})",
    nn.Tanh: lambda c: f"torch.tanh({c.x})",
    nn.GELU: lambda c: f"F.gelu({c.x}, approximate={c.layer.approximate!r})",
    nn.Softmax: lambda c: f"F.softmax({c.x}, {c.layer.dim})",
    nn.Dropout: lambda c: f"F.dropout({c.x}, {c.layer.p}, training=False)",
    nn.Flatten: lambda c: f"torch.flatten({c.x}, {c.layer.start_dim}, {c.layer.end_dim})",
    nn.Identity: lambda c: c.x,
}
# Layers and functions that take `inplace`: torch has the same operator for both ways.
ACTIVATIONS = frozenset({nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardsigmoid})


def qualified_name(function: Any) -> str:
    """Where a function can be found: "torch.nn.functional.relu"."""
    return str(fx.node._get_qualified_name(function))  # noqa: SLF001 - what fx's codegen uses


def has_own_syntax(function: Any) -> bool:
    """Whether a function is written as an operator of Python's: `operator.and_` as `&`."""
    return function in (*INFIX, *IN_PLACE, *PREFIX, operator.getitem)


def is_imported(function: Any) -> bool:
    """Whether emitted code must import a function by its own name."""
    known = function.__module__ == "builtins" or qualified_name(function).startswith("torch.")
    return not (known or has_own_syntax(function))


def writes_by_name(name: str) -> bool:
    """Whether a function or method is one that writes over its first argument: "relu_"."""
    last = name.removesuffix(".default").rpartition(".")[2]
    return last in AUGMENTED or (last.endswith("_") and not last.endswith("__"))


class Renderer:
    """Writes calls for the nodes of one GraphModule and collects the modules they need.

    Parameters
    ----------
    module : fx.GraphModule
    name_of : Callable
        The name under which a node's value is known, or None where it is a known constant.
    constant : Callable
        That constant.
    part_of : Callable
        Which part of a tuple a node that reads a field of it returns, or None.
    nesting_of : Callable
        How the parts of what a node returns lie in tuples of tuples, by number; None where they do
        not.
    imported : mapping
        The names of functions that are not torch's.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        name_of: Callable[[fx.Node], str | None],
        constant: Callable[[fx.Node], Any],
        part_of: Callable[[fx.Node], int | None],
        nesting_of: Callable[[fx.Node], Any],
        imported: Mapping[Any, str],
    ) -> None:
        self.imports: set[str] = set()
        self._layers = dict(module.named_modules())
        self._name_of = name_of
        self._constant = constant
        self._part_of = part_of
        self._nesting_of = nesting_of
        self._imported = imported

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
        if _is_deep(self._nesting_of(node)):  # a channel carries flat tuples
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
            part = self._part_of(node)  # fields by number: a channel carries plain tuples
            field = f".{args[1]}" if part is None else f"[{part}]"
            return f"{self._operand(args[0])}{field}"
        if target is operator.getitem:
            return self._item(args[0], args[1])
        if target in PREFIX:
            return f"{PREFIX[target]}{self._operand(args[0])}"
        if target in IN_PLACE and not keeps_type:
            copied, augmented = "" if in_place else ".clone()", getattr(target, "__name__", "")
            return f"{self.value(args[0])}{copied}.__{augmented}__({self.value(args[1])})"
        infix = INFIX.get(IN_PLACE.get(target, target))
        if infix and len(args) == 2 and not kwargs:
            left, right = (self._operand(arg) for arg in args)
            return f"{left} {infix} {right}"
        function = self._function(target)
        if writes_by_name(function) and not in_place:
            return f"{function}({self._kept(node, in_place=False)})"
        return f"{function}({self._arguments(args, kwargs)})"

    def _method(
        self, node: fx.Node, kwargs: Mapping[str, Any], *, in_place: bool, keeps_type: bool
    ) -> str:
        owner, *rest = node.args
        method, text = str(node.target), self._operand(owner)
        if writes_by_name(method) and not in_place:
            if keeps_type and hasattr(torch.Tensor, method[:-1]):
                method = method[:-1]
            else:
                text += ".clone()"
        return f"{text}.{method}({self._arguments(rest, kwargs)})"

    def _item(self, owner: Any, index: Any) -> str:
        nesting = self._nesting_of(owner) if isinstance(owner, fx.Node) else None
        if nesting is not None and isinstance(index, (int, str)):
            return self._nested(owner, nesting[index])
        return f"{self._operand(owner)}[{self._subscript(index)}]"

    def _nested(self, owner: fx.Node, numbers: Any) -> str:
        """What a call returned in tuples of tuples, or a part of it, put together again."""
        if isinstance(numbers, dict):
            parts = (f"{key!r}: {self._nested(owner, n)}" for key, n in numbers.items())
            return "{" + ", ".join(parts) + "}"
        if isinstance(numbers, (tuple, list)):
            inner = ", ".join(self._nested(owner, number) for number in numbers)
            if isinstance(numbers, list):
                return f"[{inner}]"
            return f"({inner},)" if len(numbers) == 1 else f"({inner})"
        return f"{self._name_of(owner)}[{numbers}]"

    def into(self, node: fx.Node, call: str, buffer: str) -> str:
        """`call` of `node` as one that writes into `buffer`, by the same kernel; else empty."""
        if call.startswith("F.relu("):  # which torch computes as this, in place or not
            return f"torch.clamp_min({self.value(node.args[0])}, 0, out={buffer})"
        if call.startswith(("torch.cat(", "F.avg_pool2d(", "torch.add(", "torch.mul(")):
            return f"{call.removesuffix(')')}, out={buffer})"
        function = WITH_OUT.get(node.target)
        if function and all(isinstance(arg, fx.Node) and self._name_of(arg) for arg in node.args):
            left, right = (self.value(arg) for arg in node.args)
            return f"{function}({left}, {right}, out={buffer})"
        return ""

    def value(self, arg: Any) -> str:  # noqa: PLR0911 - one line for each kind of literal
        """Any argument of a call as Python text.

        Raises
        ------
        ModelError
            For one that cannot be written down.
        """
        if isinstance(arg, fx.Node):
            name = self._name_of(arg)
            if name is None:
                return self.value(self._constant(arg))
            nesting = self._nesting_of(arg)
            return name if nesting is None else self._nested(arg, nesting)
        if isinstance(arg, torch.Size):
            return self.value(tuple(arg))
        if isinstance(arg, (list, tuple)):
            inner = ", ".join(self.value(a) for a in arg)
            if isinstance(arg, list):
                return f"[{inner}]"
            return f"({inner},)" if len(arg) == 1 else f"({inner})"
        if isinstance(arg, dict):
            return "{" + ", ".join(f"{k!r}: {self.value(v)}" for k, v in arg.items()) + "}"
        if isinstance(arg, slice):
            return f"slice({self.value(arg.start)}, {self.value(arg.stop)}, {self.value(arg.step)})"
        if isinstance(arg, torch.device):  # plans run where the weights are: on the CPU
            return "'cpu'"
        return _literal(arg)

    def _operand(self, arg: Any) -> str:
        text = self.value(arg)
        return f"({text})" if text.startswith("-") else text

    def _arguments(self, args: Any, kwargs: Mapping[str, Any]) -> str:
        named = [f"{key}={self.value(arg)}" for key, arg in kwargs.items()]
        return ", ".join([*(self.value(arg) for arg in args), *named])

    def _kept(self, node: fx.Node, *, in_place: bool) -> str:
        """All arguments, the first one copied where it would be written over but must not be."""
        text = self._arguments(node.args, node.kwargs)
        if in_place or not node.args:
            return text
        first = self.value(node.args[0])
        return f"{first}.clone(){text.removeprefix(first)}"

    def _subscript(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(self._subscript(part) for part in index)
        if isinstance(index, slice):
            ends = ("" if end is None else self.value(end) for end in (index.start, index.stop))
            step = "" if index.step is None else f":{self.value(index.step)}"
            return ":".join(ends) + step
        return "..." if index is Ellipsis else self.value(index)

    def _function(self, target: Any) -> str:
        name = qualified_name(target)
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
        write = LAYERS.get(type(layer))
        plain = getattr(layer, "padding_mode", "zeros") == "zeros"
        plain = plain and not getattr(layer, "return_indices", False)
        if write is None or not plain or len(node.args) != 1 or node.kwargs:
            args = self._kept(node, in_place=in_place or not getattr(layer, "inplace", False))
            return f'w["{path}"]({args})'
        text = write(_Layer(path, layer, self.value(node.args[0])))
        if in_place and type(layer) in ACTIVATIONS:
            text = text.removesuffix(")") + ", inplace=True)"
        return text


def _is_deep(nesting: Any) -> bool:
    parts = nesting if isinstance(nesting, (tuple, list)) else ()
    return isinstance(nesting, dict) or not all(isinstance(part, int) for part in parts)


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
