"""Cost models: named wherever a cost stands, and measured ones kept under the right key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ramiel_core.errors import GraphError
from ramiel_core.graph import cost_cache
from ramiel_core.graph.costs import Measured, SendLine, weigh_flops, weigh_measured, weigh_unit
from ramiel_core.ir import Graph, OpNode, TensorSpec

SPEC = TensorSpec((1024,), (1,), "float32")
SMALL = OpNode("small", "op", (), outputs=(SPEC,), flops=10, read_bytes=4096)
HEAVY = OpNode("heavy", "op", ("small",), outputs=(SPEC,), flops=10**9, read_bytes=4096)
VIEW = OpNode("view", "op", ("heavy",), outputs=(SPEC,), read_bytes=10**9, is_view=True)
GRAPH = Graph((SMALL, HEAVY, VIEW), model="three")
COSTS = {"small": 1.0, "heavy": 5.0, "view": 0.25}
FOUND = Measured(COSTS, SendLine())
HOST = {"processor": "abacus", "cores": "2", "torch": "2.15"}


def test_unit_costs_are_the_shape_of_the_graph_alone():
    graph = weigh_unit(GRAPH)

    assert [(n.cost_ms, n.send_ms) for n in graph.nodes] == [(1, 0)] * 3
    assert (graph.cost_model, graph.signal_ms) == ("unit", 0)


def test_roofline_costs_follow_work_and_traffic_and_views_move_nothing():
    graph = weigh_flops(GRAPH)
    small, heavy, view = (node.cost_ms for node in graph.nodes)

    assert heavy > 100 * small
    assert 0 < view < small
    assert graph.cost_model == "flops"


def test_a_pooling_takes_longer_than_a_convolution_of_as_much_arithmetic():
    work = {"inputs": ("small",), "outputs": (SPEC,), "flops": 10**7}
    kinds = ("conv2d", "avg_pool2d", "max_pool2d")
    graph = weigh_flops(Graph((SMALL, *(OpNode(kind, kind, **work) for kind in kinds))))
    convolution, average, maximum = (graph[kind].cost_ms for kind in kinds)

    assert maximum > 2 * average > 20 * convolution


def test_a_send_costs_a_call_a_copy_and_a_signal():
    line = SendLine(signal_ms=1.0, bytes_per_ms=2048, copy_call_ms=0.5)
    graph = weigh_measured(GRAPH, Measured(COSTS, line))

    assert [node.send_ms for node in graph.nodes] == [0.5 + 2.0 + 1.0] * 3
    assert [node.cost_ms for node in graph.nodes] == [1.0, 5.0, 0.25]
    assert (graph.cost_model, graph.signal_ms) == ("measured", 1.0)


def test_a_fetch_grows_with_the_value_however_it_was_sent():
    line = SendLine(fetch_call_ms=0.5, fetch_bytes_per_ms=8)

    assert [line.fetch_ms(replace(GRAPH.nodes[0], into=into)) for into in ("", "there")] == [
        0.5 + GRAPH.nodes[0].output_bytes / 8
    ] * 2
    assert all(node.fetch_ms == 0 for node in weigh_unit(GRAPH).nodes)


def test_weighing_changes_costs_and_nothing_else():
    plain = replace(GRAPH, cost_model="unit")
    for weighed in (weigh_flops(GRAPH), weigh_measured(GRAPH, FOUND)):
        assert weighed.fingerprint == GRAPH.fingerprint
        assert weigh_unit(weighed).nodes == weigh_unit(plain).nodes


def test_contention_belongs_to_measured_costs_and_goes_with_them():
    measured = weigh_measured(GRAPH, Measured(COSTS, SendLine(), {"heavy": 0.5}, crowd=4))

    assert [node.crowding for node in measured.nodes] == [0.0, 0.5, 0.0]
    assert measured.crowd == 4
    for weighed in (weigh_unit(measured), weigh_flops(measured)):
        assert [node.crowding for node in weighed.nodes] == [0.0, 0.0, 0.0]
        assert weighed.crowd == 1


def test_an_operator_that_was_not_measured_is_named_with_what_to_do():
    with pytest.raises(
        GraphError,
        match=r"2 operators have no measured cost, 'heavy' the first.*--cost measured --refresh",
    ):
        weigh_measured(GRAPH, Measured({"small": 1.0}, SendLine()))


def test_measured_costs_come_back_from_disk_as_they_were():
    found = Measured(COSTS, SendLine(0.1, 2e6, 0.2), {"heavy": 0.5}, crowd=4)
    cost_cache.save(GRAPH, HOST, 2, found)

    assert cost_cache.load(GRAPH, HOST, 2) == found


def test_what_was_measured_last_counts():
    cost_cache.save(GRAPH, HOST, 1, FOUND)
    cost_cache.save(GRAPH, HOST, 1, replace(FOUND, cost_ms={**COSTS, "view": 9.0}))

    found = cost_cache.load(GRAPH, HOST, 1)
    assert found is not None
    assert found.cost_ms["view"] == 9.0


@pytest.mark.parametrize(
    ("graph", "host", "threads"),
    [
        pytest.param(replace(GRAPH, model="other"), HOST, 1, id="another model"),
        pytest.param(Graph((SMALL, HEAVY), model="three"), HOST, 1, id="another graph"),
        pytest.param(
            replace(GRAPH, nodes=(replace(SMALL, outputs=(TensorSpec((9,), (1,), "float32"),)),
                                  HEAVY, VIEW)), HOST, 1, id="another shape",
        ),
        pytest.param(GRAPH, {**HOST, "processor": "other"}, 1, id="another processor"),
        pytest.param(GRAPH, {**HOST, "cores": "4"}, 1, id="other cores"),
        pytest.param(GRAPH, {**HOST, "torch": "3.0"}, 1, id="another version"),
        pytest.param(GRAPH, HOST, 2, id="another thread count"),
    ],
)  # fmt: skip
def test_costs_of_one_setting_are_not_used_for_another(graph, host, threads):
    cost_cache.save(GRAPH, HOST, 1, FOUND)

    assert cost_cache.load(graph, host, threads) is None


def test_costs_do_not_depend_on_the_cost_model_that_the_graph_had_before():
    cost_cache.save(weigh_unit(GRAPH), HOST, 1, FOUND)

    assert cost_cache.load(weigh_flops(GRAPH), HOST, 1) is not None
