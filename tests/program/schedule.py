"""Run an emitted program one statement at a time, its workers in any order: forks nothing."""

from __future__ import annotations

import ast
import random
from typing import Any

import torch

from ramiel_core.ir import CALLER, Program
from ramiel_core.run.channels import Memory
from ramiel_core.run.shared import buffers_of


class Schedule:
    """Workers that go on as a seed decides, over the memory that the program lays out.

    Parameters
    ----------
    program : Program
        Without model inputs.
    seed : int
        Decides how many statements which worker runs before another one does.
    hands_over : bool
        Receivers get the sender's tensor, as between threads of one process; else its copy.
    """

    def __init__(self, program: Program, seed: int, *, hands_over: bool) -> None:
        self._random, self._hands_over = random.Random(seed), hands_over
        self._buffers = buffers_of(program, Memory([program.layout.bytes]))
        self._kept = [c.value for c in program.channels if CALLER in c.receivers]
        functions = [f for f in ast.parse(program.source).body if isinstance(f, ast.FunctionDef)]
        self._bodies = [f.body[1:] for f in functions if f.name.startswith("cluster_")]
        self._sent: dict[str, torch.Tensor] = {}

    def inference(self) -> dict[str, list[float]]:
        """Run every worker to its end; what the caller gets."""
        self._sent = {}
        scopes = [self._scope() for _ in self._bodies]
        left = [list(body) for body in self._bodies]
        while any(left):
            ready = [w for w, body in enumerate(left) if body and self._may_run(body[0])]
            worker = self._random.choice(ready)
            for _ in range(self._random.choice((1, 3, 100))):  # some workers rush, some dawdle
                if left[worker] and self._may_run(left[worker][0]):
                    statement = ast.Module([left[worker].pop(0)], [])
                    exec(compile(statement, "program", "exec"), scopes[worker])
        return {name: self._buffers[name][0].tolist() for name in self._kept}

    def _may_run(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Assign(value=ast.Call(func=ast.Name(id="receive"), args=[ast.Constant(name)])):
                return name in self._sent
        return True

    def _scope(self) -> dict[str, Any]:
        def send(name: str, value: torch.Tensor) -> None:
            (buffer,) = self._buffers[name]
            if value is not buffer:
                buffer.copy_(value)
            self._sent[name] = value if self._hands_over else buffer

        return {
            "torch": torch,
            "receive": lambda name: self._sent[name],
            "send": send,
            "shared": lambda name: self._buffers[name][0],
        }
