"""Batch norm of exported models: one operator, equal bit for bit."""

from __future__ import annotations

import torch
from torch import fx, nn

from ramiel_core import pipeline
from ramiel_core.graph.extract import extract
from ramiel_core.model.norms import aten, join_norms

SPLIT = aten._native_batch_norm_legit_no_training.default


class ByExport(nn.Module):
    """`bool` of a value stops torch.fx; torch.export knows the shape."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean = torch.randn(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) if x.shape[0] > 0 else x


def test_an_exported_batch_norm_is_one_operator_with_equal_bits():
    module = ByExport().eval()
    x = torch.randn(1, 3, 8, 8)
    model = pipeline.traced(module, (x,))

    assert model.tracer == "torch.export"
    assert [node.op for node in extract(model).nodes] == ["conv2d", "batch_norm"]
    with torch.no_grad():
        assert torch.equal(model.module(x), module(x))


def split_norm(*, reads_statistics: bool) -> fx.Graph:
    graph = fx.Graph()
    x, ones = graph.placeholder("x"), graph.placeholder("ones")
    node = graph.call_function(SPLIT, (x, ones, ones, ones, ones, 0.1, 1e-5))
    read = graph.call_method("__getitem__", (node, 0))
    parts = [read, graph.call_method("__getitem__", (node, 1))] if reads_statistics else [read]
    graph.output(tuple(parts))
    return graph


def test_one_whose_statistics_are_read_stays_as_it_is():
    joined, kept = split_norm(reads_statistics=False), split_norm(reads_statistics=True)
    join_norms(joined)
    join_norms(kept)

    assert [n.target for n in joined.nodes if n.op == "call_function"] == [aten.batch_norm.default]
    assert [n.target for n in kept.nodes if n.op == "call_function"] == [SPLIT]
