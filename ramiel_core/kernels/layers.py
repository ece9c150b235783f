"""Calls of functions on constant weights -> calls of layers.

`torch.export` and imported models have `conv2d(x, w, b)` where a module has a layer. Fusion, and
torch's own folding of batch norm, look for layers.
"""

from __future__ import annotations

import copy
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

aten: Any = torch.ops.aten

CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
LINEAR = ("input", "weight", "bias")
POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
AVERAGE = (
    "input",
    "kernel_size",
    "stride",
    "padding",
    "ceil_mode",
    "count_include_pad",
    "divisor_override",
)
NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
ATEN_NORM = (
    "input",
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "training",
    "momentum",
    "eps",
)

COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
SIZES = (getattr, "size", "dim")
CONSTANT = ("weight", "bias", "running_mean", "running_var")
Given = Mapping[str, Any]


def as_layers(module: fx.GraphModule) -> fx.GraphModule:
    """The same graph, where convolutions, batch norms, linears and poolings are layers.

    It asserts nothing, and no layer is called twice. A call stays a call where its weights or its
    settings are computed, or it has no such layer. The new module shares the weights of `module`,
    which is left as it is.
    """
    graph = copy.deepcopy(module.graph)
    _believe(graph)
    result = fx.GraphModule(module, graph)
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target not in LAYERS:
            continue
        names, make = LAYERS[node.target]
        given = dict(zip(names, node.args, strict=False)) | node.kwargs
        passed = [given.get(name) for name in ("input", *CONSTANT)]
        if any(read not in passed for read in node.all_input_nodes):
            continue  # a size, say, of another value's shape
        held = {name: _constant(result, given.get(name)) for name in CONSTANT}
        if any(given.get(name) is not None and held[name] is None for name in CONSTANT):
            continue
        layer = make({**given, **held})
        if layer is not None:
            _call(result, node, given["input"], layer)
    _apart(result)
    for node in list(graph.nodes):
        if node.op == "get_attr" and not node.users:
            graph.erase_node(node)
    return fx.GraphModule(result, graph)  # without what is not read any more


def _believe(graph: fx.Graph) -> None:
    """Take off what held when the model was traced: who reads a shape to check it is no reader.

    timm's batch norms do that with what they normalise, which would keep them out of it.
    """
    for node in reversed(graph.nodes):
        idle = not node.users and node.target in (*COMPARISONS, *SIZES)
        if idle or node.target is torch._assert:  # noqa: SLF001 - what fx records an assert as
            graph.erase_node(node)


def _apart(module: fx.GraphModule) -> None:
    """Give each further call of a layer a layer of its own, of the same weights.

    What is folded into a layer, or packed for the shape of its input, belongs to one call.
    """
    layers = dict(module.named_modules())
    calls = Counter[str]()
    for node in module.graph.find_nodes(op="call_module"):
        path = str(node.target)
        calls[path] += 1
        if calls[path] == 1:
            continue
        node.target = f"{path}_call{calls[path]}"
        while node.target in layers:
            node.target += "_"
        module.add_submodule(node.target, copy.copy(layers[path]))


def _constant(module: fx.GraphModule, value: Any) -> torch.Tensor | None:
    if not isinstance(value, fx.Node) or value.op != "get_attr":
        return None
    found: torch.Tensor = operator.attrgetter(str(value.target))(module)
    return found


def _call(module: fx.GraphModule, node: fx.Node, x: fx.Node, layer: nn.Module) -> None:
    """Put a call of `layer` in the place of `node`."""
    path = f"{node.name}_layer"
    module.add_submodule(path, layer.eval().requires_grad_(requires_grad=False))
    with module.graph.inserting_before(node):
        new = module.graph.call_module(path, (x,))
    new.meta.update(node.meta)
    node.replace_all_uses_with(new)
    module.graph.erase_node(node)


def _conv(given: Given) -> nn.Module | None:
    weight, padding = given["weight"], given.get("padding", 0)
    if weight is None or weight.dim() != 4 or isinstance(padding, str):
        return None
    groups = given.get("groups", 1)
    with torch.device("meta"):
        layer = nn.Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),
            pair(given.get("stride", 1)),
            pair(padding),
            pair(given.get("dilation", 1)),
            groups,
            bias=given["bias"] is not None,
        )
    return _holding(layer, given)


def _linear(given: Given) -> nn.Module | None:
    weight = given["weight"]
    if weight is None or weight.dim() != 2:
        return None
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=given["bias"] is not None)
    return _holding(layer, given)


def _batch_norm(given: Given) -> nn.Module | None:
    mean = given["running_mean"]
    if given.get("training", False) or mean is None or given["running_var"] is None:
        return None
    x: fx.Node = given["input"]
    if getattr(x.meta.get("val"), "ndim", 4) != 4:
        return None
    affine = given["weight"] is not None and given["bias"] is not None
    if not affine and (given["weight"] is not None or given["bias"] is not None):
        return None
    with torch.device("meta"):
        layer = nn.BatchNorm2d(mean.shape[0], eps=given.get("eps", 1e-5), affine=affine)
    return _holding(layer, given)


def _max_pool(given: Given) -> nn.Module | None:
    if given.get("return_indices", False):
        return None
    kernel = pair(given["kernel_size"])
    return nn.MaxPool2d(
        kernel,
        pair(given.get("stride") or kernel),
        pair(given.get("padding", 0)),
        pair(given.get("dilation", 1)),
        ceil_mode=given.get("ceil_mode", False),
    )


def _avg_pool(given: Given) -> nn.Module:
    kernel = pair(given["kernel_size"])
    return nn.AvgPool2d(
        kernel,
        pair(given.get("stride") or kernel),
        pair(given.get("padding", 0)),
        ceil_mode=given.get("ceil_mode", False),
        count_include_pad=given.get("count_include_pad", True),
        divisor_override=given.get("divisor_override"),
    )


def _holding(layer: nn.Module, given: Given) -> nn.Module:
    """The layer with the very tensors that the function was called with."""
    for name in CONSTANT:
        tensor = given.get(name)
        if tensor is not None:
            is_buffer = name in dict(layer.named_buffers())
            setattr(layer, name, tensor if is_buffer else nn.Parameter(tensor.detach()))
    return layer


def pair(value: Any) -> tuple[int, int]:
    """A size for height and width: one number, alone or in a list, stands for both."""
    both = (value,) if isinstance(value, int) else tuple(value)
    return (both * 2)[:2]


LAYERS: Mapping[Any, tuple[tuple[str, ...], Callable[[Given], nn.Module | None]]] = {
    **dict.fromkeys((F.conv2d, torch.conv2d, aten.conv2d.default), (CONV, _conv)),
    **dict.fromkeys((F.linear, aten.linear.default), (LINEAR, _linear)),
    **dict.fromkeys((F.max_pool2d, aten.max_pool2d.default), (POOL, _max_pool)),
    **dict.fromkeys((F.avg_pool2d, aten.avg_pool2d.default), (AVERAGE, _avg_pool)),
    **dict.fromkeys(
        (F.adaptive_avg_pool2d, aten.adaptive_avg_pool2d.default),
        (("input", "output_size"), lambda given: nn.AdaptiveAvgPool2d(given["output_size"])),
    ),
    F.batch_norm: (NORM, _batch_norm),
    aten.batch_norm.default: (ATEN_NORM, _batch_norm),
}
