"""TracedModel <-> one file of numbers and JSON, which nobody has to trust to read.

What traced a model may have run code that a file held, so its result is handed over as data: the
weights as safetensors, the operators as JSON in that file's header. Reading it back looks every
operator up among torch's own that only compute, so that nothing in the file is ever executed.
"""

from __future__ import annotations

import json
import keyword
import operator
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import fx

from ramiel_core.errors import ModelError, UnsupportedError
from ramiel_core.ir import TracedModel
from ramiel_core.model.numbers import strange

ENDING = ".traced"
FORMAT = "ramiel traced 1"
NAMESPACES = ("aten", "torchvision")  # of torch's operators that are known to compute and no more
GETITEM = "getitem"  # of a tuple: the one call of Python's own
READS_FILES = frozenset({"aten.from_file.default"})
INPUT, WEIGHT = "input:", "weight:"  # before the names of tensors
_PATH = re.compile(r"\w+(\.\w+)*", re.ASCII)
_CONSTANTS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "memory_format": torch.memory_format,
}


def save(model: TracedModel, path: Path) -> None:
    """Write a model that consists of torch's own operators, as torch.export leaves it.

    Raises
    ------
    UnsupportedError
        For an operator that is not torch's own, or writes over its inputs; names it.
    """
    tensors: dict[str, torch.Tensor] = {}
    nodes = []
    for node in model.module.graph.nodes:
        if node.op == "get_attr":
            tensors[f"{WEIGHT}{node.target}"] = _attribute(model.module, str(node.target))
        nodes.append(_written(node))
    given = [node.name for node in model.module.graph.nodes if node.op == "placeholder"]
    for name, value in zip(given, model.inputs, strict=True):
        tensors[f"{INPUT}{name}"] = value
    head = {"format": FORMAT, "tracer": model.tracer, "nodes": json.dumps(nodes)}
    save_file(_apart(tensors), path, head)


def load(path: Path, device: str, name: str) -> TracedModel:
    """Read what `save` wrote; weights are mapped from the file, not copied.

    Parameters
    ----------
    path : Path
        Of the file.
    device : str
        "meta": shapes without numbers.
    name : str
        What reports and programs call it.

    Raises
    ------
    ModelError
        For a damaged file, or one that asks for anything but an operator of torch's that computes.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            head = file.metadata() or {}
            if head.get("format") != FORMAT:
                raise ModelError(f"{name} was not traced by this Ramiel; open its file again.")
            tensors = {key: file.get_tensor(key).to(device) for key in file.keys()}  # noqa: SIM118
        graph = _graph(json.loads(head["nodes"]), device)
        weights = {
            key.removeprefix(WEIGHT): tensor
            for key, tensor in tensors.items()
            if key.startswith(WEIGHT)
        }
        module = fx.GraphModule(weights, graph)
        given = [node.name for node in graph.nodes if node.op == "placeholder"]
        inputs = tuple(tensors[f"{INPUT}{name}"] for name in given)
    except ModelError:
        raise
    except (safetensors.SafetensorError, LookupError, ValueError, TypeError, RuntimeError) as cause:
        raise ModelError(
            f"what was traced of {name} is damaged ({type(cause).__name__}: {cause}); open its "
            f"file again."
        ) from cause
    found = () if device == "meta" else tuple(strange(weights.items()))
    tracer = head.get("tracer", "")
    return TracedModel(name, module.eval(), inputs, tracer, strange_weights=found)


def strange_weights(path: Path) -> Iterator[tuple[str, str]]:
    """Weights that hold numbers which are none, as `from_onnx.strange_weights`."""
    with safetensors.safe_open(path, "pt") as file:
        keys = [key for key in file.keys() if key.startswith(WEIGHT)]  # noqa: SIM118 - no mapping
        yield from strange((key.removeprefix(WEIGHT), file.get_tensor(key)) for key in keys)


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The numbers alone; safetensors refuses memory that two tensors share, so one is copied."""
    found, taken = dict[str, torch.Tensor](), set[int]()
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage()
        shared = memory.data_ptr() in taken or memory.nbytes() != tensor.nbytes
        taken.add(memory.data_ptr())
        plain = tensor.detach().contiguous()
        found[name] = plain.clone() if shared else plain
    return found


def _attribute(module: Any, path: str) -> torch.Tensor:
    for part in path.split("."):
        module = getattr(module, part)
    if not isinstance(module, torch.Tensor):
        raise UnsupportedError(f"{path} is no tensor but {type(module).__name__}; leave it out.")
    return module


# --- written ----------------------------------------------------------------------------------


def _written(node: fx.Node) -> dict[str, Any]:
    target = _name_of(node.target) if node.op == "call_function" else str(node.target)
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return {
        "op": node.op,
        "name": node.name,
        "target": target,
        "args": [_value(arg) for arg in node.args],
        "kwargs": {key: _value(arg) for key, arg in node.kwargs.items()},
        "module": str(stack[-1][0]) if stack else "",
    }


def _name_of(target: Any) -> str:
    if target is operator.getitem:
        return GETITEM
    if isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - it has no public name
        _refuse_effects(target)
        return str(target)
    raise UnsupportedError(
        f"it calls {getattr(target, '__name__', target)!s}, which is none of torch's operators; "
        f"export the part of the model that has none."
    )


def _value(arg: Any) -> Any:
    """An argument as JSON; what JSON does not have is an object of one key that says what it is."""
    if isinstance(arg, fx.Node):
        return {"node": arg.name}
    if arg is None or isinstance(arg, (bool, int, float, str)):
        return arg
    if isinstance(arg, tuple):
        return {"tuple": [_value(item) for item in arg]}
    if isinstance(arg, list):
        return [_value(item) for item in arg]
    if isinstance(arg, torch.device):
        return {"device": ""}  # that of the weights, wherever it is read
    for kind, known in _CONSTANTS.items():
        if isinstance(arg, known):
            return {kind: str(arg).removeprefix("torch.")}
    raise UnsupportedError(
        f"an operator is given a {type(arg).__name__}, which cannot be handed over; export the "
        f"part of the model without it."
    )


# --- read -------------------------------------------------------------------------------------


def _graph(nodes: list[dict[str, Any]], device: str) -> fx.Graph:
    graph, made = fx.Graph(), dict[str, fx.Node]()
    for found in nodes:
        name, op = found["name"], found["op"]
        if not _is_name(name) or name in made:
            raise ModelError(f"{name[:40]!r} is no name of one operator; open the file again.")
        args = tuple(_read(arg, made, device) for arg in found["args"])
        kwargs = {key: _read(arg, made, device) for key, arg in found["kwargs"].items()}
        if not all(map(_is_name, kwargs)):
            raise ModelError(f"{name} has arguments without a name; open the file again.")
        made[name] = graph.create_node(op, _target(op, found["target"]), args, kwargs, name)
        made[name].meta["nn_module_stack"] = {"": (str(found["module"]), None)}
    graph.lint()
    return graph


def _read(found: Any, made: Mapping[str, fx.Node], device: str) -> Any:
    """What `_value` wrote."""
    if isinstance(found, list):
        return [_read(item, made, device) for item in found]
    if not isinstance(found, dict):
        return found
    ((kind, what),) = found.items()
    if kind == "node":
        return made[what]
    if kind == "tuple":
        return tuple(_read(item, made, device) for item in what)
    if kind == "device":
        return torch.device(device)
    return _constant(kind, what)


def _constant(kind: str, what: str) -> Any:
    constant = getattr(torch, what)
    if not isinstance(constant, _CONSTANTS[kind]):
        raise ModelError(f"{what[:40]!r} is no {kind} of torch's; open the file again.")
    return constant


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier() and not keyword.iskeyword(text)


def _target(op: str, text: str) -> Any:
    """What a node of this kind names: looked up, never imported."""
    if op == "call_function":
        return operator.getitem if text == GETITEM else _operator(text)
    known = op in ("placeholder", "output") and _is_name(text)
    if known or (op == "get_attr" and _PATH.fullmatch(text)):
        return text
    raise ModelError(f"{op[:40]} {text[:40]!r} is nothing that is read; open the file again.")


def _operator(text: str) -> torch._ops.OpOverload:
    namespace, _, rest = text.partition(".")
    name, _, overload = rest.partition(".")
    if namespace not in NAMESPACES or not (_is_name(name) and _is_name(overload)):
        raise ModelError(f"{text[:80]!r} is none of torch's operators; open the file again.")
    found = getattr(getattr(getattr(torch.ops, namespace), name), overload)
    if not isinstance(found, torch._ops.OpOverload):  # noqa: SLF001 - it has no public name
        raise ModelError(f"{text[:80]!r} is none of torch's operators; open the file again.")
    _refuse_effects(found)
    return found


def _refuse_effects(found: torch._ops.OpOverload) -> None:
    """Refuse operators that do more than return values: they write, or read files."""
    text = str(found)
    foreign = text.partition(".")[0] not in NAMESPACES
    if foreign or text in READS_FILES or found._schema.is_mutable:  # noqa: SLF001 - no other way
        raise UnsupportedError(
            f"it calls {text[:80]}, which is not one of torch's operators that only compute; "
            f"export the part of the model without it."
        )
