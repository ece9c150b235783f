"""What a graph costs under assumptions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ramiel_core.errors import GraphError
from ramiel_core.graph.assume import THREADED_SHARE, assume
from ramiel_core.graph.costs import SendLine
from ramiel_core.ir import Graph, OpNode, TensorSpec

SQUARE = TensorSpec((1000, 1000), (1000, 1), "float32")  # 4 MB
CONV = OpNode("c", "conv2d", (), 10.0, 1.0, outputs=(SQUARE,))
RELU = OpNode("r", "relu", ("c",), 2.0, 1.0, outputs=(SQUARE,), into="torch.relu(c, out=r)")
GRAPH = Graph((CONV, RELU), outputs=("r",), model="toy", cost_model="flops", signal_ms=0.5)


def test_nothing_assumed_changes_nothing():
    assert assume(GRAPH) == GRAPH


def test_one_kind_of_operator_is_scaled_and_the_others_are_not():
    assert [n.cost_ms for n in assume(GRAPH, scale={"conv2d": 0.5}).nodes] == [5.0, 2.0]


def test_threads_share_out_a_part_of_each_operator():
    amdahl = 1 - THREADED_SHARE + THREADED_SHARE / 2

    assert assume(GRAPH, threads=2).t1_ms == pytest.approx(12 * amdahl)
    assert 12 / assume(GRAPH, threads=10**6).t1_ms == pytest.approx(1 / (1 - THREADED_SHARE), 1e-3)


def test_a_send_takes_the_copy_and_the_latency_of_the_line():
    sent = assume(GRAPH, line=SendLine(signal_ms=2.0, bytes_per_ms=4e6, copy_call_ms=0.0))

    assert sent.signal_ms == 2.0
    assert [n.send_ms for n in sent.nodes] == [3.0, 2.0]  # the second writes into shared memory


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"threads": 0}, "1 thread or more, not 0"),
        ({"scale": {"<b>": 2.0}}, "no operator of the kind '<b>'"),
        ({"scale": {"relu": -1.0}}, "by 0 or more"),
    ],
)
def test_an_impossible_assumption_gets_one_sentence(wrong: dict, said: str):
    with pytest.raises(GraphError, match=said):
        assume(replace(GRAPH), **wrong)
