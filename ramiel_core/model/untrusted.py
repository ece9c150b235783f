"""A torch.export or TorchScript archive -> TracedModel. Loading either can execute what it holds.

So this runs in a process of its own, with limits, after its user has agreed (`run.confine`); what
it finds leaves that process as data alone (`model.portable`).
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.ir import TracedModel
from ramiel_core.model.comparison import is_close
from ramiel_core.model.from_export import exported
from ramiel_core.model.norms import join_norms

SEED = 0
MOST_BYTES = 2**32  # of one input
_INPUT = re.compile(r"(?P<shape>[0-9]+(x[0-9]+)*)(:(?P<dtype>\w+))?")


def example(text: str) -> torch.Tensor:
    """An input of this shape, `1x3x224x224`, or shape and type, `1x64:int64`.

    Raises
    ------
    ModelError
        For anything else, or an input of more than `MOST_BYTES`.

    Examples
    --------
    >>> example("2x3:int64").shape
    torch.Size([2, 3])
    """
    match = _INPUT.fullmatch(text.strip())
    dtype = getattr(torch, match["dtype"] or "float32", None) if match else None
    if match is None or not isinstance(dtype, torch.dtype):
        raise ModelError(
            f"{text[:80]!r} is no shape of an input; write its sizes, and its type where that is "
            f"not float32: 1x3x224x224, or 1x64:int64."
        )
    shape = [int(size) for size in match["shape"].split("x")]
    if math.prod(shape) * dtype.itemsize > MOST_BYTES:
        raise ModelError(f"the input {text[:80]} is larger than 4 GB; give it smaller sizes.")
    generator = torch.Generator().manual_seed(SEED)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(0, 2, shape, generator=generator).to(dtype)


def load(path: Path, kind: str, name: str, shapes: Sequence[str] = ()) -> TracedModel:
    """Load an archive, which can execute code that it holds, and trace it.

    Parameters
    ----------
    path : Path
        Of the archive.
    kind : {"torch.export", "TorchScript"}
        As `model.kinds.kind_of` says it.
    name : str
        What errors and reports call it.
    shapes : sequence of str
        Of its inputs, as `example` reads them; empty for those that it was exported with.

    Raises
    ------
    ModelError
        Where it cannot be loaded or traced, its inputs are not known, or what was traced does not
        compute what the archive does.
    """
    given = tuple(map(example, shapes))
    load_it = _from_export if kind == "torch.export" else _from_torchscript
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that torch.jit is deprecated, to whom it may concern
            module, args, named = load_it(path, name, given)
            flat, _ = exported(_static(module, args, named), args, named)
            expected = module(*args, **named)
    except (ModelError, MemoryError):
        raise
    except Exception as cause:
        if _is_memory(cause):
            raise MemoryError(name) from cause
        said = (str(cause).strip().splitlines() or [""])[0][:300].rstrip(".")
        raise ModelError(
            f"{name} cannot be loaded and traced ({type(cause).__name__}: {said}); give the shapes "
            f"of its inputs, --input 1x3x224x224 for each, or export it again with this torch."
        ) from cause
    traced = _plain(flat, pytree.tree_leaves((args, named)), name)
    _compare(traced, pytree.tree_leaves(expected), name)
    return traced


def _is_memory(error: Exception) -> bool:
    """Whether torch means that there was no memory left; it has no class of its own for that."""
    return any(words in str(error) for words in ("allocate memory", "bad_alloc", "mmap"))


_Loaded = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]


def _from_export(path: Path, name: str, given: tuple[torch.Tensor, ...]) -> _Loaded:
    program = torch.export.load(path)
    module = program.module(check_guards=False)
    if given:
        return module, given, {}
    if program.example_inputs is None:
        raise ModelError(
            f"{name} does not hold its example inputs; give their shapes: --input 1x3x224x224 for "
            f"each."
        )
    args, named = program.example_inputs
    return module, tuple(args), dict(named)


def _from_torchscript(path: Path, name: str, given: tuple[torch.Tensor, ...]) -> _Loaded:
    jit: Any = torch.jit  # its loader has no types
    script = jit.load(path, map_location="cpu").eval()
    if not given:
        asked = [argument.name for argument in script.forward.schema.arguments[1:]]
        raise ModelError(
            f"{name} does not say of what shape its inputs are ({', '.join(asked)}); give them: "
            f"--input 1x3x224x224 for each."
        )
    return script, given, {}


def _static(given: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> nn.Module:
    """A module that torch.export takes: of a script, the operators that ran for these inputs."""
    if not isinstance(given, torch.jit.ScriptModule):
        return given
    seen: fx.GraphModule = make_fx(given, pre_dispatch=True)(*args, **named)
    paths = {t.data_ptr(): path for path, t in given.state_dict().items() if t.numel()}
    weights: dict[str, torch.Tensor] = {}
    for node in seen.graph.nodes:
        if node.op == "get_attr":
            weight = getattr(seen, str(node.target))
            node.target = paths.get(weight.data_ptr(), str(node.target))
            weights[node.target] = weight.detach()
    module = fx.GraphModule(weights, seen.graph)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module.eval()


def _plain(module: fx.GraphModule, values: Sequence[Any], name: str) -> TracedModel:
    """A model of tensors in and tensors out, whatever nested them."""
    graph = module.graph
    inputs = []
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    for node, value in zip(placeholders, values, strict=True):
        if isinstance(value, torch.Tensor):
            inputs.append(value.detach())
        elif node.users:
            raise UnsupportedError(
                f"the input {node.name} of {name} is no tensor but {type(value).__name__}; export "
                f"it with tensors alone."
            )
        else:
            graph.erase_node(node)
    (output,) = (node for node in graph.nodes if node.op == "output")
    returned = [value for value in pytree.tree_leaves(output.args[0]) if value is not None]
    if not returned or not all(isinstance(value, fx.Node) for value in returned):
        raise UnsupportedError(f"{name} does not return tensors alone; export it so that it does.")
    output.args = (returned[0] if len(returned) == 1 else tuple(returned),)
    join_norms(graph)
    graph.set_codegen(fx.graph.CodeGen())  # which neither flattens inputs nor nests outputs
    module.recompile()
    return TracedModel(name, module, tuple(inputs), tracer="torch.export")


def _compare(traced: TracedModel, expected: Sequence[Any], name: str) -> None:
    with torch.no_grad():
        made = pytree.tree_leaves(traced.module(*(t.clone() for t in traced.inputs)))
    theirs = [value for value in expected if isinstance(value, torch.Tensor)]
    for ours, value in zip(made, theirs, strict=True):
        if not is_close(ours, value):
            raise ModelError(
                f"{name} computes something else once it is traced: it draws random numbers, or "
                f"keeps state between calls; export it without either."
            )
