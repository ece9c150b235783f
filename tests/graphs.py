"""Named shapes and random graphs, in the notation of `Graph.parse`: name:cost~send<producers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hypothesis import strategies as st

from ramiel_core.ir import Graph, OpNode, Plan, TensorSpec

SHAPES: Mapping[str, str] = MappingProxyType(
    {
        # a
        "single": "a:1",
        # a - b - c - d
        "chain": "a:1~1 b:2~1<a c:3~1<b d:4~1<c",
        #     b:5
        #    /   \
        #  a       d
        #    \   /
        #     c:2
        "diamond": "a:1 b:5<a c:2<a d:1<b,c",
        #    b c d e f g, of different length, between one fork and one join
        "fork_join": (
            "a:1~0.5 b:6~0.5<a c:5~0.5<a d:4~0.5<a e:3~0.5<a f:2~0.5<a g:1~0.5<a z:1<b,c,d,e,f,g"
        ),
        #       /- b1 ---------- \
        #  stem -- c1 - c2 ------- cat - (the same again)
        #      \-- d1 - d2 - d3 - /
        #       \- p1 - p2 ------/
        "inception": (
            "stem:4~0.2 b1:2~0.2<stem c1:1~0.2<stem c2:5~0.2<c1 d1:1~0.2<stem d2:3~0.2<d1 "
            "d3:3~0.2<d2 p1:1~0.2<stem p2:1~0.2<p1 cat1:0.5~0.2<b1,c2,d3,p2 "
            "e1:2~0.2<cat1 f1:1~0.2<cat1 f2:5~0.2<f1 g1:1~0.2<cat1 g2:3~0.2<g1 g3:3~0.2<g2 "
            "q1:1~0.2<cat1 q2:1~0.2<q1 cat2:0.5~0.2<e1,f2,g3,q2 fc:1<cat2"
        ),
        #     /- b1 - c1 - d1 -\
        #   a ------- s1 ------- + - b2 - c2 - d2 - + (skip: the value itself)
        #                         \________________/
        "resnet": (
            "a:2~1 b1:2~1<a c1:4~1<b1 d1:2~1<c1 s1:2~1<a add1:1~1<d1,s1 "
            "b2:2~1<add1 c2:4~1<b2 d2:2~1<c2 add2:1<d2,add1"
        ),
        #   every layer reads all before it: a chain with skips, one linear cluster
        "densenet": "a:1~1 b:2~1<a c:2~1<a,b d:2~1<a,b,c e:2~1<a,b,c,d f:1<a,b,c,d,e",
        #   a - b - c     d - e - f
        "two_components": "a:3~1 b:3~1<a c:3<b d:2~1 e:2~1<d f:2<e",
        #   a diamond whose sends cost ten times its operators
        "dear_sends": "a:1~50 b:5~50<a c:4~50<a d:1<b,c",
        #   operators of no cost at all
        "free": "a:0 b:0<a c:0<a d:0<b,c",
        #   two inputs cross over: a and b both feed c and d
        "cross": "a:2~0.5 b:3~0.5 c:2~0.5<a,b d:3~0.5<a,b e:1<c,d",
    }
)


def shape(name: str) -> Graph:
    """One of `SHAPES`, built."""
    return Graph.parse(SHAPES[name])


@st.composite
def graphs(draw: st.DrawFn, most: int = 16, *, fetches: bool = True) -> Graph:
    """Any small DAG with costs, sends and a signal; in quarters, so that sums are exact."""
    quarters = st.integers(0, 40).map(lambda n: n / 4)
    signal_ms = draw(st.sampled_from((0.0, 0.25, 1.0)))
    nodes: list[OpNode] = []
    for i in range(draw(st.integers(1, most))):
        earlier = [node.name for node in nodes]
        reads = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        cost_ms, send_ms = draw(quarters), signal_ms + draw(quarters)
        fetch_ms = draw(st.sampled_from((0.0, 0.25, 1.0))) if fetches else 0.0
        node = OpNode(f"v{i}", "op", tuple(reads), cost_ms, send_ms)
        nodes.append(replace(node, fetch_ms=fetch_ms))
    return Graph(tuple(nodes), signal_ms=signal_ms)


def scaled(graph: Graph, factor: Mapping[str, float], otherwise: float) -> Graph:
    """The graph with costs as they are when every operator has all threads."""
    nodes = (replace(n, cost_ms=n.cost_ms * factor.get(n.name, otherwise)) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def large_graph(count: int, seed: int = 0) -> Graph:
    """A random DAG of `count` operators, each reading up to three of the hundred before it."""
    rng = random.Random(seed)
    nodes = []
    for i in range(count):
        reads = rng.sample(range(max(0, i - 100), i), min(i, rng.randint(0, 3)))
        inputs = tuple(f"v{j}" for j in sorted(reads))
        nodes.append(OpNode(f"v{i}", "op", inputs, rng.uniform(0.01, 2), rng.uniform(0.03, 0.3)))
    return Graph(tuple(nodes))


def any_order_plan(graph: Graph, workers: int, seed: int) -> Plan:
    """A right plan that no planner would make: any topological order, any worker."""
    rng = random.Random(seed)
    missing = {node.name: set(graph.producers[node.name]) for node in graph.nodes}
    clusters: list[list[str]] = [[] for _ in range(workers)]
    while missing:
        name = rng.choice([name for name, producers in missing.items() if not producers])
        del missing[name]
        for producers in missing.values():
            producers.discard(name)
        rng.choice(clusters).append(name)
    return Plan(tuple(tuple(names) for names in clusters if names))


def dealt_plan(graph: Graph, workers: int) -> Plan:
    """Operators dealt like cards, so that nearly every edge is cut: a b c d -> a c | b d."""
    names = [node.name for node in graph.nodes]
    return Plan(tuple(filter(None, (tuple(names[i::workers]) for i in range(workers)))))


def computing(graph: Graph) -> Graph:
    """The same graph with calls that run: every operator adds up what it reads, and one more."""
    pair = TensorSpec((2,), (1,), "float32")
    nodes = []
    for node in graph.nodes:
        reads = ", ".join(("torch.ones(2)", *node.inputs))
        nodes.append(replace(node, call=f"torch.stack([{reads}]).sum(0)", outputs=(pair,)))
    outputs = tuple(name for name, readers in graph.consumers.items() if not readers)
    return replace(graph, nodes=tuple(nodes), outputs=outputs, result=", ".join(outputs))


@st.composite
def sharing_graphs(draw: st.DrawFn, most: int = 20) -> Graph:
    """Operators that run, of several sizes, with views, writes in place and concatenations.

    Every value is one number many times over, which tells what it was computed from.
    """
    nodes: list[OpNode] = []
    for i in range(draw(st.integers(2, most))):
        gone = {r for node in nodes if node.op in ("in place", "cat") for r in node.inputs}
        earlier = [node.name for node in nodes if node.name not in gone]
        reads = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        kind = draw(st.sampled_from(("fresh", "into", "view", "in place", "cat")))
        nodes.append(_sharing_node(f"v{i}", kind, reads, nodes, draw(st.integers(1, 4)) * 700))
    read = {name for node in nodes for name in node.inputs}
    outputs = tuple(node.name for node in nodes if node.name not in read)
    return Graph(tuple(nodes), outputs=outputs, result=", ".join(outputs))


def _sharing_node(
    name: str, kind: str, reads: list[str], earlier: list[OpNode], items: int
) -> OpNode:
    """One operator of a kind, or a fresh value where what it reads does not allow that kind."""
    made = {node.name: node for node in earlier}
    unread = [r for r in reads if all(r not in node.inputs for node in earlier)]
    own = [r for r in unread if not made[r].aliases]
    if (kind == "view" and reads) or (kind == "in place" and own):
        source = reads[0] if kind == "view" else own[0]
        call = f"{source}.view(-1)" if kind == "view" else f"{source}.add_({len(earlier)})"
        outputs = made[source].outputs
        return OpNode(name, kind, (source,), call=call, outputs=outputs, aliases=(source,))
    if kind == "cat" and len(unread) > 1:
        spec = TensorSpec((sum(made[r].output_bytes // 4 for r in unread),), (1,), "float32")
        call = f"torch.cat([{', '.join(unread)}])"
        return OpNode(name, kind, tuple(unread), call=call, joins=tuple(unread), outputs=(spec,))
    spec = TensorSpec((items,), (1,), "float32")
    parts = [f"{r}.amax() - {r}.amin() * 2 + {r}[-1] % 31" for r in reads]
    value = f"torch.full(({items},), {len(earlier) + 1}.0) + ({' + '.join([*parts, '0.0'])})"
    into = f'torch.add({value}, 0.0, out=shared("{name}"))' if kind == "into" else ""
    return OpNode(name, "fresh", tuple(reads), call=value, into=into, outputs=(spec,))
