"""What the caller and the workers of one program share, laid out before the fork."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ramiel_core.errors import RunError
from ramiel_core.ir import CALLER, Program, TensorSpec
from ramiel_core.run.channels import Memory, Port, Signal, semaphore
from ramiel_core.run.weave import Statement

RUN, TRACE, STOP = 0, 1, 2  # modes: what a worker does at its next start signal
IDLE = -1  # where a worker is that runs no statement


@dataclass(frozen=True)
class Shared:
    """Control block, inputs, channels and signals."""

    number: memoryview  # one integer: of the inference that runs now
    mode: memoryview  # one integer: RUN, TRACE or STOP
    at: tuple[memoryview, ...]  # per worker one integer: its statement, or IDLE
    stamps: tuple[memoryview, ...]  # per worker, ns: the start, then the end of each statement
    inputs: Mapping[str, torch.Tensor]
    ports: Mapping[str, Port]
    starts: tuple[Any, ...]  # per worker one semaphore
    done: tuple[Any, ...]  # per worker one: released when it is ready to start, and at every end

    @classmethod
    def lay_out(
        cls,
        program: Program,
        inputs: Sequence[torch.Tensor],
        statements: Sequence[Sequence[Statement]],
        new_signal: Callable[[], Signal],
        port: type[Port] = Port,
    ) -> Shared:
        """Take one mapping for everything, touch it, and copy the inputs in."""
        specs = [TensorSpec.of(tensor) for tensor in inputs]
        stamps = [len(found) + 1 for found in statements]
        counts = [2 + program.workers, *stamps, 1 + len(program.channels)]
        values_bytes = program.layout.bytes
        memory = Memory([*(8 * count for count in counts), *(s.bytes for s in specs), values_bytes])
        control = memory.integers(counts[0])
        shared = cls(
            number=control[0:1],
            mode=control[1:2],
            at=tuple(control[2 + w : 3 + w] for w in range(program.workers)),
            stamps=tuple(memory.integers(count) for count in stamps),
            inputs={
                name: memory.tensor(spec, memory.take(spec.bytes))
                for (name, _), spec in zip(program.inputs, specs, strict=True)
            },
            ports=_open_ports(program, memory, new_signal, port),
            starts=tuple(semaphore() for _ in range(program.workers)),
            done=tuple(semaphore() for _ in range(program.workers)),
        )
        for at in shared.at:
            at[0] = IDLE
        shared.set_inputs(inputs)
        return shared

    @cached_property
    def _planned(self) -> tuple[Expected, ...]:
        return expected((name, TensorSpec.of(tensor)) for name, tensor in self.inputs.items())

    def set_inputs(self, inputs: Sequence[torch.Tensor]) -> None:
        """Replace the inputs of the inferences from now on; same shapes and types.

        Raises
        ------
        RunError
            For others, which would be converted without a word.
        """
        refuse_others(self._planned, inputs)
        for shared, given in zip(self.inputs.values(), inputs, strict=True):
            shared.copy_(given)


Expected = tuple[str, TensorSpec, torch.dtype]
STRIDED = torch.strided


def expected(inputs: Iterable[tuple[str, TensorSpec]]) -> tuple[Expected, ...]:
    """What `refuse_others` compares with: after an inference even to look up a type takes µs."""
    return tuple((name, spec, getattr(torch, spec.dtype)) for name, spec in inputs)


def refuse_others(planned: Sequence[Expected], given: Sequence[torch.Tensor]) -> None:
    """Refuse inputs of other shapes or types than were planned with, or not as many.

    Raises
    ------
    RunError
        Names the first of them.
    """
    if len(planned) != len(given):
        raise RunError(
            f"{len(given)} tensors are given where {len(planned)} were planned with; give one for "
            f"each of {', '.join(name for name, *_ in planned)}."
        )
    for (name, spec, dtype), tensor in zip(planned, given, strict=True):
        same = tensor.shape == spec.shape and tensor.dtype is dtype
        if not same or tensor.layout is not STRIDED:  # without the 4 µs of a TensorSpec
            raise RunError(
                f"the input {name!r} is {TensorSpec.of(tensor)} where {spec} was planned with, and "
                f"shapes and types are fixed by then; plan the model again with such example "
                f"inputs."
            )


def _open_ports(
    program: Program, memory: Memory, new_signal: Callable[[], Signal], port: type[Port]
) -> dict[str, Port]:
    """Lay out every channel; the caller needs no signal, it waits for whole inferences."""
    numbers = memory.integers(1 + len(program.channels))
    buffers = buffers_of(program, memory)
    return {
        channel.value: port(
            channel,
            buffers[channel.value],
            {r: new_signal() for r in channel.receivers if r != CALLER},
            numbers[i : i + 1],
        )
        for i, channel in enumerate(program.channels)
    }


def buffers_of(program: Program, memory: Memory) -> dict[str, tuple[torch.Tensor | None, ...]]:
    """Every channel's tensors by its value, in one piece of memory, as they are laid out."""
    first = memory.take(program.layout.bytes)
    return {
        channel.value: tuple(
            memory.tensor(spec, first + start) if spec else None
            for spec, start in zip(
                channel.outputs, program.layout.first_bytes[channel.value], strict=True
            )
        )
        for channel in program.channels
    }
