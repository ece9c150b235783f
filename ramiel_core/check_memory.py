"""Does a Program write over a value that somebody still uses? Asked when it is emitted.

Reads the text of the program and the bytes of its layout as a stranger would, sharing no code
with what made them. That one statement is over before another follows from the order in each
cluster and from every `send` coming before its `receive`, and from nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ramiel_core.errors import ProgramError
from ramiel_core.ir import CALLER, Channel, Graph, Program

NOTHING = frozenset[str]()


def check_layout(graph: Graph, program: Program) -> None:
    """Every value is out of use, by everybody, before another one is written over it.

    Raises
    ------
    ProgramError
        Names two values that may lie in the same bytes at the same time, or one that lies
        elsewhere than its channel says.
    """
    _check_bytes(program)
    touched = _Replay(graph, program).touched()
    spans = sorted(_spans(program, touched), key=lambda span: span.first_byte)
    for at, one in enumerate(spans):
        for other in spans[at + 1 :]:
            if other.first_byte >= one.end_byte:
                break
            if not (_is_over(one, other) or _is_over(other, one)):
                raise ProgramError(
                    f"{one.value!r} and {other.value!r} lie in the same shared memory and may be "
                    f"there at the same time; this is a defect of Ramiel, please report it."
                )


# --- bytes ----------------------------------------------------------------------------------


def _check_bytes(program: Program) -> None:
    """Every channel has its bytes, a part those inside its whole, and parts do not overlap."""
    channels = {channel.value: channel for channel in program.channels}
    parts: dict[str, list[tuple[int, int]]] = {}
    for channel in program.channels:
        ranges = _ranges(program, channel)
        low, high = 0, program.layout.bytes
        if channel.place:
            low, high = _ranges(program, channels[channel.place.whole])[0]
            parts.setdefault(channel.place.whole, []).append(ranges[0])
            if ranges[0][0] - low != channel.place.first_byte:
                raise ProgramError(f"{channel.value!r} lies elsewhere than it is joined.")
        if not all(low <= first <= end <= high for first, end in ranges):
            raise ProgramError(f"{channel.value!r} lies outside of its memory; emit it again.")
    for whole, found in parts.items():
        if any(first < end for (_, end), (first, _) in pairwise(sorted(found))):
            raise ProgramError(f"two parts of {whole!r} lie in the same memory; emit it again.")


def _ranges(program: Program, channel: Channel) -> list[tuple[int, int]]:
    """First byte and the byte after the last of each tensor of a channel."""
    if len(program.layout.first_bytes.get(channel.value, ())) != len(channel.outputs):
        raise ProgramError(f"{channel.value!r} has no place in shared memory; emit it again.")
    starts = program.layout.first_bytes[channel.value]
    sizes = (spec.bytes if spec else 0 for spec in channel.outputs)
    return [(start, start + size) for start, size in zip(starts, sizes, strict=True)]


# --- what is over before what ---------------------------------------------------------------


@dataclass
class _Touched:
    """Statements that touch one buffer, as sets of bits."""

    uses: int = 0
    before_writes: int = -1  # what is over before every statement that writes it; at first: all
    is_kept: bool = False  # for the caller, who reads it after the end


@dataclass(frozen=True)
class _Span:
    """Bytes of one tensor with a buffer of its own."""

    value: str
    first_byte: int
    end_byte: int
    touched: _Touched


def _spans(program: Program, touched: dict[str, _Touched]) -> Iterator[_Span]:
    for channel in program.channels:
        if channel.place is None:
            for first, end in _ranges(program, channel):
                if first < end:
                    yield _Span(channel.value, first, end, touched[channel.value])


def _is_over(one: _Span, other: _Span) -> bool:
    """Whether nobody touches the one any more when somebody first writes the other."""
    over = one.touched.uses & ~other.touched.before_writes == 0
    return over and not one.touched.is_kept


@dataclass
class _Cluster:
    """One worker on its way through its statements."""

    statements: list[ast.stmt]
    at: int = 0
    past: int = 0  # what is over for certain before the next one
    lies: dict[str, frozenset[str]] = field(default_factory=dict)  # in which buffers, by name


class _Replay:
    """Goes through all clusters at once, statement by statement, as far as messages allow."""

    def __init__(self, graph: Graph, program: Program) -> None:
        self._graph, self._program = graph, program
        self._owners: dict[str, str] = {}  # whose buffer a value lies in
        self._touched: dict[str, _Touched] = {}
        self._sent: dict[str, tuple[int, frozenset[str]]] = {}
        for channel in reversed(program.channels):  # a whole comes after its parts
            value, place = channel.value, channel.place
            owner = self._owners[place.whole] if place else value
            self._owners[value] = owner
            self._touched.setdefault(owner, _Touched()).is_kept |= CALLER in channel.receivers

    def touched(self) -> dict[str, _Touched]:
        """Who touches each buffer, by the value that it belongs to."""
        clusters = [
            _Cluster(part.body)
            for part in ast.parse(self._program.source).body
            if isinstance(part, ast.FunctionDef) and part.name.startswith("cluster_")
        ]
        bit, moved = 1, True
        while moved:
            moved = False
            for cluster in clusters:
                while cluster.at < len(cluster.statements) and self._step(cluster, bit):
                    cluster.past |= bit
                    cluster.at += 1
                    bit, moved = bit << 1, True
        return self._touched

    def _step(self, cluster: _Cluster, bit: int) -> bool:
        """Run the next statement of a cluster, unless it waits for a value."""
        match cluster.statements[cluster.at]:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="receive"))
            ):
                if name in self._owners and name not in self._sent:
                    return False
                past, cluster.lies[name] = self._sent.get(name, (0, NOTHING))
                cluster.past |= past
            case ast.Assign(targets=[ast.Name(id=name)], value=expression):
                self._compute(cluster, bit, name, expression)
            case ast.Expr(value=ast.Call(func=ast.Name(id="send"), args=[_, ast.Name(id=name)])):
                lies = cluster.lies[name] | {self._owners[name]}
                self._touch(cluster, bit, lies, {self._owners[name]})
                # A worker in the same process gets the very tensor, in whatever memory it lies.
                self._sent[name] = cluster.past | bit, lies
        return True

    def _compute(self, cluster: _Cluster, bit: int, name: str, expression: ast.expr) -> None:
        parts = list(ast.walk(expression))
        read = [cluster.lies.get(part.id, NOTHING) for part in parts if isinstance(part, ast.Name)]
        written = {
            self._owners[str(value)]
            for part in parts
            if isinstance(part, ast.Call)
            and isinstance(part.func, ast.Name)
            and part.func.id == "shared"
            and isinstance(part.args[0], ast.Constant)
            and (value := part.args[0].value)
        }
        self._touch(cluster, bit, written.union(*read), written)
        aliases = self._graph[name].aliases
        cluster.lies[name] = NOTHING.union(written, *(cluster.lies[a] for a in aliases))

    def _touch(
        self, cluster: _Cluster, bit: int, used: Collection[str], written: Collection[str]
    ) -> None:
        for owner in used:
            self._touched[owner].uses |= bit
        for owner in written:
            self._touched[owner].before_writes &= cluster.past
