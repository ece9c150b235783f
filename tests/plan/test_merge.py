"""Algorithms 3 and 4: every recorded step is recomputed here from its clusters alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.linear import linear_clusters
from ramiel_core.plan.merge import Merging, replay
from ramiel_core.plan.simulate import simulate
from tests.graphs import SHAPES, graphs, large_graph, shape


def merging_of(graph: Graph) -> Merging:
    distance = distance_to_end(graph)
    return Merging(graph, distance, linear_clusters(graph, distance))


def in_run_order(graph: Graph, names) -> list[str]:
    """By decreasing distance, ties by topological order."""
    distance = distance_to_end(graph)
    return sorted(names, key=lambda n: (-distance[n], graph.index[n]))


def span(graph: Graph, names) -> tuple[float, float]:
    """From the largest distance to the least one at which an operator of the cluster ends."""
    distance = distance_to_end(graph)
    return max(distance[n] for n in names), min(distance[n] - graph[n].cost_ms for n in names)


def assert_steps_are_true(graph: Graph, merging: Merging) -> None:
    plan = Plan(merging.clusters(), tuple(merging.linear), tuple(merging.steps))
    for done, step in enumerate(plan.steps):
        before, after = replay(plan, done), replay(plan, done + 1)
        label = {name: k for k, names in after.items() for name in names}
        timeline = simulate(graph, [in_run_order(graph, names) for names in after.values()])

        assert step.spans == (span(graph, before[step.kept]), span(graph, before[step.gone]))
        assert step.clusters == len(after) == len(before) - 1
        assert step.cut_edges == sum(label[a] != label[b] for a, b in graph.edges)
        assert step.makespan_ms == timeline.makespan_ms
        assert step.kept == min(step.kept, step.gone)
        assert step.reason


@given(graphs(), st.integers(1, 4))
def test_every_step_says_what_happened(graph: Graph, workers: int):
    merging = merging_of(graph)
    merging.to_fixpoint()
    merging.to_workers(workers)

    assert_steps_are_true(graph, merging)
    iterations = [step.iteration for step in merging.steps]
    assert iterations == sorted(iterations)


@given(graphs())
def test_the_steps_to_the_fixpoint_join_clusters_whose_spans_do_not_overlap(graph: Graph):
    """The second starts where the first has ended: its first distance is not larger."""
    merging = merging_of(graph)
    merging.to_fixpoint()

    for step in merging.steps:
        (_, first_end), (second_start, _) = step.spans
        assert second_start <= first_end


@given(graphs())
def test_at_the_fixpoint_no_two_clusters_could_run_in_turn(graph: Graph):
    merging = merging_of(graph)
    merging.to_fixpoint()
    spans = [span(graph, names) for names in merging.clusters()]

    for i, (start, end) in enumerate(spans):
        for other_start, other_end in spans[i + 1 :]:
            assert other_start > end
            assert start > other_end


@given(graphs())
def test_a_cluster_is_merged_at_most_once_in_a_pass(graph: Graph):
    merging = merging_of(graph)
    merging.to_fixpoint()
    merged = [(s.iteration, label) for s in merging.steps for label in (s.kept, s.gone)]

    assert len(set(merged)) == len(merged)


def test_a_chain_takes_the_nearest_one_that_starts_after_its_end():
    r"""
        m:9       n:9
       /    \    /    \
    a:1      j:1      k:1     b lies beside m, d beside n: one worker does b, then d
       \    /    \    /
        b:1       d:1
    """
    graph = Graph.parse("a:1 m:9<a b:1<a j:1<m,b n:9<j d:1<j k:1<n,d")
    merging = merging_of(graph)
    merging.to_fixpoint()

    assert merging.linear == (("a", "m", "j", "n", "k"), ("b",), ("d",))
    assert [(s.kept, s.gone, s.clusters, s.cut_edges) for s in merging.steps] == [(1, 2, 2, 4)]
    assert "and 2 starts 2 ms before it: one worker can do both" in merging.steps[0].reason
    assert merging.clusters() == (("a", "m", "j", "n", "k"), ("b", "d"))


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_merging_goes_on_to_any_number_of_workers(name: str, workers: int):
    merging = merging_of(shape(name))
    merging.to_fixpoint()
    natural = len(merging.members)
    merging.to_workers(workers)

    assert len(merging.clusters()) == min(natural, workers)


@given(graphs(most=12), st.integers(2, 3))
def test_beyond_the_fixpoint_each_merge_is_the_best_of_all_pairs(graph: Graph, workers: int):
    merging = merging_of(graph)
    merging.to_fixpoint()
    reached = len(merging.steps)
    merging.to_workers(workers)
    plan = Plan(merging.clusters(), tuple(merging.linear), tuple(merging.steps))

    for done in range(reached, len(plan.steps)):
        clusters = replay(plan, done)
        labels = list(clusters)
        found = []
        for i, a in enumerate(labels):
            for b in labels[i + 1 :]:
                rest = [names for k, names in clusters.items() if k not in (a, b)]
                joined = [in_run_order(graph, n) for n in (*rest, clusters[a] + clusters[b])]
                found.append(simulate(graph, joined).makespan_ms)
        assert plan.steps[done].makespan_ms == min(found)


@given(graphs(), st.integers(1, 4))
def test_clusters_run_by_decreasing_distance_ties_by_topological_order(graph: Graph, workers: int):
    merging = merging_of(graph)
    merging.to_fixpoint()
    merging.to_workers(workers)

    for names in merging.clusters():
        assert list(names) == in_run_order(graph, names)


def test_replaying_no_step_gives_the_chains_and_all_steps_the_merged_clusters():
    graph = shape("inception")
    merging = merging_of(graph)
    merging.to_fixpoint()
    plan = Plan(merging.clusters(), tuple(merging.linear), tuple(merging.steps))

    assert tuple(replay(plan, 0).values()) == plan.linear
    assert {frozenset(names) for names in replay(plan, len(plan.steps)).values()} == {
        frozenset(names) for names in plan.clusters
    }


def test_a_graph_too_large_to_try_every_pair_merges_the_least_work_first_and_says_so():
    merging = merging_of(large_graph(2000))
    merging.to_fixpoint()
    reached = len(merging.steps)
    merging.to_workers(2)

    assert len(merging.clusters()) == 2
    assert "least work" in merging.steps[reached].reason
    assert merging.steps[0].makespan_ms is None
