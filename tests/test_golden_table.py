"""The published facts about five models, the same under every cost model."""

from __future__ import annotations

import pytest

from ramiel_core import pipeline

TABLE = {
    "squeezenet1_0": (66, 9, 2),
    "googlenet": (197, 28, 4),
    "resnet50": (175, 5, 2),
    "densenet121": (431, 1, 1),
    "inception_v3": (314, 36, 6),
}


@pytest.mark.parametrize("cost", ["unit", "flops"])
@pytest.mark.parametrize("model", TABLE)
def test_operators_and_clusters_before_and_after_merging(model: str, cost: str):
    found = pipeline.analyze(model, cost=cost)

    assert (found["operators"], found["clusters_linear"], found["clusters_merged"]) == TABLE[model]
    assert found["cost_model"] == cost


def test_the_table_is_about_the_models_that_bench_runs_by_itself():
    assert set(TABLE) == set(pipeline.FIVE)


@pytest.mark.parametrize("model", TABLE)
def test_predictions_stay_within_their_bounds(model: str):
    """T-infinity <= prediction <= T1, and one cluster means no parallelism at all."""
    graph = pipeline.graph_of(model)
    for workers in (None, 1, 2, 4):
        plan = pipeline.plan_of(graph, workers)

        assert plan.tinf_ms <= plan.makespan_ms * (1 + 1e-9)
        assert plan.makespan_ms <= plan.t1_ms
    assert (TABLE[model][1] == 1) == (pytest.approx(1.0) == plan.parallelism)


def test_densenet_is_one_chain_and_runs_sequentially():
    plan = pipeline.plan_of(pipeline.graph_of("densenet121"), 2)

    assert plan.workers == 1
    assert plan.critical_path == plan.clusters[0]
