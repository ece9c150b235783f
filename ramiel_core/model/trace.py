"""nn.Module -> TracedModel: torch.fx where it can, torch.export where it cannot."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from ramiel_core.errors import ModelError
from ramiel_core.ir import TracedModel


def trace(module: nn.Module, inputs: tuple[torch.Tensor, ...], name: str) -> TracedModel:
    """Flatten a model into a list of operator calls, without running it.

    Parameters
    ----------
    module : nn.Module
        In eval mode. Nothing of it is copied: the traced model shares its weights.
    inputs : tuple of torch.Tensor
        Example inputs, on the device of the weights; their shapes become fixed.
    name : str
        What reports call it.

    Raises
    ------
    ModelError
        Where neither tracer manages; names the line that stopped each, and what to try.
    """
    if module.training:
        raise ModelError(
            f"{name} is in training mode, where dropout and batch norm differ from inference. "
            f"Call .eval() on it first."
        )
    try:
        return TracedModel(name, fx.symbolic_trace(module), inputs)
    except Exception as cause:  # noqa: BLE001 - whatever the model's own code raises
        by_fx = cause
    try:
        return TracedModel(name, exported(module, inputs), inputs, tracer="torch.export")
    except Exception as by_export:
        raise ModelError(
            f"{name} cannot be traced: torch.fx stopped at {_where(by_fx)}; torch.export stopped "
            f"at {_where(by_export)}. Data-dependent branches are the usual cause: decide them "
            f"before the model, or trace the part of it that has none."
        ) from by_export


def exported(
    module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any] | None = None
) -> fx.GraphModule:
    """What torch.export makes of a module: torch's own operators, none of which writes in place.

    Raises whatever the export or the module's own code does.
    """
    with torch.no_grad(), _quiet():
        found = torch.export.export(module, inputs, dict(named or {}))
        # Decomposing nothing still rewrites writes in place into values of their own.
        functional: fx.GraphModule = found.run_decompositions({}).module(check_guards=False)
    return functional


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's logs of a failed export to itself; the error says what matters of them.

    And no thread of tqdm's, which torch's passes start where it is installed: a launcher traces
    and forks afterwards, which a process with two threads must not.
    """
    log, bar = logging.getLogger("torch"), torch.hub.tqdm
    level, interval = log.level, getattr(bar, "monitor_interval", 0)
    log.setLevel(logging.CRITICAL)
    bar.monitor_interval = 0
    try:
        yield
    finally:
        log.setLevel(level)
        bar.monitor_interval = interval


def _where(error: BaseException) -> str:
    """File, line and code of the last frame outside torch, and what was said there."""
    own = Path(torch.__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if own not in Path(frame.filename).parents and Path(frame.filename) != Path(__file__)
    ]
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if not frames:
        return f"its own checks ({said})"
    last = frames[-1]
    return f"{Path(last.filename).name}:{last.lineno} `{last.line}` ({said})"
