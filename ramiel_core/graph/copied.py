"""A traced module that may be changed, as the one it was made of may not."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import fx


def copied(module: fx.GraphModule) -> tuple[fx.GraphModule, Mapping[fx.Node, fx.Node]]:
    """The same layers and weights under a graph of their own; each node of the old one, anew.

    `recompile` it after the last change.
    """
    graph = copy.deepcopy(module.graph)
    copy_of = dict(zip(module.graph.nodes, graph.nodes, strict=True))
    return fx.GraphModule(module, graph), copy_of
