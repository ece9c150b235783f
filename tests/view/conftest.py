from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from ramiel_core.graph.extract import extract
from ramiel_core.ir import Graph, OpNode
from ramiel_core.model import zoo
from ramiel_core.model.trace import trace

HOSTILE = (
    'a"b',
    "<script>x()</script>",
    r"back\slash\N\\",
    'href="x"',
    "p:port:n",
    "<b>",
    "ü{|}",
)
"""Names that mean something to HTML, to DOT, to Graphviz's labels or to pyvis."""


@cache
def _zoo_graph(name: str) -> Graph:
    module, inputs = zoo.build(name, "meta")
    return extract(trace(module, inputs, name))


@pytest.fixture(scope="session")
def zoo_graph() -> Callable[[str], Graph]:
    """Operator graph of a torchvision model, by name."""
    return _zoo_graph


@pytest.fixture
def hostile_graph() -> Graph:
    """A chain of operators with hostile names, kinds and modules."""
    nodes = [
        OpNode(name, op=name, inputs=HOSTILE[max(0, i - 1) : i], module=name)
        for i, name in enumerate(HOSTILE)
    ]
    return Graph(tuple(nodes), outputs=HOSTILE[-1:], model="<img src=x onerror=alert(1)>")
