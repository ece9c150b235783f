"""The records that pass along model -> graph -> plan -> program -> run -> report.

Data only: each record checks itself when it is built, so that no algorithm has to, and none
can be changed afterwards (use `dataclasses.replace`). Units stand in the names: `_ms` is
milliseconds, `_bytes` bytes.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from ramiel_core.errors import GraphError, PlanError

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
    }
)

ALIGN_BYTES = 4096
"""Where a shared buffer may begin: at a page, so that no two of them share a cache line."""

CALLER = -1
"""The receiver number of whoever called the program, beside the workers 0, 1, 2, ..."""


@dataclass(frozen=True, slots=True)
class WeightsFit:
    """How the tensors of a file fit a model, by their names."""

    file: str  # its name, without folders
    model: str
    loaded: int  # tensors of the file that the model has taken
    missing: tuple[str, ...] = ()  # of the model, which the file lacks
    unexpected: tuple[str, ...] = ()  # of the file, which the model lacks
    misfits: tuple[tuple[str, str, str], ...] = ()  # name, what the file has, what is needed
    unwrapped: tuple[str, ...] = ()  # what was taken off: a dictionary around, a prefix
    converted: tuple[tuple[str, int], ...] = ()  # "float16 → float32", and how many
    not_finite: tuple[str, ...] = ()  # loaded, though they hold NaN or infinity


Inputs = tuple[Any, ...] | list[Any] | dict[str, Any]
"""Example inputs: positional arguments, or by keyword; tensors, or tuples, lists and dictionaries
of them, or values that are fixed. One tensor alone is as good as a tuple of it."""


@dataclass(frozen=True)
class Signature:
    """How a model is called: the structure of its arguments, and which of them are fixed."""

    structure: Any  # of (positional, keyword), as torch's pytree tells it
    fixed: tuple[tuple[int, Any], ...] = ()  # leaves that are no tensors: their place and value


@dataclass(frozen=True)
class TracedModel:
    """A model as a flat list of operator calls, on the device of its weights.

    On the `meta` device there are shapes but no numbers: enough for everything but running.
    """

    name: str
    module: torch.fx.GraphModule  # takes the tensors of its arguments one by one
    inputs: tuple[torch.Tensor, ...]
    tracer: str = "torch.fx"  # which of the two tracers managed: "torch.fx" or "torch.export"
    removed_constants: tuple[str, ...] = ()  # operators that became weights
    removed_dead: tuple[str, ...] = ()  # operators whose values nobody read
    weights: WeightsFit | None = None  # None: they were drawn, or came with the model
    signature: Signature | None = None  # None: it takes its tensors one by one


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What a traced model goes through before its operators are counted and planned.

    On by default, as neither changes what the golden models are: all that torch.fx traces of them
    is read and depends on the input.
    """

    fold_constants: bool = True
    drop_dead: bool = True


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """How one tensor lies in memory: enough to lay out a buffer for it before it exists."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]  # in items
    dtype: str  # "float32", as torch prints it without its prefix

    def __post_init__(self) -> None:
        if self.dtype not in ITEM_BYTES:
            raise GraphError(
                f"tensors of type {self.dtype} cannot be planned; "
                f"known types are {', '.join(ITEM_BYTES)}."
            )

    @classmethod
    def of(cls, tensor: torch.Tensor) -> TensorSpec:
        """How `tensor` lies in memory."""
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
    switch_ms: float = 0.0  # to change the thread count of its worker, and back, where a plan does
    aliases: tuple[str, ...] = ()  # inputs in whose memory its output may lie
    flops: int = 0
    read_bytes: int = 0  # inputs and parameters
    parameters: int = 0
    module: str = ""  # where in the model it was called: "inception3a.branch1.conv"
    repeatable: bool = False  # computed twice it gives the same bits and disturbs nobody
    clone_of: str = ""  # the operator that it repeats for its own cluster

    def __post_init__(self) -> None:
        if min(self.cost_ms, self.send_ms) < 0:
            raise GraphError(
                f"{self.name}: costs are >= 0 ms, got cost_ms={self.cost_ms}, "
                f"send_ms={self.send_ms}. Measure again: `python -m ramiel_core analyze MODEL "
                f"--cost measured --refresh`."
            )
        if not set(self.aliases) <= set(self.inputs):
            raise GraphError(
                f"{self.name!r} can only lie in the memory of what it reads: list "
                f"{', '.join(self.aliases)} among its inputs."
            )

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
    removed_dead: tuple[str, ...] = ()  # operators of the model whose values nobody read

    def __post_init__(self) -> None:
        known = {name for name, _ in self.inputs}
        if len(known) != len(self.inputs):
            raise GraphError("two inputs of the model share a name; give each its own.")
        for node in self.nodes:
            if node.name in known:
                raise GraphError(f"two operators are called {node.name!r}; give each its own name.")
            for producer in node.inputs:
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
        """Operators that each operator reads (model inputs left out)."""
        return {n.name: tuple(p for p in n.inputs if p in self.index) for n in self.nodes}

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


class Recipe(ABC):
    """A weight that a worker prepares for itself, after the fork.

    Packed weights belong to a thread count, and the sessions of kernel libraries have threads of
    their own, which a fork would lose.
    """

    @abstractmethod
    def build(self, threads: int) -> Any:
        """What the program finds in `w`, for operators that run at `threads` threads."""


@dataclass(frozen=True)
class Parcel:
    """Everything a launcher needs to run a model: no code of the model's own."""

    graph: Graph  # unweighed, its strides those of real values
    weights: Mapping[str, Any]
    inputs: tuple[torch.Tensor, ...]
    reference: Any  # what the model itself returned for `inputs`, at one thread
    fused: tuple[Graph, Mapping[str, Any]] | None = None  # graph and weights of the fused family


@dataclass(frozen=True, slots=True)
class Step:
    """One merge of two clusters, as the merge player shows it."""

    iteration: int  # of the passes to the fixpoint; the ones after it count on
    kept: int  # number of the linear cluster that names the merged one
    gone: int  # the cluster that it swallowed, by its own first linear cluster
    spans: tuple[tuple[float, float], tuple[float, float]]  # of both, on the distance axis, ms
    clusters: int  # how many are left after it
    cut_edges: int  # edges between clusters after it
    makespan_ms: float | None  # predicted after it, one worker a cluster; None: graph too large
    reason: str  # why this pair, in a sentence


@dataclass(frozen=True, slots=True)
class Plan:
    """Which worker runs which operators, in which order."""

    clusters: tuple[tuple[str, ...], ...]  # one a worker, in run order
    linear: tuple[tuple[str, ...], ...] = ()  # the chains of Algorithm 2
    steps: tuple[Step, ...] = ()  # every merge, from `linear` on
    threads: int = 1  # of each worker, inside operators that run side by side with others
    wide: tuple[str, ...] = ()  # operators that run alone, with `wide_threads` threads
    wide_threads: int = 1
    moves: int = 0  # times that operators changed their cluster after the last merge
    fixpoint: int = 0  # clusters at the natural fixpoint of merging
    critical_path: tuple[str, ...] = ()
    t1_ms: float = 0.0
    tinf_ms: float = 0.0  # critical path with free sends: the bound on any plan
    tinf_send_ms: float = 0.0  # critical path when every edge pays its send
    makespan_ms: float = 0.0  # predicted
    rejected_makespan_ms: float | None = None  # of the parallel plan that sequential replaced
    planner: str = ""  # its name in `plan.planner.PLANNERS`; "" where none was asked
    lower_bound_ms: float = 0.0  # that the exact planner proved for so many workers; 0: none

    def __post_init__(self) -> None:
        if not self.clusters or not all(self.clusters):
            raise PlanError("a plan needs at least one cluster, and no cluster may be empty.")

    @property
    def workers(self) -> int:
        """How many workers the plan uses."""
        return len(self.clusters)

    @property
    def parallelism(self) -> float:
        """T1 / T-infinity: no number of workers can be faster than this."""
        return self.t1_ms / self.tinf_ms if self.tinf_ms else 1.0

    def worker_of(self) -> dict[str, int]:
        """Worker number by operator name."""
        return {name: i for i, cluster in enumerate(self.clusters) for name in cluster}

    @classmethod
    def parse(cls, text: str) -> Plan:
        r"""Read one ``worker: operator operator ...`` a line, as `str` writes them.

        >>> Plan.parse("0: a b d\n1: c").clusters
        (('a', 'b', 'd'), ('c',))
        """
        lines = [line.partition(": ") for line in text.splitlines()]
        for i, (number, _, _) in enumerate(lines):
            if number != str(i):
                raise PlanError(f"line {i + 1} of a plan begins with '{i}: ', not {number[:40]!r}.")
        return cls(tuple(tuple(names.split()) for _, _, names in lines))

    def __str__(self) -> str:
        return "\n".join(f"{i}: {' '.join(names)}" for i, names in enumerate(self.clusters))


BarKind = Literal["compute", "copy", "wait", "dispatch"]
"""`dispatch`: the worker wakes, Python gets to the next line, or the thread count changes."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What one worker did, or is predicted to do, from one instant to another."""

    worker: int
    name: str  # the operator computed, copied out, waited for or got to
    kind: BarKind
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """One inference, predicted or measured; time 0 is its start."""

    bars: tuple[Bar, ...]
    makespan_ms: float

    def total_ms(self, kind: BarKind, worker: int | None = None) -> float:
        """Time spent on `kind`, by one worker or by all."""
        return sum(
            b.end_ms - b.start_ms
            for b in self.bars
            if b.kind == kind and (worker is None or b.worker == worker)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies inside another one's buffer."""

    whole: str
    first_byte: int  # its own first one, counted in the other's buffer


@dataclass(frozen=True, slots=True)
class Point:
    """Speedup over one worker on so many, each with cores of its own."""

    workers: int  # at most
    used: int  # that have something to do
    speedup: float  # predicted
    most: float  # no plan is faster: min(workers, T1 / T-infinity)
    least: float  # any greedy plan is at least so fast, if sends are free (Graham)


@dataclass(frozen=True, slots=True)
class Channel:
    """One value with a buffer in shared memory, and one signal for each receiver.

    Without receivers it stays in its worker, where others have written parts of it, or is itself
    a part.
    """

    value: str
    sender: int
    receivers: tuple[int, ...]  # workers, or CALLER
    outputs: tuple[TensorSpec | None, ...]
    is_tuple: bool = False
    place: Place | None = None  # None: in a buffer of its own

    @property
    def sizes_bytes(self) -> tuple[int, ...]:
        """What each tensor takes in a buffer of its own."""
        return tuple(
            -(-spec.bytes // ALIGN_BYTES) * ALIGN_BYTES if spec else 0 for spec in self.outputs
        )

    @property
    def bytes(self) -> int:
        """What all of it takes in a buffer of its own."""
        return sum(self.sizes_bytes)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the values of channels lie in the memory that workers share."""

    first_bytes: Mapping[str, tuple[int, ...]]  # by value, of each of its tensors
    bytes: int  # of everything
    apart_bytes: int  # what it would be if no memory were used twice

    @classmethod
    def of(cls, channels: Sequence[Channel], starts: Mapping[str, int]) -> Layout:
        """Lay out values whose buffers begin at `starts`, and parts inside their wholes.

        Parameters
        ----------
        channels : sequence of Channel
            A whole comes after its parts.
        starts : mapping
            First byte by value, of all that have a buffer of their own.
        """
        first: dict[str, tuple[int, ...]] = {}
        for channel in reversed(channels):
            if channel.place is None:
                start = starts[channel.value]
            else:
                start = first[channel.place.whole][0] + channel.place.first_byte
            first[channel.value] = tuple(accumulate(channel.sizes_bytes, initial=start))[:-1]
        own = [c for c in channels if c.place is None]
        ends = (starts[c.value] + c.bytes for c in own)
        return cls(MappingProxyType(first), max(ends, default=0), sum(c.bytes for c in own))

    @classmethod
    def apart(cls, channels: Sequence[Channel]) -> Layout:
        """Every buffer behind the one before it: no memory is used twice."""
        own = [channel for channel in channels if channel.place is None]
        ends = accumulate((channel.bytes for channel in own), initial=0)
        return cls.of(channels, {c.value: start for c, start in zip(own, ends, strict=False)})


@dataclass(frozen=True, slots=True)
class Program:
    """Python source with one function `cluster_i` a worker, and the channels between them."""

    model: str
    source: str
    workers: int
    channels: tuple[Channel, ...]
    inputs: tuple[tuple[str, TensorSpec], ...]
    layout: Layout
    functions: tuple[str, ...] = ()  # `cluster_0`, ...; the source of each
    wide_threads: int = 1  # the most that any operator runs with, where they differ
    wide_weights: frozenset[str] = frozenset()  # read by operators that run so

    def received_by(self, worker: int) -> tuple[Channel, ...]:
        """Channels that `worker` (or CALLER) reads."""
        return tuple(c for c in self.channels if worker in c.receivers)


KERNELS = ("eager", "fused", "inductor", "onnxruntime", "openvino")
"""Kernel families: what computes an operator, or a segment of them."""

AUTO = "auto"
"""In place of a kernel family: whatever the tuner has found to be fastest here."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run a model on this host."""

    kernels: str = "eager"
    planner: str = "ramiel"
    runtime: Literal["processes", "threads"] = "processes"
    workers: int = 1
    threads: int = 1  # inside each operator, of each worker

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        if self.workers == 1:
            return f"{self.kernels}, {threads}"
        apart = "" if self.runtime == "processes" else " in one process"
        return f"{self.kernels}, {self.planner}, {self.workers} workers × {threads}{apart}"


@dataclass(frozen=True, slots=True)
class Job:
    """A benchmark as it was asked for; travels to the launcher as JSON."""

    model: str  # a name of torchvision's registry, or what the model sent along is called
    task: Literal["bench", "profile", "tune", "open"] = "bench"
    kernels: str = "eager"
    planner: str = "ramiel"
    runtime: Literal["processes", "threads"] = "processes"
    workers: int | None = None  # None: as many as are predicted to pay
    threads: int = 1  # inside each operator
    repeats: int = 30
    signals: Literal["fast", "queue"] = "fast"
    budget_s: float = 60.0  # of a tuner, or of opening an archive that can execute code
    fold_constants: bool = True
    drop_dead: bool = True
    clone: bool = False
    plan: str = ""  # who runs what, as `str(Plan)` writes it, where no planner decides
    weights: str = ""  # the file to load, as `model.weights` names it; "" for random ones
    partial_weights: bool = False  # whether they may fit in part
    shapes: str = ""  # of the inputs of an archive to open: "1x3x224x224,1x64:int64"

    def __post_init__(self) -> None:
        if self.plan and self.kernels in ("fused", AUTO):
            raise PlanError(
                f"a plan of one's own names the model's operators, which --kernels {self.kernels} "
                f"puts together: choose eager, onnxruntime or openvino."
            )
        if self.workers is not None and self.workers < 1:
            raise PlanError(f"--workers must be 1 or more, not {self.workers}.")
        if self.threads < 1:
            raise PlanError(f"--threads must be 1 or more, not {self.threads}.")
        if self.repeats < 1:
            raise PlanError(f"--repeats must be 1 or more, not {self.repeats}.")
        if self.signals not in ("fast", "queue"):
            raise PlanError(f"--signals is fast or queue, not {self.signals!r}.")
        if self.kernels not in (*KERNELS, AUTO):
            raise PlanError(
                f"--kernels is one of {', '.join((*KERNELS, AUTO))}, not {self.kernels!r}."
            )
        if self.runtime not in ("processes", "threads"):
            raise PlanError(f"--runtime is processes or threads, not {self.runtime!r}.")
        if self.clone and (self.kernels not in ("eager", "fused") or self.planner == "moldable"):
            raise PlanError(
                "only torch's operators can be cloned, in plans of one thread count: use --clone "
                "with --kernels eager or fused and another planner than moldable."
            )
        if self.budget_s <= 0:
            raise PlanError(f"--budget must be more than 0 seconds, not {self.budget_s:g}.")

    @property
    def rewrites(self) -> Rewrites:
        """Those that it asks for."""
        return Rewrites(self.fold_constants, self.drop_dead)


@dataclass(frozen=True, slots=True)
class Run:
    """Timed inferences of one configuration."""

    label: str  # "sequential", "parallel", "threads"
    workers: int
    threads: int  # inside each operator
    times_ms: tuple[float, ...]
    equal: bool  # to the reference after every one of them: bit for bit, or within `tolerance`
    max_difference: float  # from it, the largest of all outputs and inferences
    tolerance: float = 0.0  # as a share of the largest value; 0 means bit for bit
    memory_bytes: int = 0  # of all its workers together (proportional set size)
    shared_bytes: int = 0  # for values that cross workers, or go to the caller
    apart_bytes: int = 0  # the same, if no two of these values used the same memory


@dataclass(frozen=True)
class Report:
    """What a benchmark found; `report.summarize.record` turns it into JSON."""

    model: str
    operators: int
    plan: Plan
    job: Job
    cost_model: str
    runs: tuple[Run, ...]  # sequential, parallel and, where cores allow, threads
    sequential_ms: float
    parallel_ms: float
    speedup: float
    speedup_ci: tuple[float, float]  # 95 %, bootstrap over rounds
    bound: float  # min(workers asked for, T1 / T-infinity)
    equal: bool
    operator_ms: Mapping[str, float]  # of each alone, in the very minutes of the runs
    predicted: Timeline
    measured: Timeline  # the traced inference of median length
    verdict: str
    host: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    removed_constants: tuple[str, ...] = ()
    removed_dead: tuple[str, ...] = ()
    cloned: tuple[str, ...] = ()  # clones by their own names
    crowding: Mapping[str, float] = field(default_factory=dict)  # as `operator_ms`; unnamed: 0
    crowd: int = 1  # workers side by side when `crowding` was measured; 1: it was not

    def run(self, label: str) -> Run | None:
        """The run with this label, if it was made."""
        return next((r for r in self.runs if r.label == label), None)
