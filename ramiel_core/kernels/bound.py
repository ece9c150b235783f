"""What the kernel libraries share: torch's memory, which they read and write where it lies."""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import torch

from ramiel_core.errors import RamielError
from ramiel_core.ir import FRESH, Fresh, TensorSpec

UNBOUND = -1  # no address; that of an empty tensor is 0
Buffer = torch.Tensor | Fresh | None
Out = Buffer | tuple[Buffer, ...]


class BoundSession:
    """A session of a kernel library that reads and writes torch tensors in place.

    Called with tensors of fixed shapes in any layout, it returns a tensor, or a tuple where there
    are several outputs. They lie in `out` (contiguous) where that is given, else in memory of the
    session's own, which its next call writes over. With `FRESH` for one of them, all of them lie in
    memory that is the caller's from then on.

    Most calls find every tensor where the last call found it, since inputs and channels do not
    move: then nothing is bound anew, and a call costs what the library itself costs. After an
    inference the processor's caches hold none of torch's code any more: allocating by torch and
    binding takes 0.1 to 0.2 ms then, of the 2 to 4 ms of a MobileNet.
    """

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self._copies = [_contiguous(spec) for spec in inputs]
        self._own = tuple(_contiguous(spec) for spec in outputs)
        self._writes_own = False  # whether the last call did
        self._read = [UNBOUND] * len(self._copies)  # addresses that are bound now
        self._written = [UNBOUND] * len(self._own)
        self._single = len(self._own) == 1
        self._nothing = (None,) * len(self._own)

    def __call__(self, *tensors: torch.Tensor, out: Out = None) -> Any:
        """Run once."""
        if out is FRESH or (isinstance(out, tuple) and any(o is FRESH for o in out)):
            made = tuple(map(torch.from_numpy, self._run_afresh(tensors)))
            return made[0] if self._single else made
        self._attach_all(tensors)
        written, self._writes_own = self._written, False
        if self._single:
            wanted = out if isinstance(out, torch.Tensor) else self._own[0]
            if wanted.data_ptr() == written[0]:
                self._run()
                return wanted
            return self._run_into((wanted,))[0]
        asked = out if isinstance(out, tuple) else self._nothing
        return self._run_into(
            tuple(
                o if isinstance(o, torch.Tensor) else own
                for o, own in zip(asked, self._own, strict=True)
            )
        )

    def _attach_all(self, tensors: Sequence[torch.Tensor]) -> None:
        read = self._read
        for k, tensor in enumerate(tensors):
            address = tensor.data_ptr()
            if address != read[k] or not tensor.is_contiguous():
                self._attach(k, tensor)

    def _attach(self, k: int, tensor: torch.Tensor) -> None:
        if not tensor.is_contiguous():
            tensor = self._copies[k].copy_(tensor)
        if tensor.data_ptr() != self._read[k]:
            self._bind_input(k, tensor)
            self._read[k] = tensor.data_ptr()

    def _run_into(self, wanted: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        for k, tensor in enumerate(wanted):
            if tensor.data_ptr() != self._written[k]:
                self._bind_output(k, tensor)
                self._written[k] = tensor.data_ptr()
        self._run()
        return wanted

    @cached_property
    def _arrays(self) -> tuple[Any, ...]:
        """The session's own memory as numpy knows it, which copies sooner than torch."""
        return tuple(own.numpy() for own in self._own)

    def _run_afresh(self, tensors: Sequence[torch.Tensor]) -> Iterable[Any]:
        """Compute numpy arrays that nobody else holds."""
        self._attach_all(tensors)
        if self._writes_own:
            self._run()
        else:
            self._run_into(self._own)
            self._writes_own = True
        return [array.copy() for array in self._arrays]

    @abstractmethod
    def _bind_input(self, k: int, tensor: torch.Tensor) -> None:
        """Let input `k` be read from this contiguous tensor from now on."""

    @abstractmethod
    def _bind_output(self, k: int, tensor: torch.Tensor) -> None:
        """Let output `k` be written into this contiguous tensor from now on."""

    @abstractmethod
    def _run(self) -> None:
        """Compute, from what is bound into what is bound."""


def refuse_other_types(library: str, made: Iterable[str], outputs: Sequence[TensorSpec]) -> None:
    """Refuse a session that returns other types than the segment does: sums of bool, for example.

    Raises
    ------
    RamielError
        Names both.
    """
    for found, spec in zip(made, outputs, strict=True):
        if found != spec.dtype:
            raise RamielError(
                f"{library} would return {found} where this model returns {spec.dtype}; use "
                f"--kernels fused or eager."
            )


def give_back_memory() -> None:
    """Return what was freed to the kernel: a session is built from copies of all its weights.

    A launcher's settings keep freed pages, which is right between two inferences.
    """
    with suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def _contiguous(spec: TensorSpec) -> torch.Tensor:
    return torch.empty(spec.shape, dtype=getattr(torch, spec.dtype))
