"""The kernel family `onednn`: a segment is a graph of oneDNN, inside torch, weights frozen in.

TorchScript hands what oneDNN knows to its graph compiler, which folds and fuses, and keeps its own
blocked layouts from operator to operator. That is what the family `fused`, a graph an operator,
cannot do. Nothing but torch is needed, and nothing is compiled by a C++ compiler.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

import torch

from ramiel_core.ir import OpNode, Recipe
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.statements import Compiled

TOLERANCE = 1e-4
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""

WARM = 4  # calls: two that torch profiles, one that compiles, one to touch all memory

POOLS = {"maxpool2d", "max_pool2d", "avgpool2d", "avg_pool2d"}
READ_ONLY = {"conv2d", "linear", "matmul", "mm", "bmm", "cat", "concat", *POOLS}
"""Operators whose results oneDNN never puts in the place of what they read."""
COMBINING = {"add", "iadd", "mul", "imul", "div", "truediv", "itruediv"}


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The traced function of a segment, to be built in its worker."""
    return _Traced.of(replace(segment, nodes=tuple(_apart(segment.nodes))), weights)


def _apart(nodes: Sequence[OpNode]) -> Iterator[OpNode]:
    """The operators; values that torch and oneDNN together get wrong go through torch's hands.

    torch lets a graph of oneDNN put its result in the place of a value that another one made, and
    asks nobody who else reads it (`LlgaKernel::prepareRunArgs`): of `a + t, b + t` with products a
    and b, the second reads the first. And a pool that is fused with a sum or product reads beside
    its input. Values that an operator of torch's own reads are safe, and an alias is one: it copies
    nothing, and costs oneDNN its own layout of this one value.
    """
    risky = _written_over(nodes) | _pooled_and_combined(nodes)
    for node in nodes:
        apart = node.name in risky and not node.returns_tuple
        yield replace(node, call=f"torch.ops.aten.alias({node.call})") if apart else node


def _written_over(nodes: Sequence[OpNode]) -> set[str]:
    """Values with a reader that may take their place and need not be their last."""
    same: dict[str, str] = {}  # the value that an operator which does nothing hands on
    readers: dict[str, list[OpNode]] = defaultdict(list)
    bit = {node.name: 1 << i for i, node in enumerate(nodes)}
    before: dict[str, int] = {}  # bits of operators that must be over when this one starts
    for node in nodes:
        earlier = [name for name in node.inputs if name in bit]
        before[node.name] = reduce(or_, (bit[name] | before[name] for name in earlier), 0)
        if node.call in node.inputs:
            same[node.name] = same.get(node.call, node.call)
            continue
        for name in dict.fromkeys(same.get(name, name) for name in earlier):
            readers[name].append(node)
    return {
        name
        for name, found in readers.items()
        for node in found
        if node.op not in READ_ONLY
        and any(o is not node and not bit[o.name] & before[node.name] for o in found)
    }


def _pooled_and_combined(nodes: Sequence[OpNode]) -> set[str]:
    pooled = {node.name for node in nodes if node.op in POOLS}
    return pooled & {name for node in nodes if node.op in COMBINING for name in node.inputs}


def compiled(
    function: Callable[..., Any], examples: tuple[torch.Tensor, ...]
) -> Callable[..., Any]:
    """`function` by graphs of oneDNN, for these shapes and layouts and the threads set now."""
    script: Any = torch.jit  # untyped
    others = script.onednn_fusion_enabled()  # whoever else uses TorchScript keeps theirs
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and pinned with torch
        script.enable_onednn_fusion(enabled=True)
        try:
            traced: Callable[..., Any] = script.trace(function, examples, check_trace=False)
            if isinstance(traced, torch.jit.ScriptModule):
                traced = script.freeze(traced)
            for _ in range(WARM):
                traced(*examples)
        finally:
            script.enable_onednn_fusion(enabled=others)
    return traced


class _Traced(Compiled):
    def compiled(self, examples: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
        return compiled(self.module, examples)

    def refusal(self, said: str) -> str:
        why = said.rpartition("\n")[2].removeprefix("RuntimeError: ").rstrip(".")
        return f"oneDNN's graphs cannot hold this model ({why}); use --kernels fused or eager."
