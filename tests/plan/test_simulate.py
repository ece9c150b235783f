"""The predicted timeline: who computes, copies and waits, and when."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Timeline
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.simulate import simulate
from tests.graphs import any_order_plan, graphs, shape


def drawn(timeline: Timeline) -> str:
    """One bar a word: worker, kind's initial, name, start-end."""
    bars = sorted(timeline.bars, key=lambda b: (b.worker, b.start_ms, b.end_ms))
    return " ".join(f"{b.worker}{b.kind[1]}:{b.name}:{b.start_ms:g}-{b.end_ms:g}" for b in bars)


def test_one_worker_computes_one_after_the_other_and_sends_nothing():
    timeline = simulate(shape("chain"), [["a", "b", "c", "d"]])

    assert drawn(timeline) == "0o:a:0-1 0o:b:1-3 0o:c:3-6 0o:d:6-10"
    assert timeline.makespan_ms == 10


def test_a_value_for_another_worker_is_copied_once_and_waited_for():
    """
    worker 0: a ~ b b b b b w d       a's copy takes 0.5; c's takes 0.25
    worker 1: w w c c ~
    """
    graph = Graph.parse("a:1~0.5 b:1~9<a c:2~0.25<a d:1<b,c")
    timeline = simulate(graph, [["a", "b", "d"], ["c"]])

    assert drawn(timeline) == (
        "0o:a:0-1 0o:a:1-1.5 0o:b:1.5-2.5 0a:c:2.5-3.75 0o:d:3.75-4.75 "
        "1a:a:0-1.5 1o:c:1.5-3.5 1o:c:3.5-3.75"
    )
    assert timeline.makespan_ms == 4.75
    assert timeline.total_ms("wait") == 1.25 + 1.5
    assert timeline.total_ms("copy") == 0.75


def test_the_sender_goes_on_while_the_signal_travels():
    """a's send of 3 is 1 of copying and 2 of signal: b starts at 2, c at 4."""
    graph = replace(Graph.parse("a:1~3 b:1<a c:1<a"), signal_ms=2.0)
    timeline = simulate(graph, [["a", "b"], ["c"]])

    assert drawn(timeline) == "0o:a:0-1 0o:a:1-2 0o:b:2-3 1a:a:0-4 1o:c:4-5"


def test_the_first_reader_on_another_worker_fetches_the_value():
    """Of a, which takes 0.5: b pays on worker 1, d on worker 2, c comes after b, e is at home."""
    graph = Graph.parse("a:1 b:1<a c:1<a d:1<a e:1<a")
    graph = replace(graph, nodes=tuple(replace(n, fetch_ms=0.5) for n in graph.nodes))
    timeline = simulate(graph, [["a", "e"], ["b", "c"], ["d"]])

    computed = [bar for bar in timeline.bars if bar.kind == "compute"]
    took = {bar.name: bar.end_ms - bar.start_ms for bar in computed}
    assert took == {"a": 1, "b": 1.5, "c": 1, "d": 1.5, "e": 1}


def test_a_worker_that_changes_its_thread_count_does_so_before_the_operator():
    a, b = Graph.parse("a:1 b:2<a").nodes
    timeline = simulate(Graph((a, replace(b, switch_ms=0.5))), [["a", "b"]])

    assert drawn(timeline) == "0o:a:0-1 0i:b:1-1.5 0o:b:1.5-3.5"
    assert timeline.makespan_ms == 3.5


def crowded(spec: str, crowd: int, **crowding: float) -> Graph:
    graph = replace(Graph.parse(spec), crowd=crowd)
    nodes = tuple(replace(n, crowding=crowding.get(n.name, 0.0)) for n in graph.nodes)
    return replace(graph, nodes=nodes)


def test_operators_side_by_side_slow_each_other_until_one_of_them_ends():
    """
    b does half its work in each ms, until 2; a does 4/3 ms of its own by then, the rest alone.
    """
    timeline = simulate(crowded("a:2 b:1", 2, a=0.5, b=1.0), [["a"], ["b"]])

    assert drawn(timeline) == "0o:a:0-2.66667 1o:b:0-2"


def test_nobody_slows_an_operator_while_the_others_wait():
    graph = crowded("a:1 b:2<a c:2<a d:1<b,c", 2, a=1.0, b=0.5, c=0.5, d=1.0)

    assert simulate(graph, [["a", "b", "c", "d"]]).makespan_ms == 6
    assert simulate(graph, [["a", "b", "d"], ["c"]]).makespan_ms == 1 + 3 + 1


@pytest.mark.parametrize(("workers", "took"), [(1, 1.0), (2, 1.5), (3, 2.0), (4, 2.0)])
def test_crowding_grows_with_the_crowd_that_it_was_measured_in_and_no_further(workers, took):
    names = "abcd"[:workers]
    graph = crowded(" ".join(f"{n}:1" for n in names), 3, **dict.fromkeys(names, 1.0))

    assert simulate(graph, [[n] for n in names]).makespan_ms == took


def test_a_value_that_three_workers_read_is_copied_once():
    graph = Graph.parse("a:1~0.5 b:1<a c:1<a d:1<a")
    timeline = simulate(graph, [["a"], ["b"], ["c"], ["d"]])

    assert timeline.total_ms("copy") == 0.5
    assert timeline.makespan_ms == 2.5


def test_a_plan_that_waits_for_ever_is_refused_with_the_operators_at_fault():
    """worker 0: d, a; worker 1: c, b, where c reads a and d reads b."""
    graph = Graph.parse("a:1 b:1 c:1<a d:1<b")
    with pytest.raises(PlanError, match="worker 0 at 'd' and worker 1 at 'c' wait for each other"):
        simulate(graph, [["d", "a"], ["c", "b"]])


@given(graphs(), st.integers(1, 4), st.integers(0, 999))
def test_bars_of_a_worker_follow_each_other_and_values_come_before_their_readers(graph, k, seed):
    plan = any_order_plan(graph, k, seed)
    timeline = simulate(graph, plan.clusters)
    ends = {b.name: b.end_ms for b in timeline.bars if b.kind == "compute"}
    starts = {b.name: b.start_ms for b in timeline.bars if b.kind == "compute"}
    worker_of = plan.worker_of()

    fetched_ms = sum(
        graph[name].fetch_ms * len({worker_of[r] for r in readers} - {worker_of[name]})
        for name, readers in graph.consumers.items()
    )
    assert timeline.total_ms("compute") == graph.t1_ms + fetched_ms
    assert timeline.makespan_ms == max(b.end_ms for b in timeline.bars if b.kind != "wait")
    for worker in range(plan.workers):
        bars = [b for b in timeline.bars if b.worker == worker]
        assert all(a.end_ms == b.start_ms for a, b in pairwise(bars))
        assert all(b.start_ms <= b.end_ms for b in bars)
        assert tuple(b.name for b in bars if b.kind == "compute") == plan.clusters[worker]
    for producer, reader in graph.edges:
        travels = graph[producer].send_ms if worker_of[producer] != worker_of[reader] else 0
        assert starts[reader] >= ends[producer] + travels


@given(graphs(), st.integers(1, 4), st.integers(0, 999))
def test_no_plan_beats_the_bounds(graph: Graph, workers: int, seed: int):
    """At least the critical path with free sends; at least T1 over the workers."""
    plan = any_order_plan(graph, workers, seed)
    makespan_ms = simulate(graph, plan.clusters).makespan_ms

    assert makespan_ms >= max(distance_to_end(graph, free_sends=True).values())
    assert makespan_ms >= graph.t1_ms / plan.workers
