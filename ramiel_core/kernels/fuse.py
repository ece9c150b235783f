"""TracedModel -> the same model through the calls of `kernels.fused`.

A rewriting of the fx graph, so that extraction, planning, emission and running need not know of
it. What it does not recognise stays as it is, in eager torch.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.experimental.optimization import fuse as fold_batch_norm
from torch.fx.passes.shape_prop import ShapeProp

from ramiel_core.ir import TracedModel
from ramiel_core.kernels import fused
from ramiel_core.kernels.fused import Pair
from ramiel_core.kernels.layers import as_layers, pair

aten: Any = torch.ops.aten

INSTEAD_OF = "instead_of"
"""Key in a node's meta: it computes the same as the node named there, by another call."""

ACTIVATION_LAYERS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.SiLU: "silu",
    nn.Hardswish: "hardswish",
    nn.Hardsigmoid: "hardsigmoid",
    nn.Sigmoid: "sigmoid",
    nn.GELU: "gelu",
}
ACTIVATION_FUNCTIONS: Mapping[Any, str] = {
    F.relu: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    F.relu6: "relu6",
    F.silu: "silu",
    F.hardswish: "hardswish",
    F.hardsigmoid: "hardsigmoid",
    torch.sigmoid: "sigmoid",
    F.gelu: "gelu",
    aten.relu.default: "relu",
    aten.relu_.default: "relu",
    aten.silu.default: "silu",
    aten.hardswish.default: "hardswish",
    aten.hardsigmoid.default: "hardsigmoid",
    aten.sigmoid.default: "sigmoid",
    aten.gelu.default: "gelu",
}
CLAMPS = (torch.clamp, F.hardtanh, aten.clamp.default, aten.hardtanh.default)
ACTIVATION_METHODS: Mapping[str, str] = {"relu": "relu", "relu_": "relu", "sigmoid": "sigmoid"}
ADDITIONS = (operator.add, operator.iadd, torch.add, aten.add.Tensor)
PAD = ("input", "pad", "mode", "value")
PADS: Mapping[Any, Sequence[str]] = {
    F.pad: PAD,
    aten.pad.default: PAD,
    aten.constant_pad_nd.default: ("input", "pad", "value"),
}
IDLE = frozenset({nn.Identity, nn.Dropout})  # in eval mode, which tracing has made sure of
FEW_ROWS = 2  # of a matrix product: with fewer, reading the weight decides, packed or not


def fuse(model: TracedModel) -> TracedModel:
    """Fold batch norm, fuse activations and residual adds, pack weights, go channels_last.

    Parameters
    ----------
    model : TracedModel
        On the CPU, in float32; its weights stay as they are, new ones are made beside them.

    Returns
    -------
    TracedModel
        Outputs within `fused.TOLERANCE` of the model's own. Where one operator can be computed
        by several calls, the others stand behind it, marked `INSTEAD_OF`.

    Notes
    -----
    Good for convolutional models. Where a residual add could be fused into a convolution that does
    not otherwise wait for the other summand, it is not: that would lengthen the critical path.
    """
    module: Any = fold_batch_norm(as_layers(model.module), no_trace=True)
    torch.hub.tqdm.monitor_interval = 0  # of a hidden bar whose thread would forbid forking
    ShapeProp(module).propagate(*(tensor.clone() for tensor in model.inputs))
    _Rewriter(module).rewrite()
    module.recompile()
    return replace(model, module=module)


@dataclass
class _Rewriter:
    """Replaces the nodes of one GraphModule, in place."""

    module: fx.GraphModule

    def __post_init__(self) -> None:
        self.graph = self.module.graph
        self.layers = dict(self.module.named_modules())
        self.names: dict[fx.Node, str] = {}

    def rewrite(self) -> None:
        """One sweep; a node is looked at after everything that it reads."""
        layers = [node for node in self.graph.nodes if node.op == "call_module"]
        for node in layers:
            if type(self.layers[str(node.target)]) in IDLE:
                node.replace_all_uses_with(node.all_input_nodes[0])
                self.graph.erase_node(node)  # else it reads what it hands on
        rewrites: Mapping[type[nn.Module], Callable[[fx.Node, Any], None]] = {
            nn.Conv2d: self._convolution,
            nn.Linear: self._linear,
            nn.BatchNorm2d: self._batch_norm,
            nn.MaxPool2d: self._max_pool,
            nn.AvgPool2d: self._avg_pool,
            nn.AdaptiveAvgPool2d: self._mean,
        }
        for node in layers:
            layer = self.layers[str(node.target)]
            if type(layer) in rewrites and _is_float(node):
                rewrites[type(layer)](node, layer)
        self._erase_idle()
        for new, name in self.names.items():
            new.name = name  # the plan of the fused graph reads like that of the eager one

    def _erase_idle(self) -> None:
        for node in reversed(self.graph.nodes):
            idle = not node.users and INSTEAD_OF not in node.meta
            if idle and node.op in ("call_module", "call_function", "get_attr"):
                self.graph.erase_node(node)

    def _convolution(self, node: fx.Node, layer: nn.Conv2d) -> None:
        written = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        if not written or not _is_batch(node):
            return
        x, padding = node.all_input_nodes[0], pair(layer.padding)
        if not _is_pointwise(layer):
            x, padding = _unpadded(x, padding, 0.0)
        stride = pair(layer.stride)
        last, other = self._residual(node)
        at = node if other is None else last  # what it reads may be written over afterwards
        last, then = self._activation(last)
        weight, bias = layer.weight.detach(), _detached(layer.bias)
        reads = (x,) if other is None else (x, other)
        recipe = fused.Conv2d(
            reads=tuple(tuple(_shape(read)) for read in reads),
            weight=weight,
            bias=bias,
            stride=stride,
            padding=padding,
            dilation=pair(layer.dilation),
            groups=layer.groups,
            then=then,
        )
        function = fused.conv2d if other is None else fused.conv2d_add
        main = self._call(at, function, reads, str(node.target), recipe)
        main.meta["flops"] = _flops(layer, _shape(node))
        if other is None and layer.groups == 1 and _is_pointwise(layer):
            columns = fused.Columns(weight.flatten(1), bias)
            self._alternative(main, fused.gemm, (x,), str(node.target), columns, (stride, then))
        self._replace(last, main, node.name)

    def _linear(self, node: fx.Node, layer: nn.Linear) -> None:
        x = node.all_input_nodes[0]
        rows = _shape(x)[:-1].numel()
        last, then = self._activation(node)
        recipe = fused.Linear(
            reads=(tuple(_shape(x)),),
            weight=layer.weight.detach(),
            bias=_detached(layer.bias),
            then=then,
        )
        main = self._call(node, fused.linear, (x,), str(node.target), recipe)
        main.meta["flops"] = 2 * rows * layer.weight.numel()
        if rows < FEW_ROWS:
            unpacked = fused.Unpacked(**vars(recipe))
            self._alternative(main, fused.linear, (x,), str(node.target), unpacked)
        self._replace(last, main, node.name)

    def _batch_norm(self, node: fx.Node, layer: nn.BatchNorm2d) -> None:
        """One that could not be folded into a convolution."""
        mean, variance = layer.running_mean, layer.running_var
        if mean is None or variance is None:
            return
        weight, bias = _detached(layer.weight), _detached(layer.bias)
        scale = torch.rsqrt(variance + layer.eps) * (1.0 if weight is None else weight)
        shift = (0.0 if bias is None else bias) - mean * scale
        last, then = self._activation(node)
        recipe = fused.Affine(scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1))
        reads, path = tuple(node.all_input_nodes), str(node.target)
        main = self._call(node, fused.batch_norm, reads, path, recipe, (then,))
        self._replace(last, main, node.name)

    def _max_pool(self, node: fx.Node, layer: nn.MaxPool2d) -> None:
        if not _is_batch(node):
            return
        x, padding = node.all_input_nodes[0], pair(layer.padding)
        source, more = _unpadded(x, padding, -math.inf)
        kernel = pair(layer.kernel_size)
        at_most_half = all(2 * p <= k for p, k in zip(more, kernel, strict=True))  # torch's limit
        if at_most_half and not layer.ceil_mode:
            x, padding = source, more
        recipe = fused.MaxPool2d(
            reads=(tuple(_shape(x)),),
            kernel_size=kernel,
            stride=pair(layer.stride),
            padding=padding,
            dilation=pair(layer.dilation),
            ceil_mode=layer.ceil_mode,
        )
        self._pool(node, fused.max_pool2d, x, recipe)

    def _avg_pool(self, node: fx.Node, layer: nn.AvgPool2d) -> None:
        if not _is_batch(node) or layer.ceil_mode or layer.divisor_override is not None:
            return  # oneDNN has no such pooling
        x = node.all_input_nodes[0]
        recipe = fused.AvgPool2d(
            reads=(tuple(_shape(x)),),
            kernel_size=pair(layer.kernel_size),
            stride=pair(layer.stride),
            padding=pair(layer.padding),
            count_include_pad=layer.count_include_pad,
        )
        self._pool(node, fused.avg_pool2d, x, recipe)

    def _pool(
        self,
        node: fx.Node,
        function: Callable[..., Any],
        x: fx.Node,
        recipe: fused.MaxPool2d | fused.AvgPool2d,
    ) -> None:
        main = self._call(node, function, (x,), str(node.target), recipe)
        main.meta["flops"] = math.prod(recipe.kernel_size) * _shape(node).numel()
        self._replace(node, main, node.name)

    def _mean(self, node: fx.Node, _layer: nn.AdaptiveAvgPool2d) -> None:
        """Of all pixels by one call, where torch's own function for any size makes four."""
        if _shape(node)[-2:] != (1, 1):
            return
        x = node.all_input_nodes[0]
        with self.graph.inserting_after(node):
            mean = self.graph.call_function(torch.mean, (x, (-2, -1)), {"keepdim": True})
        self._replace(node, mean, node.name)
        with self.graph.inserting_after(mean):
            other = self.graph.call_function(F.avg_pool2d, (x, tuple(_shape(x)[-2:])))
        other.meta[INSTEAD_OF] = mean

    def _activation(self, node: fx.Node) -> tuple[fx.Node, str]:
        """The activation that alone reads `node`, and its name; `node` itself if there is none."""
        if len(node.users) != 1:
            return node, "none"
        user = next(iter(node.users))
        name = None
        if user.op == "call_module":
            layer = self.layers[str(user.target)]
            name = ACTIVATION_LAYERS.get(type(layer))
            if name == "gelu" and getattr(layer, "approximate", "none") != "none":
                name = None
        elif user.op == "call_function":
            more = (*user.args[1:], *(v for k, v in user.kwargs.items() if k != "inplace"))
            if not more:
                name = ACTIVATION_FUNCTIONS.get(user.target)
            elif user.target in CLAMPS and more == (0, 6):
                name = "relu6"
        elif user.op == "call_method":
            name = ACTIVATION_METHODS.get(str(user.target))
        return (node, "none") if name is None else (user, name)

    def _residual(self, node: fx.Node) -> tuple[fx.Node, fx.Node | None]:
        """The add that alone reads `node`, and its other summand if `node` waits for it anyway."""
        user = next(iter(node.users)) if len(node.users) == 1 else None
        if user is None or user.target not in ADDITIONS or user.kwargs or len(user.args) != 2:
            return node, None
        others = [arg for arg in user.args if arg is not node]
        other = others[0] if len(others) == 1 else None
        if not isinstance(other, fx.Node) or _shape(other) != _shape(node) or not _is_float(other):
            return node, None
        written_over = user.target is operator.iadd and user.args[0] is other
        return (node, None) if written_over or not _is_before(other, node) else (user, other)

    def _call(
        self,
        at: fx.Node,
        function: Callable[..., Any],
        reads: tuple[fx.Node, ...],
        path: str,
        recipe: fused.Compiled | fused.Columns | fused.Affine,
        how: tuple[Any, ...] = (),
    ) -> fx.Node:
        """Insert `function(*reads, w, *how)` behind `at`; `recipe` stands beside the layer."""
        setattr(self.layers[path], recipe.name, recipe)
        with self.graph.inserting_after(at):
            weight = self.graph.create_node("get_attr", f"{path}.{recipe.name}")
        with self.graph.inserting_after(weight):
            made = self.graph.call_function(function, (*reads, weight, *how))
        made.meta["nn_module_stack"] = {path: (path, type(self.layers[path]))}
        return made

    def _alternative(self, main: fx.Node, function: Callable[..., Any], *rest: Any) -> None:
        made = self._call(main, function, *rest)
        made.meta[INSTEAD_OF] = main

    def _replace(self, old: fx.Node, new: fx.Node, name: str) -> None:
        old.replace_all_uses_with(new)
        new.meta["tensor_meta"] = old.meta["tensor_meta"]
        self.names[new] = name


def _unpadded(x: fx.Node, padding: Pair, fill: float) -> tuple[fx.Node, Pair]:
    """Where `x` [N, C, H, W] only pads alike on both sides with `fill`: what it pads, and how much.

    Its reader pads by itself as well, by `padding` [H, W], which is added.
    """
    if x.op != "call_function" or x.target not in PADS:
        return x, padding
    given: dict[str, Any] = dict(zip(PADS[x.target], x.args, strict=False)) | x.kwargs
    pad, source = given["pad"], given["input"]
    usual = given.get("mode", "constant") == "constant" and (given.get("value") or 0.0) == fill
    if not usual or len(pad) != 4 or not all(isinstance(p, int) and p >= 0 for p in pad):
        return x, padding
    left, right, top, bottom = pad
    if left != right or top != bottom or not isinstance(source, fx.Node):
        return x, padding
    return source, (padding[0] + top, padding[1] + left)


def _is_batch(node: fx.Node) -> bool:
    """Whether it is images [N, C, H, W], not one alone."""
    return len(_shape(node)) == 4


def _detached(bias: torch.Tensor | None) -> torch.Tensor | None:
    return None if bias is None else bias.detach()


def _is_pointwise(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == (1, 1) and layer.padding == (0, 0)


def _is_float(node: fx.Node) -> bool:
    return getattr(node.meta.get("tensor_meta"), "dtype", None) == torch.float32


def _shape(node: fx.Node) -> torch.Size:
    """Of what a node returned, where that is one tensor; else empty."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", ())
    return torch.Size(shape)


def _flops(layer: nn.Conv2d, shape: torch.Size) -> int:
    """Two for each multiplication with a weight, as torch counts them."""
    return 2 * layer.weight[0].numel() * shape.numel()


def _is_before(first: fx.Node, last: fx.Node) -> bool:
    """Whether `last` waits for `first`."""
    seen: set[fx.Node] = set()
    reads = [last]
    while reads:
        node = reads.pop()
        if node is first:
            return True
        if node not in seen:
            seen.add(node)
            reads += node.all_input_nodes
    return False
