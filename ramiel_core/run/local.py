"""A program in its caller's own process: for one worker there is nobody to signal to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self

import torch

from ramiel_core.errors import RunError
from ramiel_core.ir import FRESH, Fresh, Program, Recipe, Signature
from ramiel_core.run import huge_pages, weave
from ramiel_core.run.shared import expected, refuse_others
from ramiel_core.run.worker import prepared


class Local:
    """Runs a program of one worker here: no fork, no signals, inputs read where they lie.

    Parameters
    ----------
    program : Program
        Of one worker.
    weights : mapping
        What it finds in `w`.
    threads : int
        Inside each operator. For torch's own operators this is a setting of the whole process.
    signature : Signature, optional
        How it is called; where there is none, with its tensors one by one.

    Raises
    ------
    RunError
        Where the program has several workers: they need processes of their own.
    """

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, Any],
        *,
        threads: int = 1,
        signature: Signature | None = None,
    ) -> None:
        if program.workers != 1:
            raise RunError(
                f"{program.model} was planned for {program.workers} workers, and one process runs "
                f"one; run it in a Team."
            )
        threads = program.threads_of(0, threads)
        self._weights = prepared(program, weights, 0, threads)
        torch.set_num_threads(threads)
        huge_pages.ask_here()
        self._signature = signature
        self._inputs = expected(program.inputs)
        self._buffers = {c.value: c.outputs for c in program.channels if not c.is_tuple}
        self._whole = weave.in_one(program)
        self._by_torch = not weave.calls_only_weights(program) or any(
            not isinstance(weight, Recipe) or weight.by_torch for weight in weights.values()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the model returns, in memory of its own.

        Raises
        ------
        RunError
            Where the arguments have another structure than those of the example, or other shapes
            or types: these are fixed.
        """
        return self.infer(args if self._signature is None else _flat(self._signature, args, kwargs))

    def infer(self, inputs: Sequence[torch.Tensor]) -> Any:
        """The same of tensors as the program takes them, one by one.

        Raises
        ------
        RunError
            For other shapes or types than were planned with.
        """
        refuse_others(self._inputs, inputs)
        # Entering it costs 0.05 ms after an inference, and only torch looks at it.
        with torch.inference_mode() if self._by_torch else nullcontext():
            return self._whole(self._weights, self._fresh, *inputs)

    def time_ms(self, *args: Any, **kwargs: Any) -> float:
        """One inference; its time."""
        start_ns = time.perf_counter_ns()
        self(*args, **kwargs)
        return (time.perf_counter_ns() - start_ns) / 1e6

    def _fresh(self, name: str) -> torch.Tensor | Fresh:
        """Memory for a value that is computed in place: the caller keeps it, so never the same."""
        if not self._by_torch:
            return FRESH
        spec = self._buffers[name][0]
        if spec is None:
            raise RunError(f"{name!r} has no buffer; this is a defect of Ramiel, please report it.")
        dtype: torch.dtype = getattr(torch, spec.dtype)
        return torch.empty_strided(spec.shape, spec.stride, dtype=dtype)


def _flat(called: Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors among arguments, as the program takes them."""
    try:
        leaves = called.structure.flatten_up_to((args, kwargs))
    except ValueError as cause:
        raise RunError(
            f"these arguments have another structure than the example inputs ({cause}); pass them "
            f"in the same way."
        ) from cause
    fixed = dict(called.fixed)
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, torch.Tensor) == (place in fixed) or (
            place in fixed and leaf != fixed[place]
        ):
            wanted = repr(fixed[place]) if place in fixed else "a tensor"
            raise RunError(
                f"argument {place + 1} is {type(leaf).__name__} where {wanted} was planned with; "
                f"load the model again with such example inputs."
            )
    return [leaf for place, leaf in enumerate(leaves) if place not in fixed]
