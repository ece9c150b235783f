"""Graph <-> JSON, and operators as CSV: what other tools read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ramiel_core.errors import GraphError
from ramiel_core.ir import Graph, OpNode, Plan, TensorSpec, Timeline

FORMAT = "ramiel graph 1"


def to_json(graph: Graph) -> str:
    """Every field of a graph and of its operators, under the names that they have here."""
    return json.dumps({"format": FORMAT, **asdict(graph)}, indent=1)


def from_json(text: str) -> Graph:
    """The graph that `to_json` wrote.

    Raises
    ------
    GraphError
        For text that is no such graph, or a graph that contradicts itself; says what is wrong.
    """
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise GraphError(f"this is no {FORMAT!r}; save the graph again with this Ramiel.")
        given = {field.name: _tuples(found[field.name]) for field in fields(Graph)}
        given["nodes"] = tuple(_node(node) for node in found["nodes"])
        given["inputs"] = tuple((name, _spec(spec)) for name, spec in found["inputs"])
        return Graph(**given)
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise GraphError(
            f"this is no graph that Ramiel saved ({type(cause).__name__}: {cause}); save it again."
        ) from cause


def _node(found: Mapping[str, Any]) -> OpNode:
    given = {name: _tuples(value) for name, value in found.items()}
    outputs = tuple(None if spec is None else _spec(spec) for spec in found["outputs"])
    return OpNode(**{**given, "outputs": outputs})


def _spec(found: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(tuple(found["shape"]), tuple(found["stride"]), found["dtype"])


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def operators_csv(graph: Graph, plan: Plan, measured: Timeline | None = None) -> str:
    """One line an operator: what it is, what it costs, and where it runs.

    Parameters
    ----------
    graph : Graph
        Weighed.
    plan : Plan
        Of this graph.
    measured : Timeline, optional
        Of a traced run, for a column of what each operator took there.
    """
    took = {b.name: b.end_ms - b.start_ms for b in (measured.bars if measured else ())
            if b.kind == "compute"}  # fmt: skip
    worker_of, critical = plan.worker_of(), frozenset(plan.critical_path)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for n in graph.nodes:
        place = worker_of[n.name], int(n.name in critical)
        cost = (
            f"{n.cost_ms:.6g}",
            f"{n.send_ms:.6g}",
            f"{took[n.name]:.6g}" if n.name in took else "",
        )
        size = n.flops, n.read_bytes, n.output_bytes, n.parameters
        output = " ".join(str(spec) for spec in n.outputs if spec)
        reads = " ".join(graph.producers[n.name])
        lines.writerow((n.name, n.op, n.module, *place, *cost, *size, output, reads))
    return text.getvalue()


_COLUMNS = (
    "operator", "kind", "module", "worker", "critical", "cost_ms", "send_ms", "measured_ms",
    "flops", "read_bytes", "output_bytes", "parameters", "output", "reads",
)  # fmt: skip
