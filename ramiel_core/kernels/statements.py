"""Segment -> `nn.Module`, which the kernel libraries that trace models take."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe, paths_of_weights
from ramiel_core.kernels.bound import Out, give_back_memory
from ramiel_core.kernels.segment import Segment

COMPILING = threading.Lock()  # a library's settings are those of the whole process


class Statements(nn.Module):
    """A segment as a module, for libraries that trace one: runs its operators as they are emitted.

    Parameters
    ----------
    segment : Segment
    weights : mapping
        What its calls find in `w`; those that they name become the module's own.
    """

    def __init__(self, segment: Segment, weights: Mapping[str, Any]) -> None:
        super().__init__()
        calls = "\n".join(node.call for node in segment.nodes)
        self._held: dict[str, str] = {}
        for number, name in enumerate(paths_of_weights(calls)):
            self._held[name] = f"w{number}"
            self._hold(f"w{number}", weights[name])
        names = [name for name, _ in segment.inputs]
        lines = [
            "import torch",
            "import torch.nn.functional as F",
            *segment.imports,
            f"def run(w, {', '.join(names)}):",
            *(f"    {value} = {parts}" for value, parts in segment.tuples),
            *(f"    {node.name} = {node.call}" for node in segment.nodes),
            f"    return ({', '.join(expression for expression, _ in segment.outputs)},)",
        ]
        scope: dict[str, Any] = {}
        exec(compile("\n".join(lines), f"<{segment.name}>", "exec"), scope)  # noqa: S102 - emitted text
        self._run = scope["run"]

    def _hold(self, attribute: str, value: Any) -> None:
        if isinstance(value, nn.Module):
            self.add_module(attribute, value)
        elif isinstance(value, torch.Tensor):
            self.register_buffer(attribute, value.detach())
        else:
            setattr(self, attribute, value)

    def forward(self, *args: torch.Tensor) -> Any:
        """The segment's outputs, always a tuple."""
        return self._run({n: getattr(self, held) for n, held in self._held.items()}, *args)


def examples_of(segment: Segment) -> tuple[torch.Tensor, ...]:
    """A contiguous tensor for each input.

    Zeros: valid as indices, and what is traced does not depend on values.
    """
    return tuple(
        torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for _, spec in segment.inputs
    )


@dataclass(frozen=True)
class Function:
    """What a library made of `Statements`, called as `kernels.bound.BoundSession` is."""

    run: Callable[..., Any]
    single: bool

    def __call__(self, *tensors: torch.Tensor, out: Out = None) -> Any:
        """Run once."""
        made = self.run(*(tensor.contiguous() for tensor in tensors))  # as it was compiled for
        if self.single:
            return out.copy_(made[0]) if isinstance(out, torch.Tensor) else made[0]
        if not isinstance(out, tuple):
            return made
        placed = zip(out, made, strict=True)
        return tuple(o.copy_(m) if isinstance(o, torch.Tensor) else m for o, m in placed)


@dataclass(frozen=True)
class Compiled(Recipe):
    """`Statements` that a library compiles in the worker which runs them."""

    segment: Segment
    module: nn.Module

    @classmethod
    def of(cls, segment: Segment, weights: Mapping[str, Any]) -> Compiled:
        """What becomes of a segment whose calls find `weights` in `w`."""
        return cls(segment, Statements(segment, weights).eval())

    @abstractmethod
    def compiled(self, examples: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
        """The module as the library makes it, after it has run on `examples`."""

    @abstractmethod
    def refusal(self, said: str) -> str:
        """A sentence that says what to do where the library refuses and has `said` why."""

    def build(self, threads: int) -> Any:  # noqa: ARG002 - torch's own setting decides
        """The function, compiled for the threads that are set now.

        Raises
        ------
        RamielError
            Where the library cannot compile the segment.
        """
        try:
            with COMPILING, torch.no_grad():
                function = self.compiled(examples_of(self.segment))
        except RamielError:
            raise
        except Exception as cause:
            raise RamielError(self.refusal(str(cause).strip())) from cause
        give_back_memory()
        return Function(function, single=len(self.segment.outputs) == 1)
