"""nn.Module -> TracedModel: torch.fx where it can, torch.export where it cannot."""

from __future__ import annotations

import dataclasses
import inspect
import io
import logging
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError, first_line
from ramiel_core.ir import Inputs, Signature, TracedModel


def trace(module: nn.Module, inputs: Inputs | torch.Tensor, name: str) -> TracedModel:
    """Flatten a model into a list of operator calls, without running it.

    Parameters
    ----------
    module : nn.Module
        In eval mode. Nothing of it is copied: the traced model shares its weights.
    inputs : Inputs
        Example inputs, on the device of the weights; their shapes become fixed, and so does
        whatever in them is no tensor.
    name : str
        What reports call it.

    Returns
    -------
    TracedModel
        Takes the tensors in `inputs` one by one, in their order. Named tuples and data classes
        among its results become tuples and dictionaries: no code of the model's own is needed.

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
    arguments = _Arguments.of(module, inputs, name)
    try:
        return arguments.traced(name, _by_fx(module, arguments), "torch.fx")
    except Exception as cause:  # noqa: BLE001 - whatever the model's own code raises
        by_fx = cause
    try:
        return arguments.traced(name, _by_export(module, arguments), "torch.export")
    except Exception as by_export:
        raise ModelError(
            f"{name} cannot be traced: torch.fx stopped at {_where(by_fx)}; torch.export stopped "
            f"at {_where(by_export)}. Data-dependent branches are the usual cause: decide them "
            f"before the model, or trace the part of it that has none."
        ) from by_export


@dataclass(frozen=True)
class _Arguments:
    """What a model is called with, and the same flat."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    names: tuple[str, ...]  # of the leaves, by the parameters that they belong to
    leaves: tuple[Any, ...]
    structure: pytree.TreeSpec

    @classmethod
    def of(cls, module: nn.Module, inputs: Inputs | torch.Tensor, name: str) -> _Arguments:
        kwargs = inputs if isinstance(inputs, dict) else {}
        args = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
        args = () if isinstance(inputs, dict) else args
        try:
            signature = inspect.signature(module.forward)
            signature.bind(*args, **kwargs)
        except TypeError as cause:
            raise ModelError(
                f"{name} cannot be called with its example inputs: {cause}. Give a tuple of "
                f"positional arguments, or a dictionary of keyword arguments."
            ) from cause
        by_parameter = {**signature.bind_partial(*args).arguments, **kwargs}
        named = [_name(path) for path, _ in pytree.tree_leaves_with_path(by_parameter)]
        leaves, structure = pytree.tree_flatten((args, kwargs))
        return cls(args, kwargs, tuple(named), tuple(leaves), structure)

    def traced(self, name: str, module: fx.GraphModule, tracer: str) -> TracedModel:
        fixed = [(i, v) for i, v in enumerate(self.leaves) if not isinstance(v, torch.Tensor)]
        tensors = tuple(leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor))
        signature = Signature(self.structure, tuple(fixed))
        return TracedModel(name, module, tensors, tracer=tracer, signature=signature)


def _name(path: tuple[Any, ...]) -> str:
    """Of a leaf: `x` of an argument, `x_0` of the first part of one."""
    return re.sub(r"\W+", "_", pytree.keystr(path)).strip("_")


class _Tracer(fx.Tracer):
    """Puts a placeholder in the place of each tensor of the arguments; the rest stays as it is."""

    def __init__(self, arguments: _Arguments) -> None:
        super().__init__()
        self._arguments = arguments

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,  # noqa: FBT001 - torch's own signature
        concrete_args: Any = None,
    ) -> tuple[Any, list[Any]]:
        del is_module, concrete_args
        given = self._arguments
        leaves = [
            self.create_proxy("placeholder", name, (), {})
            if isinstance(leaf, torch.Tensor)
            else leaf
            for name, leaf in zip(given.names, given.leaves, strict=True)
        ]
        args, kwargs = pytree.tree_unflatten(leaves, given.structure)

        def called(root: nn.Module) -> Any:
            return _plain(root_fn(root, *args, **kwargs))

        return called, [self.root]


def _by_fx(module: nn.Module, arguments: _Arguments) -> fx.GraphModule:
    tracer = _Tracer(arguments)
    graph = tracer.trace(module)
    return fx.GraphModule(tracer.root, graph, type(module).__name__)


def _by_export(module: nn.Module, arguments: _Arguments) -> fx.GraphModule:
    functional, returned = exported(module, arguments.args, arguments.kwargs)
    graph = functional.graph
    output = graph.output_node()
    flat: Any = output.args[0]
    output.args = (_plain(pytree.tree_unflatten(flat, returned)),)
    given = graph.find_nodes(op="placeholder")
    for node, leaf in zip(given, arguments.leaves, strict=True):
        if not isinstance(leaf, torch.Tensor):
            graph.erase_node(node)
    graph.set_codegen(fx.graph.CodeGen())  # of a function that takes its arguments one by one
    return fx.GraphModule(functional, graph)


def _plain(value: Any) -> Any:
    """The same of tuples, lists and dictionaries only."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Mapping)):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def exported(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[fx.GraphModule, pytree.TreeSpec]:
    """What torch.export makes of a module: torch's own operators, none of which writes in place.

    Its results are flat; how they are nested is told beside it. Raises whatever the export or the
    module's own code does.
    """
    with torch.no_grad(), _quiet():
        found = torch.export.export(module, args, dict(kwargs))
        # Decomposing nothing still rewrites writes in place into values of their own.
        functional: fx.GraphModule = found.run_decompositions({}).module(check_guards=False)
    return functional, found.call_spec.out_spec


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch logs and prints of a failed export to itself; the error says what matters.

    And no thread of tqdm's, which torch's passes start where it is installed: a launcher traces
    and forks afterwards, which a process with two threads must not.
    """
    log, bar = logging.getLogger("torch"), torch.hub.tqdm
    level, interval = log.level, getattr(bar, "monitor_interval", 0)
    log.setLevel(logging.CRITICAL)
    bar.monitor_interval = 0
    try:
        with redirect_stderr(io.StringIO()):  # it prints the graph as far as it went
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
    said = first_line(error)
    if not frames:
        return f"its own checks ({said})"
    last = frames[-1]
    return f"{Path(last.filename).name}:{last.lineno} `{last.line}` ({said})"
