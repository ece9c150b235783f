"""Run an emitted program in threads of this process: quick, and forks nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ramiel_core.ir import Program
from ramiel_core.run.channels import Memory
from ramiel_core.run.shared import buffers_of

WAIT_S = 120.0


def run_in_threads(program: Program, weights: Mapping[str, Any], inputs: tuple[torch.Tensor, ...]):
    """What the program returns; a value is copied when it is sent, as channels do."""
    given = {name: t.clone() for (name, _), t in zip(program.inputs, inputs, strict=True)}
    sent: dict[str, Any] = {}
    buffers = buffers_of(program, Memory([program.layout.bytes]))
    there = {channel.value: threading.Event() for channel in program.channels}
    errors: list[BaseException] = []
    count = torch.get_num_threads()
    scope: dict[str, Any] = {}
    exec(compile(program.source, program.model, "exec"), scope)

    def receive(name: str) -> Any:
        if name in given:
            return given[name]
        assert there[name].wait(WAIT_S), f"{name} never came"
        return sent[name]

    def send(name: str, value: Any) -> None:
        channel = next(c for c in program.channels if c.value == name)
        copies = pytree.tree_map_only(torch.Tensor, torch.clone, value)
        sent[name] = tuple(copies) if channel.is_tuple else copies
        there[name].set()

    def shared(name: str) -> torch.Tensor:
        return buffers[name][0]

    def work(worker: int) -> None:
        torch.set_num_threads(count)  # a new thread has as many as there are cores
        try:
            with torch.inference_mode():
                scope[f"cluster_{worker}"](weights, receive, send, shared)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever started the thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(w,)) for w in range(program.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    result = scope["result"]
    names = result.__code__.co_varnames[: result.__code__.co_argcount]
    return result(**{name: {**given, "w": weights, **sent}[name] for name in names})
