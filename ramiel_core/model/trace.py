"""nn.Module -> TracedModel: torch.fx where it can, torch.export where it cannot."""

from __future__ import annotations

import dataclasses
import inspect
import io
import logging
import operator
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.fx.graph import inplace_methods
from torch.nn.utils.parametrize import is_parametrized
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError, first_line, keeps_state
from ramiel_core.ir import Inputs, Signature, TracedModel

TOLERANCE = 1e-4  # between what a model returns and what its trace does, of the largest number
CONSTANT = "_tensor_constant"  # before the names that torch.fx gives to tensors it was shown
UNWRITABLE = frozenset('"\\')  # in a path of a weight, as a program names it


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
    arguments = _Arguments.of(module, inputs, name)
    try:
        check = _Comparison(module, arguments) if compared else None
        return _traced(module, arguments, name, check)
    except _StateError as cause:
        raise keeps_state(name, cause.args[0]) from cause


def _traced(
    module: nn.Module, arguments: _Arguments, name: str, check: _Comparison | None
) -> TracedModel:
    """By the first tracer that manages."""
    stopped: list[Exception] = []
    for tracer, by in (("torch.fx", _by_fx), ("torch.export", _by_export)):
        try:
            traced = arguments.traced(name, by(module, arguments), tracer)
            _refuse_branches(traced.module.graph)
            if check is not None:
                check.refuse_another(traced)
        except _StateError:
            raise
        except Exception as cause:  # noqa: BLE001 - whatever the model's own code raises
            stopped.append(cause)
        else:
            return traced
    by_fx, by_export = map(_where, stopped)
    raise ModelError(
        f"{name} cannot be traced: torch.fx stopped at {by_fx}; torch.export stopped at "
        f"{by_export}. Data-dependent branches are the usual cause: decide them before the model, "
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
            raise _LeakError(f"it calls {node.target}, of which the numbers decide what runs")


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


class _StateError(Exception):
    """A model writes over its own buffer of this name."""


class _LeakError(Exception):
    """What torch.fx cannot record happened while it traced."""


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
        tensors = tuple(_plain_input(v) for v in self.leaves if isinstance(v, torch.Tensor))
        signature = Signature(self.structure, tuple(fixed))
        return TracedModel(name, module, tensors, tracer=tracer, signature=signature)


def _plain_input(tensor: torch.Tensor) -> torch.Tensor:
    """Without gradient, each item once in memory: into an expanded one nothing can be written."""
    alone = tensor.detach()
    expanded = alone.layout == torch.strided and 0 in alone.stride()
    return alone.contiguous() if expanded else alone


def _name(path: tuple[Any, ...]) -> str:
    """Of a leaf: `x` of an argument, `x_0` of the first part of one."""
    return re.sub(r"\W+", "_", pytree.keystr(path)).strip("_")


class _Tracer(fx.Tracer):
    """Puts a placeholder in the place of each tensor of the arguments; the rest stays as it is."""

    def __init__(self, arguments: _Arguments) -> None:
        super().__init__()
        self._arguments = arguments
        self._autocast = _autocast()

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,  # noqa: FBT001 - torch's own signature
        concrete_args: Any = None,
    ) -> tuple[Any, list[Any]]:
        del root_fn, is_module, concrete_args
        given = self._arguments
        leaves = [
            self.create_proxy("placeholder", name, (), {})
            if isinstance(leaf, torch.Tensor)
            else leaf
            for name, leaf in zip(given.names, given.leaves, strict=True)
        ]
        args, kwargs = pytree.tree_unflatten(leaves, given.structure)

        def called(root: nn.Module) -> Any:
            return _plain(root(*args, **kwargs))  # not its forward alone: it may have hooks

        return called, [self.root]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Layers of torch's whose calls are no more than their type says."""
        hooks = m._forward_hooks or m._forward_pre_hooks  # noqa: SLF001 - they have no public name
        changed = bool(hooks) or "forward" in vars(m) or is_parametrized(m)
        inside = module_qualified_name and not m.__module__.startswith("torch.nn.utils")
        return bool(inside) and not changed and super().is_leaf_module(m, module_qualified_name)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """As torch's, but where an `autocast` is open: no graph of torch.fx says so."""
        if _autocast() != self._autocast:
            raise _LeakError("autocast is switched within the model, which torch.fx does not see")
        return super().create_node(*args, **kwargs)


def _autocast() -> tuple[bool, torch.dtype]:
    return torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")


def _by_fx(module: nn.Module, arguments: _Arguments) -> fx.GraphModule:
    tracer = _Tracer(arguments)
    drawn = torch.get_rng_state()
    with _restored(module), _stateless(module):
        graph = tracer.trace(module)
        made = fx.GraphModule(tracer.root, graph, type(module).__name__)
    if not torch.equal(drawn, torch.get_rng_state()):
        torch.set_rng_state(drawn)
        raise _LeakError("random numbers are drawn, which torch.fx takes for constants")
    if any(node.target in (operator.setitem, "__setitem__") for node in graph.nodes):
        raise _LeakError("it writes into a slice of a tensor")
    _renew_constants(made.graph)
    made.recompile()
    return made


@contextmanager
def _stateless(module: nn.Module) -> Iterator[None]:
    """Raise where a parameter or a buffer is written over meanwhile.

    torch.fx follows parameters only: what is done to a buffer is done while it traces.
    """
    own = [*module.named_parameters(), *module.named_buffers()]
    before = [_version(tensor) for _, tensor in own]
    yield
    for (path, tensor), version in zip(own, before, strict=True):
        if _version(tensor) != version:
            raise _StateError(path)


def _version(tensor: torch.Tensor) -> int:
    """How often it was written over; 0 for one made in inference mode, which does not count."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 - it has no public name


@contextmanager
def _restored(module: nn.Module) -> Iterator[None]:
    """Take back what tracing leaves in attributes: proxies, constants, counters of calls."""
    before = [(part, dict(vars(part))) for part in module.modules()]
    try:
        yield
    finally:
        for part, attributes in before:
            vars(part).clear()
            vars(part).update(attributes)


def _renew_constants(graph: fx.Graph) -> None:
    """Copy each tensor that the model's own code makes anew and then writes over.

    torch.fx keeps `torch.zeros(3)` as a constant of the model, made once.
    """
    for node in graph.nodes:
        made = node.op == "get_attr" and str(node.target).startswith(CONSTANT)
        if made and any(_may_write(user, node) for user in node.users):
            with graph.inserting_after(node):
                copied = graph.call_method("clone", (node,))
            node.replace_all_uses_with(copied, lambda user, kept=copied: user is not kept)


def _may_write(user: fx.Node, value: fx.Node) -> bool:
    """Whether a call writes over what it is called on, by its name: `add_`, `+=`."""
    target = user.target
    text = target if isinstance(target, str) else getattr(target, "__name__", "")
    named = text.endswith("_") and not text.endswith("__")
    named = named and getattr(target, "__module__", "") != "_operator"  # operator.and_
    written = named or text.strip("_") in inplace_methods
    return user.op.startswith("call_") and written and user.args[:1] == (value,)


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


class _Comparison:
    """What a model returns for its example inputs, to compare its traces with.

    It is called twice, since a model that keeps something returns something else the second time.

    Raises
    ------
    _StateError
        Where it does, or writes over a buffer of its own.
    """

    def __init__(self, module: nn.Module, arguments: _Arguments) -> None:
        self._module, self._arguments = module, arguments
        self._drawn = torch.get_rng_state()
        self._expected: list[Any] | None = None
        held = (*arguments.leaves, *module.parameters(), *module.buffers())
        if any(isinstance(tensor, torch.Tensor) and tensor.is_meta for tensor in held):
            return
        again: list[Any] = []
        with _restored(module), _stateless(module), suppress(Exception):
            first, again = self._run(), self._run()
            self._expected = first
        if not all(map(_alike, self._expected or (), again)):
            raise _StateError("attributes")

    def _run(self) -> list[Any]:
        """What the model returns; whatever its own code raises, extraction says it better."""
        args, kwargs = pytree.tree_map_only(
            torch.Tensor, torch.clone, (self._arguments.args, dict(self._arguments.kwargs))
        )
        torch.set_rng_state(self._drawn)
        try:
            with torch.no_grad():
                return pytree.tree_leaves(_plain(self._module(*args, **kwargs)))
        finally:
            torch.set_rng_state(self._drawn)

    def refuse_another(self, traced: TracedModel) -> None:
        """Raise where a trace returns something else."""
        if self._expected is None:
            return
        with torch.no_grad():
            made = traced.module(*(tensor.clone() for tensor in traced.inputs))
        torch.set_rng_state(self._drawn)
        found = pytree.tree_leaves(made)
        if len(found) != len(self._expected) or not all(map(_alike, found, self._expected)):
            raise _LeakError("what it traced does not compute what the model does")


def _alike(found: Any, expected: Any) -> bool:
    if not isinstance(expected, torch.Tensor):
        return type(found) is type(expected) and bool(found == expected)
    same_kind = isinstance(found, torch.Tensor) and found.dtype == expected.dtype
    return same_kind and is_close(found, expected)


def is_close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two tensors are of one shape and equal within `TOLERANCE` of the largest number."""
    if found.shape != expected.shape:
        return False
    wide = torch.complex128 if expected.is_complex() else torch.float64
    a, b = found.to(wide), expected.to(wide)
    finite = b.abs()[b.isfinite()]
    allowed = TOLERANCE * float(finite.max()) if finite.numel() else 0.0
    return torch.allclose(a, b, rtol=0, atol=allowed, equal_nan=True)


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
