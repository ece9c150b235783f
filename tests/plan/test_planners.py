"""Every planner on every shape; small examples by hand; the exact one against brute force."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core import pipeline
from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph
from ramiel_core.plan.cpop import cpop
from ramiel_core.plan.deal import deal, in_order
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.dsc import dominant_sequence_clusters
from ramiel_core.plan.exact import exact, largest_section
from ramiel_core.plan.heft import heft
from ramiel_core.plan.linear import linear_clusters, linear_clusters_anew
from ramiel_core.plan.planner import PLANNERS, make_plan
from ramiel_core.plan.sarkar import edge_zeroing
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables
from tests.graphs import SHAPES, graphs, large_graph, shape
from tests.plan.test_planner import assert_plan_is_right

HEURISTICS = [name for name, planner in PLANNERS.items() if planner.most_operators is None]


@pytest.mark.parametrize("workers", [None, 1, 2, 3, 16])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("planner", PLANNERS)
def test_plans_of_named_shapes_keep_their_promises(planner: str, name: str, workers: int | None):
    plan = make_plan(shape(name), workers, planner)

    assert plan.planner == planner
    assert_plan_is_right(shape(name), plan, workers)


@pytest.mark.parametrize("planner", HEURISTICS)
@given(graph=graphs(), workers=st.sampled_from((None, 1, 2, 3, 16)))
def test_plans_of_any_graph_keep_their_promises(planner: str, graph: Graph, workers: int | None):
    assert_plan_is_right(graph, make_plan(graph, workers, planner), workers)


@pytest.mark.parametrize("planner", HEURISTICS)
def test_two_and_a_half_thousand_operators_take_about_a_second(planner: str):
    """Three allowed, for a busy host; benchmarks/planning.py has the figures."""
    graph = large_graph(2_500)
    start = time.process_time()
    plan = make_plan(graph, 4, planner)

    assert time.process_time() - start < 3
    assert_plan_is_right(graph, plan, 4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [("hefd", "Did you mean heft"), ("dcs", "Did you mean dsc"), ("42", "Choose ramiel, merging")],
)
def test_an_unknown_planner_is_refused_with_the_nearest(asked: str, said: str):
    with pytest.raises(PlanError, match=f"no planner '{asked}'.*{said}"):
        make_plan(shape("diamond"), 2, asked)


def test_every_planner_says_what_it_does_in_one_sentence():
    for planner in PLANNERS.values():
        assert planner.says.endswith(".")
        assert planner.says[:-1].count(". ") == 0


# --- linear clustering, recomputed; dealing --------------------------------------------------


def test_recomputed_distances_do_not_follow_what_is_taken():
    r"""
    p:20 -------- t:10      c x is longer than c y only by t, which p has taken
                 /
       c:1 -- x:1
         \
          y:3
    """
    graph = Graph.parse("p:20 c:1 x:1<c y:3<c t:10<p,x")

    assert linear_clusters(graph, distance_to_end(graph)) == (("p", "t"), ("c", "x"), ("y",))
    assert linear_clusters_anew(graph) == (("p", "t"), ("c", "y"), ("x",))


@given(graphs())
def test_each_recomputed_chain_is_the_longest_path_of_what_is_left(graph: Graph):
    left = set(graph.index)
    for chain in linear_clusters_anew(graph):
        rest = tuple(
            replace(n, inputs=tuple(p for p in n.inputs if p in left))
            for n in graph.nodes
            if n.name in left
        )
        longest = distance_to_end(Graph(rest))
        sends = [graph[name].send_ms for name in chain[:-1]]

        assert sum(graph[n].cost_ms for n in chain) + sum(sends) == max(longest.values())
        left -= set(chain)
    assert not left


def test_clusters_are_dealt_by_load():
    """7 6 5 4 3 onto two workers: 7 4 3 and 6 5."""
    graph = Graph.parse("a:7 b:6 c:5 d:4 e:3")

    assert deal(graph, ["a", "b", "c", "d", "e"], 2) == (("a", "d", "e"), ("b", "c"))
    assert in_order("abcde", ["eda", "cb"]) == (("a", "d", "e"), ("b", "c"))


# --- HEFT and CPOP ---------------------------------------------------------------------------


def test_heft_fills_a_gap():
    """
    worker 0: a a a a d . c c c c      c waits for b until 6; d fits before it
    worker 1: b b b b ~ ~
    """
    graph = Graph.parse("a:4~2 b:4~2 c:4<a,b d:1")
    clusters = heft(graph, 2)

    assert clusters == (("a", "d", "c"), ("b",))
    assert simulate(graph, clusters).makespan_ms == 10


def test_heft_books_the_copy_of_a_value_that_another_worker_reads():
    """
    worker 0: a ~ ~ b b b b b      not e: it fits behind c as early as behind b's gap
    worker 1: . . . c c c e
    """
    graph = Graph.parse("a:1~2 b:5<a c:3<a e:1")

    assert heft(graph, 2) == (("a", "b"), ("e", "c"))


def test_cpop_keeps_the_critical_path_on_one_worker():
    """b and c are alike; the earlier one is on the path, and the other goes elsewhere."""
    assert cpop(Graph.parse("a:1~1 b:5<a c:5<a d:1<b,c"), 2) == (("a", "b", "d"), ("c",))


def test_cpop_takes_the_operator_on_the_longest_path_next():
    """k u w is a path of 9, v x of 7: CPOP ends the longer one first, though v is further away."""
    graph = Graph.parse("p:9 q:9<p k:2 u:4<k v:4 w:3<u x:3<v")

    assert cpop(graph, 2) == (("p", "q"), ("k", "u", "w", "v", "x"))
    assert heft(graph, 2) == (("p", "q"), ("k", "u", "v", "w", "x"))


# --- DSC and edge zeroing --------------------------------------------------------------------


def free_copies(graph: Graph, send_ms: float) -> Graph:
    """The textbook's model: sending takes its time, but not the sender's."""
    nodes = tuple(replace(n, send_ms=send_ms) for n in graph.nodes)
    return replace(graph, nodes=nodes, signal_ms=send_ms)


def best_of_all(graph: Graph, workers: int) -> float:
    """Shortest makespan of every assignment in every topological order."""
    tables = Tables.of(graph, distance_to_end(graph))
    count = len(graph)
    orders = [
        order
        for order in permutations(range(count))
        if all(order.index(p) < order.index(v) for v in order for p in tables.producers[v])
    ]
    return min(
        tables.makespan_ms(homes, workers, order)
        for homes in product(range(workers), repeat=count)
        if homes[0] == 0
        for order in orders
    )


costs = st.lists(st.integers(1, 12), min_size=1, max_size=4)


@settings(max_examples=40)
@given(costs, st.integers(0, 12))
def test_dsc_is_optimal_for_forks(branches: list[int], send_ms: int):
    """Theorem of the paper, for as many workers as wanted."""
    text = " ".join(f"b{i}:{cost}<a" for i, cost in enumerate(branches))
    graph = free_copies(Graph.parse(f"a:2 {text}"), send_ms)
    found_ms = simulate(graph, dominant_sequence_clusters(graph)).makespan_ms
    ends = []
    for beside in product((True, False), repeat=len(branches)):  # the root, or elsewhere
        here = sum(c for c, b in zip(branches, beside, strict=True) if b)
        there = [send_ms + c for c, b in zip(branches, beside, strict=True) if not b]
        ends.append(2 + max(here, *there, 0))

    assert found_ms == min(ends)


@settings(max_examples=40)
@given(costs, st.integers(0, 12))
def test_dsc_is_optimal_for_joins(branches: list[int], send_ms: int):
    text = " ".join(f"b{i}:{cost}" for i, cost in enumerate(branches))
    reads = ",".join(f"b{i}" for i in range(len(branches)))
    graph = free_copies(Graph.parse(f"{text} z:2<{reads}"), send_ms)
    found_ms = simulate(graph, dominant_sequence_clusters(graph)).makespan_ms
    by_arrival = sorted(branches, reverse=True)
    prefixes = range(1, len(branches) + 1)  # how many, the latest first, run where z runs
    rest = [*(cost + send_ms for cost in by_arrival), 0]

    assert found_ms == 2 + min(max(sum(by_arrival[:h]), rest[h]) for h in prefixes)


def test_dsc_draws_late_inputs_into_the_cluster_of_their_only_reader():
    """c and b would arrive at 12 and 11; done where d is done, all are there at 6."""
    graph = free_copies(Graph.parse("a:3 b:2 c:1 d:1<a,b,c"), 10)

    assert dominant_sequence_clusters(graph) == (("a", "b", "c", "d"),)


@given(graphs())
def test_edge_zeroing_is_never_worse_than_every_operator_alone(graph: Graph):
    alone = [(name,) for name in Tables.of(graph, distance_to_end(graph)).names]
    found_ms = simulate(graph, edge_zeroing(graph)).makespan_ms

    assert found_ms <= simulate(graph, alone).makespan_ms


def test_edge_zeroing_takes_the_dearest_send_first():
    """b's send is dearest, so b and d share a worker; then a c would wait for b in vain."""
    graph = Graph.parse("a:4~1 b:4~3 c:4<a d:4<b")

    assert set(edge_zeroing(graph)) == {("b", "d"), ("a", "c")}


# --- exact -----------------------------------------------------------------------------------


def test_exact_finds_the_even_split_that_the_others_miss():
    """3 3 2 2 2: the largest first gives 3 2 2 and 3 2; 3 3 and 2 2 2 are even."""
    graph = Graph.parse("a:3 b:3 c:2 d:2 e:2")
    plan = make_plan(graph, 2, "exact")

    assert make_plan(graph, 2, "heft").makespan_ms == 7
    assert (plan.makespan_ms, plan.lower_bound_ms) == (6, 6)


# The solver knows nothing of what it costs to fetch a value.


@settings(max_examples=15)
@given(graphs(most=5, fetches=False), st.integers(1, 2))
def test_exact_equals_brute_force_on_tiny_graphs(graph: Graph, workers: int):
    one = tuple(node.name for node in graph.nodes)
    found = exact(graph, workers, [one])

    assert found.makespan_ms == best_of_all(graph, workers)
    assert found.is_optimal


@settings(max_examples=15)
@given(graphs(most=10, fetches=False), st.integers(1, 3))
def test_exact_is_never_worse_than_any_other(graph: Graph, workers: int):
    found = make_plan(graph, workers, "exact")
    others = [make_plan(graph, workers, name).makespan_ms for name in HEURISTICS]

    assert_plan_is_right(graph, found, workers)
    assert found.makespan_ms <= min(others)
    assert found.lower_bound_ms <= found.makespan_ms


def test_exact_solves_a_chain_of_sections_as_if_it_were_whole():
    graph = Graph.parse("a:1 b:3<a c:2<a d:1<b,c e:2<d f:4<d g:1<e,f h:1<g")
    found = exact(graph, 2, [tuple(graph.index)])

    assert largest_section(graph) == 4
    assert found.makespan_ms == best_of_all(graph, 2)
    assert found.is_optimal


def test_exact_takes_as_one_section_what_could_run_beside_another():
    assert largest_section(Graph.parse("a:1 b:1<a c:1<b lone:1")) == 4


def test_exact_proves_that_no_two_worker_plan_of_googlenet_is_shorter():
    plan = make_plan(pipeline.graph_of("googlenet"), 2, "exact")

    assert plan.lower_bound_ms == pytest.approx(plan.makespan_ms, rel=2e-3)


def test_exact_counts_copies_and_signals_as_the_simulation_does():
    graph = replace(Graph.parse("a:1~3 b:2<a c:2<a d:1<b,c"), signal_ms=2.0)
    found = exact(graph, 2, [("a", "b", "c", "d")])

    assert found.makespan_ms == best_of_all(graph, 2)
    assert found.lower_bound_ms == pytest.approx(found.makespan_ms)


def test_exact_refuses_a_large_graph_and_says_its_limit():
    with pytest.raises(PlanError, match="exact takes sections of at most 80 operators, not 100"):
        make_plan(large_graph(100), 2, "exact")


def test_exact_finds_the_same_plan_every_time():
    graph = large_graph(14, seed=3)

    assert str(make_plan(graph, 3, "exact")) == str(make_plan(graph, 3, "exact"))
