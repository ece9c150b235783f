"""Channels -> Layout: memory is used again only once everybody has done with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core import pipeline
from ramiel_core.check_memory import check_layout
from ramiel_core.errors import ProgramError
from ramiel_core.ir import ALIGN_BYTES, Graph, Layout, OpNode, Plan, Program, TensorSpec
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.program.emit import emit
from tests.graphs import any_order_plan, large_graph, sharing_graphs
from tests.program.schedule import Schedule

SPEC = TensorSpec((1000,), (1,), "float32")
SCHEDULES = 4
INFERENCES = 3


def sized(text: str, aliases: dict[str, str] | None = None) -> Graph:
    """A graph in the usual notation, every value one page; and which values are views of which."""
    graph = Graph.parse(text)
    views = {name: (source,) for name, source in (aliases or {}).items()}
    nodes = (replace(n, outputs=(SPEC,), aliases=views.get(n.name, ())) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def pages(graph: Graph, *clusters: str) -> tuple[int, int]:
    """Pages of a plan's layout, and of values apart; checked."""
    program = emit(graph, Plan(tuple(tuple(cluster.split()) for cluster in clusters)))
    check_layout(graph, program)
    layout = program.layout
    return layout.bytes // ALIGN_BYTES, layout.apart_bytes // ALIGN_BYTES


def anew(program: Program, starts: dict[str, int]) -> Program:
    """The same program with its values elsewhere."""
    return replace(program, layout=Layout.of(program.channels, starts))


# --- examples -------------------------------------------------------------------------------

PING_PONG = "a:1 b:1<a c:1<b d:1<c e:1<d f:1<e"
WITH_VIEW = "a:1 v:1<a b:1<a c:1<b d:1<c e:1<d f:1<e,v"


def test_a_chain_that_goes_to_and_fro_needs_two_pages():
    """`c` is sent where `a` was: it reads `b`, so `b` has read `a`."""
    assert pages(sized(PING_PONG), "a c e", "b d f") == (2, 6)


def test_a_value_that_a_view_still_shows_stays_where_it_is():
    """`f` reads `v`, a view of `a`: until then nobody may write where `a` lies."""
    assert pages(sized(WITH_VIEW), "a c e", "v b d f") == (2, 6)
    assert pages(sized(WITH_VIEW, {"v": "a"}), "a c e", "v b d f") == (3, 6)


def test_nothing_is_used_again_where_no_message_tells_that_it_may_be():
    """Worker 1 tells worker 0 nothing, and may still read `a` when `c` is sent; not when `d` is."""
    graph = sized("a:1 b:1<a c:1 d:1<c,b")
    first = emit(graph, Plan((("a", "c"), ("b", "d")))).layout.first_bytes

    assert first["a"] != first["c"]
    assert first["a"] == first["d"]


def test_a_message_by_way_of_a_third_worker_tells_as_well():
    """`b` has read `a` before it sends to `c`, and `c` has read `b` before it sends to `d`."""
    assert pages(sized("a:1 b:1<a c:1<b d:1<c e:1<d"), "a d", "b e", "c") == (2, 5)


def test_what_the_caller_reads_is_never_written_over():
    graph = sized("a:1 b:1<a c:1<b d:1<c")
    graph = replace(graph, outputs=("a", "b", "c", "d"), result="a, b, c, d")

    assert pages(graph, "a c", "b d") == (4, 4)


def test_values_of_several_workers_lie_at_whole_pages():
    graph = pipeline.graph_of("squeezenet1_0")
    program = pipeline.program_of(graph, pipeline.plan_of(graph, 2))
    own = [c.value for c in program.channels if c.place is None]

    assert len(own) > 10
    assert {program.layout.first_bytes[v][0] % ALIGN_BYTES for v in own} == {0}


@pytest.mark.parametrize(
    ("name", "most_bytes"),
    [("squeezenet1_0", 3_400_000), ("googlenet", 2_400_000), ("inception_v3", 4_800_000)],
)
def test_models_on_two_workers_share_a_few_megabytes(name: str, most_bytes: int):
    """12.2, 6.1 and 18.7 MB where every value has memory of its own."""
    graph = pipeline.graph_of(name)
    layout = pipeline.program_of(graph, pipeline.plan_of(graph, 2)).layout

    assert layout.bytes <= most_bytes
    assert layout.apart_bytes > 2.5 * layout.bytes


# --- any graph, any plan, any schedule ------------------------------------------------------


@given(sharing_graphs(), st.integers(1, 4), st.integers(0, 99))
def test_every_layout_passes_its_check_and_is_no_larger_than_values_apart(
    graph: Graph, workers: int, seed: int
):
    program = emit(graph, any_order_plan(graph, workers, seed))

    check_layout(graph, program)
    assert program.layout.bytes <= program.layout.apart_bytes


@settings(max_examples=60, deadline=None)
@given(sharing_graphs(), st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_no_schedule_of_the_workers_changes_what_the_caller_gets(
    graph: Graph, workers: int, seed: int, hands_over: bool
):
    alone = Schedule(emit(graph, sequential_plan(graph)), 0, hands_over=False).inference()
    program = emit(graph, any_order_plan(graph, workers, seed))
    for number in range(SCHEDULES):
        schedule = Schedule(program, number, hands_over=hands_over)
        for _ in range(INFERENCES):
            assert schedule.inference() == alone


@settings(max_examples=60, deadline=None)
@given(sharing_graphs(), st.integers(2, 3), st.integers(0, 99), st.data())
def test_a_layout_that_the_check_lets_pass_survives_every_schedule(
    graph: Graph, workers: int, seed: int, data: st.DataObject
):
    """Layouts drawn by lot: most are wrong, and those that pass are right for other reasons."""
    program = emit(graph, any_order_plan(graph, workers, seed))
    own = [c.value for c in program.channels if c.place is None]
    anywhere = st.integers(0, 3).map(lambda page: page * ALIGN_BYTES)
    drawn = anew(program, {value: data.draw(anywhere) for value in own})
    try:
        check_layout(graph, drawn)
    except ProgramError:
        return
    alone = Schedule(emit(graph, sequential_plan(graph)), 0, hands_over=False).inference()
    for number in range(SCHEDULES):
        assert Schedule(drawn, number, hands_over=bool(seed % 2)).inference() == alone


def test_schedules_find_a_value_that_is_written_over():
    """Or the tests above would prove nothing."""
    call = "torch.full((1000,), 1.0)"
    nodes = [OpNode(n, "op", call=call.replace("1.0", f"{i}.0"), outputs=(SPEC,))
             for i, n in enumerate("ab")]  # fmt: skip
    nodes.append(OpNode("c", "op", ("a", "b"), call="a + b * 10", outputs=(SPEC,)))
    graph = Graph(tuple(nodes), outputs=("c",), result="c")
    program = emit(graph, Plan((("a", "b"), ("c",))))
    bad = anew(program, {"a": 0, "b": 0, "c": ALIGN_BYTES})

    assert Schedule(program, 0, hands_over=False).inference() == {"c": [10.0] * 1000}
    assert Schedule(bad, 0, hands_over=False).inference() == {"c": [11.0] * 1000}
    with pytest.raises(ProgramError, match="'a' and 'b' lie in the same shared memory"):
        check_layout(graph, bad)


# --- the check ------------------------------------------------------------------------------


def test_a_view_that_the_graph_does_not_tell_of_is_what_the_check_relies_on():
    """The layout made without knowing that `v` is a view of `a` is refused by one who knows."""
    program = emit(sized(WITH_VIEW), Plan((tuple("ace"), tuple("vbdf"))))

    check_layout(sized(WITH_VIEW), program)
    with pytest.raises(ProgramError, match="'a' and 'c' lie in the same shared memory"):
        check_layout(sized(WITH_VIEW, {"v": "a"}), program)


def test_a_value_outside_of_the_memory_or_without_a_place_is_refused():
    graph = sized(PING_PONG)
    program = emit(graph, Plan((("a", "c", "e"), ("b", "d", "f"))))
    small = replace(program, layout=replace(program.layout, bytes=ALIGN_BYTES))
    lost = replace(program, layout=replace(program.layout, first_bytes={}))

    with pytest.raises(ProgramError, match="lies outside of its memory; emit it again"):
        check_layout(graph, small)
    with pytest.raises(ProgramError, match="'a' has no place in shared memory; emit it again"):
        check_layout(graph, lost)


def test_a_part_that_lies_elsewhere_than_in_its_whole_is_refused():
    halves = [OpNode(n, "op", call="torch.ones(1000)", outputs=(SPEC,)) for n in "ab"]
    both = TensorSpec((2000,), (1,), "float32")
    whole = OpNode(
        "c", "cat", ("a", "b"), call="torch.cat([a, b])", joins=("a", "b"), outputs=(both,)
    )
    graph = Graph((*halves, whole), outputs=("c",), result="c")
    program = emit(graph, Plan((("a", "c"), ("b",))))
    first = dict(program.layout.first_bytes)
    check_layout(graph, program)

    for wrong in ({"b": (0,)}, {"a": (4000,)}):
        moved = replace(program.layout, first_bytes={**first, **wrong})
        with pytest.raises(ProgramError, match="lies elsewhere than it is joined"):
            check_layout(graph, replace(program, layout=moved))


def test_large_programs_are_laid_out_and_checked():
    graph = large_graph(1000)
    nodes = tuple(
        replace(n, call=f"op({', '.join(n.inputs)})", outputs=(SPEC,)) for n in graph.nodes
    )
    graph = replace(graph, nodes=nodes, outputs=(nodes[-1].name,), result=nodes[-1].name)
    program = emit(graph, any_order_plan(graph, 8, 0))

    check_layout(graph, program)
    assert program.layout.bytes < program.layout.apart_bytes / 2
