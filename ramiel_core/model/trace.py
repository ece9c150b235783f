"""nn.Module -> TracedModel: torch.fx where it can, torch.export where it cannot."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch
from torch import fx, nn

from ramiel_core.errors import ModelError, first_line, keeps_state
from ramiel_core.ir import Inputs, TracedModel
from ramiel_core.model.arguments import Arguments
from ramiel_core.model.comparison import Comparison
from ramiel_core.model.from_export import by_export
from ramiel_core.model.from_fx import by_fx
from ramiel_core.model.norms import join_norms
from ramiel_core.model.side_effects import LeakError, StateError

UNWRITABLE = frozenset('"\\')  # in a path of a weight, as a program names it
TORCH, HERE = Path(torch.__file__).parent, Path(__file__).parent  # no code of a model's own


def trace(
    module: nn.Module, inputs: Inputs | torch.Tensor, name: str, *, compared: bool = False
) -> TracedModel:
    """Flatten a model into a list of operator calls.

    Parameters
    ----------
    module : nn.Module
        In eval mode. Nothing of it is copied: the traced model shares its weights.
    inputs : Inputs
        Example inputs, on the device of the weights; their shapes become fixed, and so does
        whatever in them is no tensor.
    name : str
        What reports call it.
    compared : bool
        Whether the model runs twice and its trace once, so that a model which keeps something, and
        a trace which computes something else, are refused. For models that nobody knows: code that
        asks whether `x` is a tensor goes another way while torch.fx traces it, and nothing says
        so. On `meta` there is nothing to compare.

    Returns
    -------
    TracedModel
        Takes the tensors in `inputs` one by one, in their order. Named tuples and data classes
        among its results become tuples and dictionaries: no code of the model's own is needed.

    Raises
    ------
    ModelError
        Where neither tracer manages; names the line that stopped each, and what to try. Also for a
        model in training mode, in whole or in part, or one that writes over its own buffers.
    """
    module = getattr(module, "_orig_mod", module)  # of what torch.compile returned
    _refuse_kind(module, name)
    _refuse_training(module, name)
    arguments = Arguments.of(module, inputs, name)
    try:
        check = Comparison(module, arguments) if compared else None
        return _traced(module, arguments, name, check)
    except StateError as cause:
        raise keeps_state(name, cause.args[0]) from cause


def _traced(
    module: nn.Module, arguments: Arguments, name: str, check: Comparison | None
) -> TracedModel:
    """By the first tracer that manages."""
    stopped: list[Exception] = []
    for tracer, by in (("torch.fx", by_fx), ("torch.export", by_export)):
        try:
            flat = by(module, arguments)
            join_norms(flat.graph)
            flat.recompile()
            traced = arguments.traced(name, flat, tracer)
            _refuse_branches(traced.module.graph)
            if check is not None:
                check.refuse_another(traced)
        except StateError:
            raise
        except Exception as cause:  # noqa: BLE001 - whatever the model's own code raises
            stopped.append(cause)
        else:
            return traced
    first, second = map(_where, stopped)
    raise ModelError(
        f"{name} cannot be traced: torch.fx stopped at {first}; torch.export stopped at "
        f"{second}. Data-dependent branches are the usual cause: decide them before the model, "
        f"or trace the part of it that has none."
    ) from stopped[-1]


def _refuse_kind(module: nn.Module, name: str) -> None:
    """Refuse what no tracer takes, and names that cannot stand in a program: w["path"]."""
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            f"{name} is TorchScript already; give the nn.Module that it was made of, or save it by "
            f"torch.jit.save and open the file with --trust."
        )
    named = (module.named_modules(), module.named_parameters(), module.named_buffers())
    for path in (path for part in named for path, _ in part):
        if UNWRITABLE.intersection(path) or not path.isprintable():
            raise ModelError(
                f"{name} has a layer or weight called {path[:80]!r}; leave quotes, backslashes and "
                f"line breaks out of its name."
            )


def _refuse_branches(graph: fx.Graph) -> None:
    for node in graph.nodes:
        if isinstance(node.target, torch._ops.HigherOrderOperator):  # noqa: SLF001 - no public name
            raise LeakError(f"it calls {node.target}, of which the numbers decide what runs")


def _refuse_training(module: nn.Module, name: str) -> None:
    if isinstance(module, fx.GraphModule):  # of torch.export: its mode is fixed, and told wrongly
        return
    training = [path for path, part in module.named_modules() if part.training]
    if training:
        part = f"{name}'s part {training[0]!r}" if training[0] else name
        raise ModelError(
            f"{part} is in training mode, where dropout and batch norm differ from inference. "
            f"Call .eval() on it first."
        )


def _where(error: BaseException) -> str:
    """File, line and code of the last frame of the model's own, and what was said there."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(Path(f.filename))]
    said = first_line(error)
    if not frames:
        return f"its own checks ({said})"
    last = frames[-1]
    return f"{Path(last.filename).name}:{last.lineno} `{last.line}` ({said})"


def _is_own(file: Path) -> bool:
    return TORCH not in file.parents and file.parent != HERE
