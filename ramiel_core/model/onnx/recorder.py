"""Records torch calls as fx nodes, and does those at once whose arguments are all known.

A live value is a tensor on the `meta` device that stands for what an fx node will return; every
other tensor is a constant. Functions that are handed both therefore see true shapes and types,
and need not know whether they compute or are recorded.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from ramiel_core.errors import ModelError, UnsupportedError

MOST_CONSTANT_BYTES = 2**28  # that are computed at import; weights themselves are not computed
MOST_CONSTANTS_BYTES = 3 * 2**27  # all of those together: with torch, an import stays within 1 GB
MOST_VALUE_BYTES = 2**33  # of one value that the model computes when it runs
FEW_ITEMS = 4096  # of which no result is large
LONGEST_NAME = 60
WRITTEN_AS: Mapping[Any, Any] = {  # operators of Python's, which read better
    torch.add: operator.add,
    torch.sub: operator.sub,
    torch.mul: operator.mul,
    torch.div: operator.truediv,
    torch.matmul: operator.matmul,
    torch.neg: operator.neg,
    torch.pow: operator.pow,
    torch.Tensor.__getitem__: operator.getitem,
    torch.Tensor.add: operator.add,
    torch.Tensor.sub: operator.sub,
    torch.Tensor.mul: operator.mul,
    torch.Tensor.div: operator.truediv,
    torch.Tensor.neg: operator.neg,
}
# A type for which few kernels exist: whether one does is found out by calling it once.
RARE_TYPES = frozenset(
    {torch.uint16, torch.uint32, torch.uint64, torch.float16, torch.bfloat16, torch.bool}
)
MOST_TRIED_ITEMS = 100_000


def identifier(text: str) -> str:
    """What is left of a name in a file as a part of a Python identifier; may be empty.

    >>> identifier("/layer1/conv/Conv_output_0")
    'layer1_conv_conv'
    """
    plain = re.sub(r"\W+", "_", text.removesuffix("_output_0"), flags=re.ASCII).strip("_").lower()
    return plain[:LONGEST_NAME].strip("_")


def printable(text: str) -> str:
    r"""A name in a file as a comment may show it: letters, digits and what paths consist of.

    >>> printable("layer1/conv1\nimport os")
    'layer1/conv1_import_os'
    """
    return re.sub(r"[^\w./:-]+", "_", text)[:LONGEST_NAME]


class Recorder(TorchFunctionMode):
    """A torch function mode that fills an fx graph.

    A constant on `meta` is one whose numbers nobody needs: what is computed of it has none either.

    Parameters
    ----------
    most_bytes : int
        That all constants which are computed may take together, since all of them are kept.
    """

    def __init__(self, most_bytes: int = MOST_CONSTANTS_BYTES) -> None:
        super().__init__()
        self._left_bytes = most_bytes
        self.graph = fx.Graph()
        self.root = nn.Module()
        self.where = ""  # the ONNX node that is being imported, as errors say it
        self.label = ""  # as code and graph say it
        self.result = ""  # the first value that it makes
        self._paused = False
        self._live: dict[int, fx.Node] = {}
        self._named: dict[int, str] = {}  # constants by identity: their paths
        self._attributes: dict[int, fx.Node] = {}  # constants that the graph reads already
        self._kept: list[torch.Tensor] = []  # an identity belongs to its tensor while that lives

    # --- values ---------------------------------------------------------------------------

    def input(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A new input of the model."""
        label = identifier(name) or "x"
        node = self.graph.placeholder(f"input_{label}" if label[0].isdigit() else label)
        node.target = node.name  # a parameter's: unlike `label` no keyword, and no other input's
        return self._stand_for(node, torch.empty(shape, dtype=dtype, device="meta"))

    def name(self, constant: torch.Tensor, path: str) -> None:
        """Remember what a constant is called in its file."""
        self._kept.append(constant)
        self._named[id(constant)] = path

    def path_of(self, constant: torch.Tensor) -> str:
        """What `constant` is called in its file; empty where it was computed."""
        return self._named.get(id(constant), "")

    def is_live(self, value: Any) -> bool:
        """Whether the value is known only when the model runs."""
        return id(value) in self._live

    def inputs_of(self, value: torch.Tensor) -> list[str]:
        """Which inputs of the model a live value depends on."""
        found, waiting, seen = [], [self._live[id(value)]], set()
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += node.all_input_nodes
                if node.op == "placeholder":
                    found.append(node.name)
        return sorted(found)

    def _stand_for(self, node: fx.Node, value: torch.Tensor) -> torch.Tensor:
        size = value.numel() * value.element_size()
        if size > MOST_VALUE_BYTES:
            raise ModelError(
                f"{self.where or 'an input'} makes a value of {size / 2**30:,.0f} GB "
                f"({'×'.join(map(str, value.shape))}); give its dynamic dimensions smaller sizes "
                f"with --dim NAME=SIZE."
            )
        self._live[id(value)] = node
        self._kept.append(value)
        return value

    # --- calls ----------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._paused or func.__name__ == "__get__":  # a shape, a type and so on
            return func(*args, **kwargs)
        flat = pytree.tree_leaves((args, kwargs))
        tensors = [value for value in flat if isinstance(value, torch.Tensor)]
        if not any(id(tensor) in self._live for tensor in tensors):
            return self._fold(func, args, kwargs, tensors)
        shapes = pytree.tree_map_only(torch.Tensor, _without_numbers, (args, kwargs))
        result = _shapes_of(func, *shapes)
        if not _has_tensor(result):
            return result  # a shape, a type and so on
        self._try_kernel(func, args, kwargs, tensors)
        return self._record(func, args, kwargs, result)

    def layer(self, kind: type[nn.Module], x: torch.Tensor, *how: Any, **weights: Any) -> Any:
        """Call a layer of torch.nn whose weights are constants.

        Parameters
        ----------
        kind : type
            Such as `nn.Conv2d`.
        x : torch.Tensor
            What it reads.
        how
            Its first arguments; a dictionary at the end holds the ones by name.
        weights
            Constants, by the names that the layer gives them; None for one that it lacks.
        """
        *positional, named = how
        with self._pause(), torch.device("meta"):
            layer = kind(*positional, **named).eval()
        path = next((self.path_of(w) for w in weights.values() if w is not None), "")
        for name, weight in weights.items():
            if name in layer._buffers:  # noqa: SLF001 - as `register_buffer` does
                layer._buffers[name] = weight  # noqa: SLF001
            else:
                kept = None if weight is None else nn.Parameter(weight, requires_grad=False)
                layer.register_parameter(name, kept)
        if not self.is_live(x):
            return layer(x)
        shapes = {name: _without_numbers(w) for name, w in layer.state_dict().items()}
        with self._pause():
            made = torch.func.functional_call(layer, shapes, (x,))
        path = self._free(path.rpartition(".")[0] or self.result or kind.__name__.lower())
        self._attach(path, layer)
        node = self.graph.create_node(
            "call_module", path, (self._live[id(x)],), name=identifier(path) or None
        )
        return self._stand_for(node, made)

    @contextmanager
    def _pause(self) -> Iterator[None]:
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def output(self, values: list[torch.Tensor]) -> None:
        """End the graph; the model returns one value as it is, several as a tuple."""
        nodes = tuple(self.node_of(value) for value in values)
        self.graph.output(nodes[0] if len(nodes) == 1 else nodes)

    def node_of(self, value: torch.Tensor) -> fx.Node:
        """The fx node of a live value, or of a constant that the module holds."""
        if id(value) in self._live:
            return self._live[id(value)]
        if id(value) not in self._attributes:
            path = self._free(self.path_of(value) or self.result or "constant")
            self._attach(path, value)
            self._attributes[id(value)] = self.graph.create_node("get_attr", path)
            self._kept.append(value)
        return self._attributes[id(value)]

    def _fold(
        self, func: Any, args: Any, kwargs: dict[str, Any], tensors: list[torch.Tensor]
    ) -> Any:
        if not tensors:
            self._allow_made(func, args, kwargs)
        if any(tensor.is_meta for tensor in tensors):
            shapes = pytree.tree_map_only(torch.Tensor, _without_numbers, (args, kwargs))
            return func(*shapes[0], **shapes[1])
        if sum(tensor.numel() for tensor in tensors) > FEW_ITEMS:
            shapes = pytree.tree_map_only(torch.Tensor, _without_numbers, (args, kwargs))
            try:
                result = func(*shapes[0], **shapes[1])
            except (RuntimeError, NotImplementedError):  # its shape depends on numbers
                return self._counted(func(*args, **kwargs), tensors)
            for made in pytree.tree_leaves(result):
                if isinstance(made, torch.Tensor):
                    self.allow(made.shape, made.dtype)
        return self._counted(func(*args, **kwargs), tensors)

    def _allow_made(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """`allow` what is made of numbers alone: `torch.arange` of a size that a file names."""
        try:
            with torch.device("meta"):
                result = func(*args, **kwargs)
        except (RuntimeError, NotImplementedError):  # it has no such form: its shape is no number
            return
        for made in pytree.tree_leaves(result):
            if isinstance(made, torch.Tensor):
                self.allow(made.shape, made.dtype)

    def _counted(self, result: Any, tensors: list[torch.Tensor]) -> Any:
        """What was computed, unless it fills the memory together with all that was before."""
        held = {tensor.untyped_storage().data_ptr() for tensor in tensors}
        for made in pytree.tree_leaves(result):
            if isinstance(made, torch.Tensor) and made.untyped_storage().data_ptr() not in held:
                self._left_bytes -= made.untyped_storage().nbytes()
        if self._left_bytes < 0:
            raise self._too_many()
        return result

    def _too_many(self) -> ModelError:
        return ModelError(
            f"{self.where} makes one constant too many: together they fill the memory; compute "
            f"them in the model from an input, or store them as weights."
        )

    def allow(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> None:
        """Refuse to compute a constant that would fill the memory.

        Raises
        ------
        ModelError
            Names the node.
        """
        size = math.prod(shape) * dtype.itemsize
        if size > MOST_CONSTANT_BYTES:
            raise ModelError(
                f"{self.where} makes a constant of {size / 2**30:,.1f} GB; constants up to "
                f"{MOST_CONSTANT_BYTES >> 20} MB are imported, so compute it in the model from an "
                f"input, or store it as a weight."
            )
        if size > self._left_bytes:
            raise self._too_many()

    def allow_constant(self, x: torch.Tensor, shape: tuple[int, ...]) -> None:
        """`allow`, if what is made of `x` is a constant."""
        if not self.is_live(x):
            self.allow(shape, x.dtype)

    def _try_kernel(
        self, func: Any, args: Any, kwargs: dict[str, Any], tensors: list[torch.Tensor]
    ) -> None:
        """Find out whether this build of torch can do it for a rare type.

        Raises
        ------
        UnsupportedError
            Where it cannot.
        """
        rare = {str(t.dtype).removeprefix("torch.") for t in tensors if t.dtype in RARE_TYPES}
        if not rare or sum(tensor.numel() for tensor in tensors) > MOST_TRIED_ITEMS:
            return

        def zeros(tensor: torch.Tensor) -> torch.Tensor:
            return torch.zeros(tensor.shape, dtype=tensor.dtype)

        trial = pytree.tree_map_only(torch.Tensor, zeros, (args, kwargs))
        try:
            func(*trial[0], **trial[1])
        except NotImplementedError as cause:
            raise UnsupportedError(
                f"{self.where} computes with {' and '.join(sorted(rare))}, which torch cannot do "
                f"on a CPU; export the model in float32 or int64."
            ) from cause

    def _record(self, func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> Any:
        given = pytree.tree_map_only(torch.Tensor, self.node_of, (args, kwargs))
        target = func if kwargs else WRITTEN_AS.get(func, func)
        method = isinstance(target, type(torch.Tensor.reshape))
        made = self.graph.create_node(
            "call_method" if method else "call_function",
            target.__name__ if method else target,
            given[0],
            given[1],
            identifier(self.result) or None,
        )
        made.meta["nn_module_stack"] = {self.label: (self.label, None)}
        if isinstance(result, torch.Tensor):
            return self._stand_for(made, result)
        return tuple(
            self._stand_for(self.graph.call_function(operator.getitem, (made, i)), part)
            for i, part in enumerate(result)
        )

    # --- where weights live ---------------------------------------------------------------

    def _free(self, path: str) -> str:
        """`path` as a chain of attribute names that no other weight has."""
        parts = [re.sub(r"\W+", "_", part, flags=re.ASCII) for part in path.split(".")]
        wanted = ".".join(part[-LONGEST_NAME:] for part in parts if part.strip("_")) or "constant"
        tried, number = wanted, 1
        while not self._is_free(tried):
            number += 1
            tried = f"{wanted.replace('.', '_')}_{number}"
        return tried

    def _is_free(self, path: str) -> bool:
        """Whether nothing has this path, and nothing that is no mere folder stands on its way."""
        owner: Any = self.root
        *folders, last = path.split(".")
        for part in folders:
            if not hasattr(owner, part):
                return True
            owner = getattr(owner, part)
            if type(owner) is not nn.Module:
                return False
        return not hasattr(owner, last)

    def _attach(self, path: str, value: Any) -> None:
        owner = self.root
        *folders, last = path.split(".")
        for part in folders:
            if part not in owner._modules:  # noqa: SLF001
                owner.add_module(part, nn.Module())
            owner = owner._modules[part]  # type: ignore[assignment]  # noqa: SLF001
        if isinstance(value, nn.Module):
            owner.add_module(last, value)
        else:
            owner.register_buffer(last, value)


def _without_numbers(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.is_meta else tensor.to("meta")


def _shapes_of(func: Any, args: Any, kwargs: Any) -> Any:
    """What a function returns on `meta`, where one of ours makes its own tensors as well."""
    inner = getattr(func, "itself", None)
    if inner is None:
        return func(*args, **kwargs)
    with torch.device("meta"):
        return inner(*args, **kwargs)


def _has_tensor(value: Any) -> bool:
    return any(isinstance(leaf, torch.Tensor) for leaf in pytree.tree_leaves(value))
