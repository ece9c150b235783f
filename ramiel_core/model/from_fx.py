"""nn.Module -> GraphModule by torch.fx, which follows a model's own code with proxies."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.utils import _pytree as pytree

from ramiel_core.in_place import writes_first
from ramiel_core.model.arguments import Arguments, plain
from ramiel_core.model.side_effects import LeakError, restored, stateless

CONSTANT = "_tensor_constant"  # before the names that torch.fx gives to tensors it was shown


def by_fx(module: nn.Module, arguments: Arguments) -> fx.GraphModule:
    """What torch.fx makes of a module; raises whatever it or the module's own code does.

    Raises
    ------
    LeakError
        Where something happened that its graph does not say.
    StateError
        Where the module writes over a buffer of its own.
    """
    tracer = _Tracer(arguments)
    drawn = torch.get_rng_state()
    with restored(module), stateless(module):
        graph = tracer.trace(module)
        made = fx.GraphModule(tracer.root, graph, type(module).__name__)
    if not torch.equal(drawn, torch.get_rng_state()):
        torch.set_rng_state(drawn)
        raise LeakError("random numbers are drawn, which torch.fx takes for constants")
    if any(node.target in (operator.setitem, "__setitem__") for node in graph.nodes):
        raise LeakError("it writes into a slice of a tensor")
    _renew_constants(made)
    return made


class _Tracer(fx.Tracer):
    """Puts a placeholder in the place of each tensor of the arguments; the rest stays as it is."""

    def __init__(self, arguments: Arguments) -> None:
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
            return plain(root(*args, **kwargs))  # not its forward alone: it may have hooks

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
            raise LeakError("autocast is switched within the model, which torch.fx does not see")
        return super().create_node(*args, **kwargs)


def _autocast() -> tuple[bool, torch.dtype]:
    return torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")


def _renew_constants(module: fx.GraphModule) -> None:
    """Copy each tensor that the model's own code makes anew and then writes over.

    torch.fx keeps `torch.zeros(3)` as a constant of the model, made once.
    """
    graph, layers = module.graph, dict(module.named_modules())
    for node in graph.nodes:
        made = node.op == "get_attr" and str(node.target).startswith(CONSTANT)
        writers = (user for user in node.users if user.args[:1] == (node,))
        if made and any(writes_first(user, layers) for user in writers):
            with graph.inserting_after(node):
                copied = graph.call_method("clone", (node,))
            node.replace_all_uses_with(copied, lambda user, kept=copied: user is not kept)
    module.recompile()
