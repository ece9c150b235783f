"""A weighed operator graph: what planning reads of a model."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from ramiel_core.errors import GraphError

if TYPE_CHECKING:
    import torch

ITEM_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "bool": 1,
        "uint8": 1,
        "int8": 1,
        "int16": 2,
        "uint16": 2,
        "float16": 2,
        "bfloat16": 2,
        "int32": 4,
        "uint32": 4,
        "float32": 4,
        "int64": 8,
        "uint64": 8,
        "float64": 8,
        "complex64": 8,
        "complex128": 16,
    }
)

_POOLING = re.compile(r"(?:adaptive_?)?(?:avg|max)_?pool([123])d(?:_with_indices)?")
_WEIGHT = re.compile(r'w\["([^"]*)"\]')


def paths_of_weights(text: str) -> tuple[str, ...]:
    """What some calls read of `w`, each once.

    >>> paths_of_weights('F.linear(x, w["fc.weight"], w["fc.bias"])')
    ('fc.weight', 'fc.bias')
    """
    return tuple(dict.fromkeys(_WEIGHT.findall(text)))


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """How one tensor lies in memory: enough to lay out a buffer for it before it exists."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]  # in items
    dtype: str  # "float32", as torch prints it without its prefix

    def __post_init__(self) -> None:
        if self.dtype not in ITEM_BYTES:
            raise GraphError(
                f"tensors of type {self.dtype} cannot be planned; convert them, as float32 by "
                f".to() or .dequantize(), to one of {', '.join(ITEM_BYTES)}."
            )

    @classmethod
    def of(cls, tensor: torch.Tensor) -> TensorSpec:
        """How `tensor` lies in memory.

        Raises
        ------
        GraphError
            For a tensor that is not dense, or of a type that cannot be planned.
        """
        if (layout := str(tensor.layout)) != "torch.strided":
            raise GraphError(
                f"tensors of layout {layout.removeprefix('torch.')} cannot be planned, since only "
                f"dense ones reach another worker; convert them by .to_dense()."
            )
        dtype = str(tensor.dtype).removeprefix("torch.")
        return cls(tuple(tensor.shape), tuple(tensor.stride()), dtype)

    @property
    def items(self) -> int:
        """Items from the first to the last one in memory, gaps included."""
        if 0 in self.shape:
            return 0
        return 1 + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))

    @property
    def bytes(self) -> int:
        """Bytes that a buffer for this tensor takes."""
        return self.items * ITEM_BYTES[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype}[{'×'.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class OpNode:
    """One operator call, with the weights that planning reads."""

    name: str  # unique within its Graph, and a Python identifier
    op: str  # "conv2d", "relu", ...
    inputs: tuple[str, ...] = ()  # producers and model inputs, in argument order, once each
    cost_ms: float = 0.0  # to compute it in one process, while no other worker computes
    send_ms: float = 0.0  # to hand its output to another process: copy and signal
    call: str = ""  # the Python expression that computes it, its inputs by name
    others: tuple[str, ...] = ()  # other calls that compute the same: measured, one is kept
    into: str = ""  # the same, writing into `shared(name)`; empty where torch has no such form
    joins: tuple[str, ...] = ()  # values that it lays one behind the other in memory, unchanged
    outputs: tuple[TensorSpec | None, ...] = ()  # one, or several where it returns a tuple
    returns_tuple: bool = False
    is_view: bool = False  # its output shares memory with an input
    crowding: float = 0.0  # how much longer it takes beside `Graph.crowd - 1` others, as a share
    fetch_ms: float = 0.0  # what the first operator takes longer that reads it in another process
    switch_ms: float = 0.0  # to change the thread count of its worker, and back, where a plan does
    aliases: tuple[str, ...] = ()  # inputs in whose memory its output may lie
    flops: int = 0  # of a pooling: elements of windows
    read_bytes: int = 0  # inputs and parameters
    parameters: int = 0
    module: str = ""  # where in the model it was called: "inception3a.branch1.conv"
    repeatable: bool = False  # computed twice it gives the same bits and disturbs nobody
    clone_of: str = ""  # the operator that it repeats for its own cluster
    part_of: str = ""  # the operator of which it computes some channels
    awaits: tuple[str, ...] = ()  # operators that must be over before, though it reads none of them

    def __post_init__(self) -> None:
        if min(self.cost_ms, self.send_ms, self.fetch_ms) < 0:
            raise GraphError(
                f"{self.name}: costs are >= 0 ms, got cost_ms={self.cost_ms}, "
                f"send_ms={self.send_ms}, fetch_ms={self.fetch_ms}. Measure again: "
                f"`python -m ramiel_core analyze MODEL --cost measured --refresh`."
            )
        if not set(self.aliases) <= set(self.inputs):
            raise GraphError(
                f"{self.name!r} can only lie in the memory of what it reads: list "
                f"{', '.join(self.aliases)} among its inputs."
            )

    @property
    def pooled_dimensions(self) -> int:
        """Over how many dimensions it takes means or maxima of windows; 0: it is no pooling.

        >>> OpNode("p", "adaptive_avg_pool2d").pooled_dimensions
        2
        """
        pooling = _POOLING.fullmatch(self.op)
        return int(pooling[1]) if pooling else 0

    @property
    def output_bytes(self) -> int:
        """Bytes of everything this operator returns."""
        return sum(spec.bytes for spec in self.outputs if spec)


@dataclass(frozen=True)
class Graph:
    """A weighed operator graph; `nodes` stand in topological order, which is checked.

    Model inputs and weights are not operators: inputs are listed apart, weights appear in the
    nodes' `call` only.
    """

    nodes: tuple[OpNode, ...]
    inputs: tuple[tuple[str, TensorSpec], ...] = ()
    outputs: tuple[str, ...] = ()  # operators (or inputs) whose values the model returns
    result: str = ""  # the Python expression of what the model returns, of `outputs` by name
    imports: tuple[str, ...] = ()  # lines that the nodes' calls need, beside torch and F
    model: str = ""
    kernels: str = "eager"  # the family of the calls
    cost_model: str = "unit"  # always named beside a cost
    signal_ms: float = 0.0  # the part of every send_ms in which the sender is free again
    crowd: int = 1  # workers that computed side by side when `crowding` was measured
    removed_constants: tuple[str, ...] = ()  # operators of the model that became weights
    removed_repeats: tuple[str, ...] = ()  # operators of the model that had been computed before
    removed_dead: tuple[str, ...] = ()  # operators of the model whose values nobody read

    def __post_init__(self) -> None:
        known = {name for name, _ in self.inputs}
        if len(known) != len(self.inputs):
            raise GraphError("two inputs of the model share a name; give each its own.")
        for node in self.nodes:
            if node.name in known:
                raise GraphError(f"two operators are called {node.name!r}; give each its own name.")
            for producer in (*node.inputs, *node.awaits):
                if producer not in known:
                    raise GraphError(
                        f"{node.name!r} reads {producer!r}, which no earlier operator makes: the "
                        f"graph has a cycle, or its nodes are not in topological order."
                    )
            known.add(node.name)
        for name in self.outputs:
            if name not in known:
                raise GraphError(f"the model returns {name!r}, which no operator makes.")

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each operator in topological order."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    @cached_property
    def producers(self) -> dict[str, tuple[str, ...]]:
        """Operators that each operator reads or awaits (model inputs left out)."""
        found = ((n.name, (*n.inputs, *n.awaits)) for n in self.nodes)
        return {name: tuple(p for p in before if p in self.index) for name, before in found}

    @cached_property
    def consumers(self) -> dict[str, tuple[str, ...]]:
        """Operators that read each operator, in topological order."""
        readers: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for producer in self.producers[node.name]:
                readers[producer].append(node.name)
        return {name: tuple(found) for name, found in readers.items()}

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(producer, consumer) pairs."""
        return tuple((p, n.name) for n in self.nodes for p in self.producers[n.name])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of structure and shapes, not of costs: the key of every cache."""
        digest = hashlib.sha256(repr((self.model, self.kernels, self.outputs)).encode())
        for n in self.nodes:  # shapes without strides: those may differ between devices
            shapes = [(s.shape, s.dtype) for s in n.outputs if s]
            digest.update(repr((n.name, n.op, n.inputs, shapes)).encode())
        return digest.hexdigest()[:20]

    @cached_property
    def clones(self) -> tuple[str, ...]:
        """Operators that repeat another one for their own cluster."""
        return tuple(node.name for node in self.nodes if node.clone_of)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Operators that compute some channels of another one, which only puts them together."""
        return tuple(node.name for node in self.nodes if node.part_of)

    @property
    def split(self) -> dict[str, int]:
        """Operators that are computed in parts, and in how many."""
        return dict(Counter(self[name].part_of for name in self.parts))

    @property
    def operators(self) -> int:
        """How many operators of the model these are: without clones, parts counted once."""
        return len(self) - len(self.clones) - len(self.parts)

    @property
    def unit(self) -> str:
        """What costs are counted in."""
        return "units" if self.cost_model == "unit" else "ms"

    @property
    def t1_ms(self) -> float:
        """Total cost: the time of one worker (T1), who needs no clones."""
        return sum(node.cost_ms for node in self.nodes if not node.clone_of)

    @property
    def parameters(self) -> int:
        """Number of weights that the operators read."""
        return sum(node.parameters for node in self.nodes if not node.clone_of)

    def __getitem__(self, name: str) -> OpNode:
        return self.nodes[self.index[name]]

    def __len__(self) -> int:
        return len(self.nodes)

    @classmethod
    def parse(cls, text: str) -> Graph:
        """Read ``name:cost<producers`` words, with ``~send`` after the cost where it is not 0.

        >>> Graph.parse("a:1 b:5~0.5<a c:2<a d:1<b,c").consumers["a"]
        ('b', 'c')
        """
        nodes = []
        for word in text.split():
            match = re.fullmatch(r"(\w+):([\d.]+)(?:~([\d.]+))?(?:<([\w,]+))?", word)
            if not match:
                raise GraphError(f"{word!r} is not of the form name:cost~send<producer,producer.")
            name, cost, send, producers = match.groups()
            inputs = tuple(producers.split(",")) if producers else ()
            call = f"op({', '.join(inputs)})"
            nodes.append(OpNode(name, "op", inputs, float(cost), float(send or 0), call))
        read = {p for n in nodes for p in n.inputs}
        outputs = tuple(n.name for n in nodes if n.name not in read)
        return cls(tuple(nodes), outputs=outputs, result=", ".join(outputs))

    def __str__(self) -> str:
        words = []
        for n in self.nodes:
            send = f"~{n.send_ms:g}" if n.send_ms else ""
            reads = f"<{','.join(self.producers[n.name])}" if self.producers[n.name] else ""
            words.append(f"{n.name}:{n.cost_ms:g}{send}{reads}")
        return " ".join(words)
