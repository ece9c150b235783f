"""A program in its caller's own process: for one worker there is nobody to signal to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

import torch

from ramiel_core.errors import RunError
from ramiel_core.ir import Program, Recipe
from ramiel_core.run import weave


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

    Raises
    ------
    RunError
        Where the program has several workers: they need processes of their own.
    """

    def __init__(self, program: Program, weights: Mapping[str, Any], *, threads: int = 1) -> None:
        if program.workers != 1:
            raise RunError(
                f"{program.model} was planned for {program.workers} workers, and one process runs "
                f"one; run it in a Team."
            )
        torch.set_num_threads(threads)
        self._weights = {
            name: weight.build(threads) if isinstance(weight, Recipe) else weight
            for name, weight in weights.items()
        }
        self._names = tuple(name for name, _ in program.inputs)
        self._buffers = {c.value: c.outputs for c in program.channels if not c.is_tuple}
        self._cluster, self._result = weave.plain(program)
        code = self._result.__code__
        self._wanted = code.co_varnames[: code.co_argcount]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, *inputs: torch.Tensor) -> Any:
        """What the model returns for `inputs`, in memory of its own."""
        values: dict[str, Any] = dict(zip(self._names, inputs, strict=True))
        given = values.__getitem__
        with torch.inference_mode():
            self._cluster(self._weights, given, values.__setitem__, self._fresh)
        values["w"] = self._weights
        return self._result(*map(given, self._wanted))

    def time_ms(self, *inputs: torch.Tensor) -> float:
        """One inference; its time."""
        start_ns = time.perf_counter_ns()
        self(*inputs)
        return (time.perf_counter_ns() - start_ns) / 1e6

    def _fresh(self, name: str) -> torch.Tensor:
        """Memory for a value that is computed in place: the caller keeps it, so never the same."""
        spec = self._buffers[name][0]
        if spec is None:
            raise RunError(f"{name!r} has no buffer; this is a defect of Ramiel, please report it.")
        dtype: torch.dtype = getattr(torch, spec.dtype)
        return torch.empty_strided(spec.shape, spec.stride, dtype=dtype)
