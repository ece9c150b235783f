"""Program text -> callable functions, with a mark woven in at each statement.

For timed runs the mark is one integer store (about 40 ns): the statement that the worker is at,
so that a worker which is killed can still be blamed on an operator. For traced runs it is a time
stamp after each statement. The text that is shown is otherwise exactly what is compiled.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ramiel_core.errors import ProgramError
from ramiel_core.ir import BarKind, Program


@dataclass(frozen=True, slots=True)
class Statement:
    """One marked statement: what it does, and for which value."""

    kind: BarKind
    name: str


@dataclass(frozen=True, slots=True)
class Woven:
    """One cluster's function, and what its marks mean."""

    call: Callable[[Any, Any, Any, Any], None]
    statements: tuple[Statement, ...]


def weave_progress(program: Program, worker: int, at: Any) -> Woven:
    """Store into `at[0]` the number of the statement that is about to run."""
    return _weave(program, worker, "_at[0] = {i}", before=True, names={"_at": at})


def weave_stamps(program: Program, worker: int, stamps: Any, clock: Callable[[], int]) -> Woven:
    """Store into `stamps[i + 1]` when statement i ended, into `stamps[0]` when the first began."""
    names = {"_stamps": stamps, "_clock": clock}
    return _weave(program, worker, "_stamps[{i} + 1] = _clock()", before=False, names=names)


def in_one(program: Program) -> Callable[..., Any]:
    """The first cluster and `result` as one function of `w`, `shared` and the inputs in order.

    For who has nobody to send to: each message would cost some µs after an inference, when the
    code that hands it over has left the caches.
    """
    module = ast.parse(program.source)
    cluster, result = _function(module, "cluster_0"), _function(module, "result")
    wanted = {argument.arg for argument in result.args.args}
    body: list[ast.stmt] = []
    for statement in cluster.body:
        match statement:
            case ast.Assign(value=ast.Call(func=ast.Name(id="receive"))):
                pass  # it is an argument
            case ast.Expr(value=ast.Call(func=ast.Name(id="send"))):
                pass  # and this is returned
            case ast.Delete(targets=targets):
                left = [t for t in targets if not (isinstance(t, ast.Name) and t.id in wanted)]
                body += [ast.Delete(left)] if left else []
            case _:
                body.append(statement)
    cluster.body = body + [s for s in result.body if isinstance(s, ast.Return)]
    names = ["w", "shared", *(name for name, _ in program.inputs)]
    cluster.args.args = [ast.arg(name) for name in names]
    ast.fix_missing_locations(module)
    found: Callable[..., Any] = _compiled(module, program, {})[cluster.name]
    return found


def calls_only_weights(program: Program) -> bool:
    """Whether all that the first cluster computes is computed by what it finds in `w`."""
    made = (s for s in _cluster(ast.parse(program.source), 0).body if _computes(s))
    return all(
        isinstance(s, ast.Assign)
        and isinstance(s.value, ast.Call)
        and isinstance(s.value.func, ast.Subscript)
        for s in made
    )


def _computes(statement: ast.stmt) -> bool:
    described = _describe(statement)
    return described is not None and described.kind == "compute"


def result_of(program: Program) -> Callable[..., Any]:
    """The program's `result` function: the model's own output structure."""
    found: Callable[..., Any] = _compiled(ast.parse(program.source), program, {})["result"]
    return found


def statements(program: Program, worker: int) -> tuple[Statement, ...]:
    """What one cluster does, one entry a mark."""
    return tuple(s for s in map(_describe, _cluster(ast.parse(program.source), worker).body) if s)


def _weave(
    program: Program, worker: int, mark: str, *, before: bool, names: dict[str, Any]
) -> Woven:
    module = ast.parse(program.source)
    function = _cluster(module, worker)
    found: list[Statement] = []
    body: list[ast.stmt] = []
    pending: ast.stmt | None = None  # a stamp waits until the `del` of its statement is over
    if not before:
        body.append(_parse(mark.format(i=-1)))
    for statement in function.body:
        described = _describe(statement)
        if described is not None:
            if pending is not None:
                body.append(pending)
            marked = _parse(mark.format(i=len(found)))
            ast.copy_location(marked, statement)
            found.append(described)
            if before:
                body.append(marked)
            else:
                pending = marked
        body.append(statement)
    if pending is not None:
        body.append(pending)
    function.body = body
    ast.fix_missing_locations(module)
    call = _compiled(module, program, names)[function.name]
    return Woven(call, tuple(found))


def _cluster(module: ast.Module, worker: int) -> ast.FunctionDef:
    return _function(module, f"cluster_{worker}")


def _function(module: ast.Module, name: str) -> ast.FunctionDef:
    for part in module.body:
        if isinstance(part, ast.FunctionDef) and part.name == name:
            return part
    raise ProgramError(f"the program has no function {name}; emit it from its plan again.")


def _describe(statement: ast.stmt) -> Statement | None:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="send"), args=[ast.Constant(value=name), _])):
            return Statement("copy", str(name))
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="receive"))):
            return Statement("wait", name)
        case ast.Assign(targets=[ast.Name(id=name)]):
            return Statement("compute", name)
    return None


def _parse(text: str) -> ast.stmt:
    return ast.parse(text).body[0]


def _compiled(module: ast.Module, program: Program, names: dict[str, Any]) -> dict[str, Any]:
    filename = f"<{program.model} on {program.workers} workers>"
    lines = program.source.splitlines(keepends=True)
    linecache.cache[filename] = (len(program.source), None, lines, filename)  # for tracebacks
    scope = dict(names)
    exec(compile(module, filename, "exec"), scope)  # noqa: S102 - our own text, just emitted
    return scope
