"""Does a Plan fit its Graph, a Program its Plan? Asked after each arrow.

Each check reads its record as a stranger would, sharing no code with what made it.
"""

from __future__ import annotations

import ast
import builtins
import re

from ramiel_core.errors import PlanError, ProgramError
from ramiel_core.ir import CALLER, Graph, Plan, Program


def check_plan(graph: Graph, plan: Plan) -> None:
    """Every operator on exactly one worker, and no worker waits for ever.

    Raises
    ------
    PlanError
        Names the operator that is missing, planned twice, unknown or out of order.
    """
    planned = [name for cluster in plan.clusters for name in cluster]
    seen: set[str] = set()
    for name in planned:
        if name not in graph.index:
            raise PlanError(f"the plan names {name!r}, which is not an operator of the graph.")
        if name in seen:
            raise PlanError(f"the plan runs {name!r} twice; give it to one worker only.")
        seen.add(name)
    for node in graph.nodes:
        if node.name not in seen:
            raise PlanError(f"no worker runs {node.name!r}; add it to a cluster.")
    _check_clones(graph, plan)
    _check_parts(graph)
    stuck = _stuck(graph, plan)
    if stuck:
        raise PlanError(
            f"the plan never ends: {' and '.join(map(repr, stuck))} wait for each other. Order "
            f"each worker's operators by decreasing distance to end."
        )


def _check_clones(graph: Graph, plan: Plan) -> None:
    """A clone computes what its original does, elsewhere, for readers beside it only."""
    worker_of = plan.worker_of()
    original = {node.name: node.clone_of or node.name for node in graph.nodes}
    for name in graph.clones:
        node, first = graph[name], original[name]
        if first not in graph.index or graph[first].clone_of:
            raise PlanError(f"{name!r} is a clone of {first!r}, which is no operator; plan again.")
        one, two = (
            [original.get(word, word) for word in (*n.inputs, *re.findall(r"\w+", n.call))]
            for n in (node, graph[first])
        )
        if one != two or not graph[first].repeatable:
            raise PlanError(f"{name!r} does not compute what {first!r} does; plan again.")
        here = worker_of[name]
        if worker_of[first] == here or any(worker_of[r] != here for r in graph.consumers[name]):
            raise PlanError(f"{name!r} saves no worker from waiting for {first!r}; leave it out.")


def _check_parts(graph: Graph) -> None:
    """Parts of an operator hold each of its channels once, in order, and are all put together."""
    for name in sorted({graph[part].part_of for part in graph.parts}):
        parts = [node for node in graph.nodes if node.part_of == name]
        if name not in graph.index or graph[name].joins != tuple(part.name for part in parts):
            raise PlanError(f"{name!r} does not put its parts together; plan again.")
        slices = [re.findall(r"\[(?:0:1|:|, )*(\d+):(\d+)\]", part.call) for part in parts]
        borders = [(int(first), int(last)) for found in slices for first, last in found[:1]]
        ends = [0, *(last for _, last in borders)]
        if [first for first, _ in borders] != ends[:-1] or len(borders) != len(parts):
            raise PlanError(f"the parts of {name!r} do not hold each channel once; plan again.")
        sizes = [part.output_bytes for part in parts]
        if sum(sizes) != graph[name].output_bytes:
            raise PlanError(f"the parts of {name!r} are not as large as it; plan again.")


def _stuck(graph: Graph, plan: Plan) -> list[str]:
    """The operators at which workers wait for ever; none where the plan runs to its end."""
    done: set[str] = set()
    at = [0] * plan.workers
    moved = True
    while moved:
        moved = False
        for worker, cluster in enumerate(plan.clusters):
            while at[worker] < len(cluster):
                name = cluster[at[worker]]
                if not done.issuperset(graph.producers[name]):
                    break
                done.add(name)
                at[worker] += 1
                moved = True
    return [c[i] for c, i in zip(plan.clusters, at, strict=True) if i < len(c)]


def check_program(graph: Graph, plan: Plan, program: Program) -> None:
    """The text computes what the plan says: each operator once, each value before it is read.

    Raises
    ------
    ProgramError
        Names the function and the value.
    """
    try:
        module = ast.parse(program.source)
    except SyntaxError as cause:
        raise ProgramError(
            f"the program of {graph.model} is not valid Python at line {cause.lineno}: "
            f"{cause.text}. Please report the model that caused it."
        ) from cause
    functions = {f.name: f for f in module.body if isinstance(f, ast.FunctionDef)}
    given = {"w", "receive", "send", "shared", *dir(builtins), *_imported(module)}
    sent: dict[str, int] = {}
    received: set[tuple[str, int]] = set()
    for worker, cluster in enumerate(plan.clusters):
        name = f"cluster_{worker}"
        if name not in functions:
            raise ProgramError(f"the program has no function {name}; emit it from its plan again.")
        computed = _walk(functions[name], worker, given, sent, received)
        if tuple(computed) != cluster:
            raise ProgramError(f"{name} does not compute its cluster in order; emit it again.")
    for channel in program.channels:
        for receiver in channel.receivers:
            if receiver != CALLER and (channel.value, receiver) not in received:
                raise ProgramError(f"cluster_{receiver} never receives {channel.value!r}.")
        if channel.receivers and sent.pop(channel.value, None) != channel.sender:
            raise ProgramError(f"cluster_{channel.sender} never sends {channel.value!r}.")
    if sent:
        raise ProgramError(f"{next(iter(sent))!r} is sent, but no channel carries it.")


def _walk(
    function: ast.FunctionDef,
    worker: int,
    given: set[str],
    sent: dict[str, int],
    received: set[tuple[str, int]],
) -> list[str]:
    """Follow one function statement by statement; returns the operators it computes."""
    alive: set[str] = set()
    computed = []
    for statement in function.body[1:]:
        if isinstance(statement, ast.Delete):
            alive -= {t.id for t in statement.targets if isinstance(t, ast.Name)}
            continue
        names = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
        for used in (n.id for n in names if isinstance(n.ctx, ast.Load)):
            if used not in alive and used not in given:
                raise ProgramError(f"{function.name} reads {used!r} before it has it.")
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            target = statement.targets[0].id
            if _calls(statement.value, "receive"):
                _same_name(function, statement.value, target)
                received.add((target, worker))
            else:
                computed.append(target)
            alive.add(target)
        elif isinstance(statement, ast.Expr) and _calls(statement.value, "send"):
            value = statement.value.args[1]  # type: ignore[attr-defined]
            _same_name(function, statement.value, value.id)
            sent[value.id] = worker
    return computed


def _calls(expression: ast.expr, name: str) -> bool:
    function = expression.func if isinstance(expression, ast.Call) else None
    return isinstance(function, ast.Name) and function.id == name


def _same_name(function: ast.FunctionDef, call: ast.expr, value: str) -> None:
    """A value travels under its own name: `a = receive("a")`, `send("a", a)`."""
    label = call.args[0] if isinstance(call, ast.Call) and call.args else None
    if not isinstance(label, ast.Constant) or label.value != value:
        raise ProgramError(f"{function.name} calls {value!r} by another name: {ast.unparse(call)}.")


def _imported(module: ast.Module) -> set[str]:
    """Names that the program's own import lines bind."""
    lines = [line for line in module.body if isinstance(line, ast.Import | ast.ImportFrom)]
    return {(a.asname or a.name).split(".")[0] for line in lines for a in line.names}
