"""The table of ONNX operators, and what a function in it can ask of the node that it imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch

from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.model.onnx.recorder import Recorder

OLDEST_OPSET = 7
NEWEST_OPSET = onnx.defs.onnx_opset_version()
Handler = Callable[..., Any]


@dataclass(frozen=True)
class _Entry:
    since: int
    until: int
    handler: Handler
    asks: bool  # whether its first argument is the `Call`


_TABLE: dict[str, list[_Entry]] = {}


def operator(
    *names: str, since: int = OLDEST_OPSET, until: int = NEWEST_OPSET
) -> Callable[[Handler], Handler]:
    """Enter a function of a `Call` and of the node's inputs, for some opsets.

    Parameters
    ----------
    names
        Of operators of the standard domain.
    since, until : int
        The first and the last opset in which the function is right.
    """

    def enter(handler: Handler) -> Handler:
        for name in names:
            _TABLE.setdefault(name, []).append(_Entry(since, until, handler, asks=True))
        return handler

    return enter


def plain(name: str, handler: Handler, since: int = OLDEST_OPSET) -> None:
    """Enter a function of the node's inputs alone, such as `torch.abs`."""
    _TABLE.setdefault(name, []).append(_Entry(since, NEWEST_OPSET, handler, asks=False))


def find(name: str, opset: int) -> Handler | None:
    """What imports an operator in this opset, as a function of `Call` and inputs."""
    for entry in _TABLE.get(name, ()):
        if entry.since <= opset <= entry.until:
            return entry.handler if entry.asks else _without_call(entry.handler)
    return None


def _without_call(handler: Handler) -> Handler:
    return lambda _, *inputs: handler(*inputs)


def version_of(name: str, opset: int) -> int:
    """The version of an operator in this opset; 0 for one that does not exist in it."""
    try:
        return int(onnx.defs.get_schema(name, opset, "").since_version)
    except onnx.defs.SchemaError:
        return 0


@dataclass
class Call:
    """One ONNX node while it is imported."""

    node: onnx.NodeProto
    opset: int
    recorder: Recorder
    inputs: list[Any]
    run: Callable[..., list[Any]]  # a subgraph of this node, with values for its inputs

    def __str__(self) -> str:
        """Operator, version and node, as errors name them."""
        name = self.node.name or (self.node.output[0] if self.node.output else "unnamed")
        version = version_of(self.node.op_type, self.opset)
        return f"operator {self.node.op_type} version {version} (node {name[:80]!r})"

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute as a Python value; strings are decoded."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                value = onnx.helper.get_attribute_value(attribute)
                if isinstance(value, bytes):
                    return value.decode()
                if isinstance(value, float):  # stored in 32 bits: 1e-05, not 9.999999747378752e-06
                    return float(str(np.float32(value)))
                return list(value) if attribute.type > onnx.AttributeProto.GRAPH else value
        return default

    def given(self, number: int) -> bool:
        """Whether the node has this input."""
        return number < len(self.inputs) and self.inputs[number] is not None

    def known(self, number: int) -> torch.Tensor:
        """An input whose value decides what is to be computed.

        Raises
        ------
        UnsupportedError
            Where it is known only when the model runs; names the model inputs it depends on.
        """
        value = self.inputs[number]
        if self.recorder.is_live(value):
            names = ", ".join(self.recorder.inputs_of(value))
            raise UnsupportedError(
                f"{self} needs its input {number} before the model runs, but that depends on "
                f"the model input {names}; export the model with this value as a constant."
            )
        if value.is_meta:
            raise UnsupportedError(
                f"{self} decides shapes by its input {number}, a weight of "
                f"{value.numel():,} numbers; export the model with a smaller constant."
            )
        return torch.as_tensor(value)

    def numbers(self, number: int, attribute: str = "", default: Any = None) -> Any:
        """A list from an input or, in older opsets, from an attribute."""
        if self.given(number):
            return self.known(number).flatten().tolist()
        return self.attribute(attribute, default) if attribute else default

    def number(self, number: int, attribute: str = "", default: Any = None) -> Any:
        """One number from an input or, in older opsets, from an attribute."""
        if self.given(number):
            return self.known(number).flatten()[0].item()
        return self.attribute(attribute, default) if attribute else default

    def outputs(self) -> int:
        """How many outputs somebody may read."""
        named = [i for i, name in enumerate(self.node.output) if name]
        return named[-1] + 1 if named else 0

    def refuse(self, what: str) -> UnsupportedError:
        """The error for a form of the operator that is not imported."""
        return UnsupportedError(f"{self} {what}; leave it out of the model before exporting.")

    def wrong(self, what: str) -> ModelError:
        """The error for a node that contradicts the operator's definition."""
        return ModelError(f"{self} {what}; the file is damaged or its exporter erred: export anew.")
