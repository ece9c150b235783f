"""The records: what cannot happen cannot be built, and the refusal says what to do."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from ramiel_core.errors import GraphError, PlanError
from ramiel_core.ir import Bar, Graph, Job, OpNode, Plan, TensorSpec, Timeline
from tests.graphs import SHAPES, graphs, shape

FLOAT = TensorSpec((2, 3), (3, 1), "float32")


@pytest.mark.parametrize("name", SHAPES)
def test_printing_a_graph_gives_back_the_text_it_was_read_from(name: str):
    assert str(shape(name)) == SHAPES[name]


@given(graphs(fetches=False))
def test_reading_a_printed_graph_gives_back_its_operators(graph: Graph):
    again = Graph.parse(str(graph))

    assert [dataclasses.replace(n, call="") for n in again.nodes] == list(graph.nodes)


def test_a_graph_read_from_text_returns_what_nobody_reads():
    """a -> b, a -> c: the model returns b and c."""
    assert Graph.parse("a:1 b:1<a c:1<a").outputs == ("b", "c")


@pytest.mark.parametrize(
    ("build", "advice"),
    [
        pytest.param(
            lambda: Graph.parse("a:1<b b:1<a"), "cycle, or its nodes are not in topo", id="cycle"
        ),
        pytest.param(lambda: Graph.parse("a:1<a"), "cycle", id="reads itself"),
        pytest.param(
            lambda: Graph.parse("a:1 a:2"),
            "two operators are called 'a'; give each",
            id="same name twice",
        ),
        pytest.param(
            lambda: Graph.parse("a=1"),
            "not of the form name:cost~send<producer",
            id="not the notation",
        ),
        pytest.param(
            lambda: Graph.parse("a:1 b:1<z"),
            "'b' reads 'z', which no earlier operator",
            id="unknown producer",
        ),
        pytest.param(
            lambda: OpNode("a", "op", cost_ms=-1),
            "costs are >= 0 ms.*Measure again",
            id="negative cost",
        ),
        pytest.param(
            lambda: OpNode("a", "op", send_ms=-1),
            "send_ms=-1, fetch_ms=0.0. Measure again",
            id="negative send",
        ),
        pytest.param(
            lambda: Graph((OpNode("a", "op"),), outputs=("z",)),
            "returns 'z', which no operator makes",
            id="unknown output",
        ),
        pytest.param(
            lambda: Graph((), inputs=(("x", FLOAT), ("x", FLOAT))),
            "two inputs of the model share a name; give each its own",
            id="same input",
        ),
        pytest.param(
            lambda: Graph((OpNode("x", "op"),), inputs=(("x", FLOAT),)),
            "two operators are called 'x'",
            id="operator named as an input",
        ),
        pytest.param(
            lambda: TensorSpec((1,), (1,), "quint8"),
            "quint8 cannot be planned; convert them, as float32 by",
            id="unknown type",
        ),
    ],
)
def test_a_graph_that_contradicts_itself_cannot_be_built(build, advice: str):
    with pytest.raises(GraphError, match=advice):
        build()


@pytest.mark.parametrize("clusters", [(), ((),), (("a",), ())])
def test_a_plan_without_clusters_or_with_an_empty_one_cannot_be_built(clusters):
    with pytest.raises(PlanError, match="at least one cluster, and no cluster may be empty"):
        Plan(clusters)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"workers": 0}, "--workers must be 1 or more, not 0"),
        ({"workers": -2}, "--workers must be 1 or more, not -2"),
        ({"threads": 0}, "--threads must be 1 or more, not 0"),
        ({"repeats": 0}, "--repeats must be 1 or more, not 0"),
        ({"signals": "smoke"}, "--signals is fast or queue, not 'smoke'"),
    ],
)
def test_a_job_with_impossible_settings_cannot_be_built(settings, advice: str):
    with pytest.raises(PlanError, match=advice):
        Job("resnet50", **settings)


@pytest.mark.parametrize("record", [OpNode("a", "op"), Job("x"), Plan((("a",),)), FLOAT])
def test_a_record_cannot_be_changed(record):
    field = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, None)


@pytest.mark.parametrize(
    ("shape_", "stride", "items"),
    [
        ((2, 3), (3, 1), 6),
        ((2, 3), (1, 2), 6),  # transposed
        ((2, 3), (10, 1), 13),  # a slice of wider rows: the gap is counted, the tail is not
        ((4, 3), (0, 1), 3),  # expanded: four times the same row
        ((), (), 1),
        ((0, 5), (5, 1), 0),
    ],
)
def test_a_tensor_counts_the_items_from_its_first_to_its_last(shape_, stride, items: int):
    spec = TensorSpec(shape_, stride, "float64")

    assert (spec.items, spec.bytes) == (items, 8 * items)


def test_a_tensor_prints_type_and_shape():
    assert str(FLOAT) == "float32[2×3]"


def test_edges_consumers_and_producers_say_the_same():
    """a -> b -> d, a -> c -> d."""
    graph = shape("diamond")

    assert graph.edges == (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    assert graph.consumers == {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}
    assert graph.producers == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def test_model_inputs_are_no_operators():
    node = OpNode("a", "op", ("x",))
    graph = Graph((node,), inputs=(("x", FLOAT),), outputs=("a",))

    assert (len(graph), graph.producers["a"], graph.edges) == (1, (), ())


def test_the_fingerprint_sees_structure_and_shapes_but_not_costs():
    plain = Graph((OpNode("a", "op", outputs=(FLOAT,)),))
    weighed = Graph((OpNode("a", "op", cost_ms=5, outputs=(FLOAT,)),))
    larger = Graph((OpNode("a", "op", outputs=(TensorSpec((3, 3), (3, 1), "float32"),)),))
    renamed = Graph((OpNode("a", "op", outputs=(FLOAT,)),), model="other")

    assert plain.fingerprint == weighed.fingerprint
    assert len({g.fingerprint for g in (plain, larger, renamed)}) == 3


def test_a_plan_prints_one_worker_a_line_and_knows_who_runs_what():
    plan = Plan((("a", "b", "d"), ("c",)), t1_ms=9.0, tinf_ms=6.0)

    assert str(plan) == "0: a b d\n1: c"
    assert plan.worker_of() == {"a": 0, "b": 0, "d": 0, "c": 1}
    assert (plan.workers, plan.parallelism) == (2, 1.5)


def test_a_plan_of_no_cost_has_no_parallelism():
    assert Plan((("a",),)).parallelism == 1.0


def test_a_timeline_adds_up_by_kind_and_by_worker():
    bars = (Bar(0, "a", "compute", 0, 2), Bar(1, "a", "wait", 0, 3), Bar(1, "b", "compute", 3, 4))
    timeline = Timeline(bars, 4.0)

    assert timeline.total_ms("compute") == 3
    assert timeline.total_ms("compute", worker=1) == 1
    assert timeline.total_ms("wait", worker=0) == 0
