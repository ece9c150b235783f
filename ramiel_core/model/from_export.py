"""nn.Module -> GraphModule by torch.export, which follows the numbers' shapes through torch."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ramiel_core.model.arguments import Arguments, plain


def by_export(module: nn.Module, arguments: Arguments) -> fx.GraphModule:
    """What torch.export makes of a module, with the module's own nesting of what it returns.

    Raises whatever the export or the module's own code does.
    """
    functional, returned = exported(module, arguments.args, arguments.kwargs)
    graph = functional.graph
    output = graph.output_node()
    flat: Any = output.args[0]
    output.args = (plain(pytree.tree_unflatten(flat, returned)),)
    given = graph.find_nodes(op="placeholder")
    for node, leaf in zip(given, arguments.leaves, strict=True):
        if not isinstance(leaf, torch.Tensor):
            graph.erase_node(node)
    graph.set_codegen(fx.graph.CodeGen())  # of a function that takes its arguments one by one
    return fx.GraphModule(functional, graph)


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
