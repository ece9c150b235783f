"""Models of the real transformers, in small: each is planned, emitted and run."""

from __future__ import annotations

import json

import pytest
import torch

from ramiel_core import pipeline
from ramiel_core.agreement import same_bits
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run.local import Local

TEXT = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
CONFIGURATIONS = {
    "roberta": {
        **TEXT,
        "intermediate_size": 64,
        "max_position_embeddings": 32,
        "torch_dtype": "bfloat16",
    },
    "xlnet": {"vocab_size": 50, "d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 64},
    "llama": {**TEXT, "intermediate_size": 64, "num_key_value_heads": 1},
    "t5": {
        "vocab_size": 50,
        "d_model": 32,
        "num_layers": 1,
        "num_heads": 2,
        "d_kv": 16,
        "d_ff": 64,
    },
    "vit": {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32},
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_model_of_transformers_runs_bit_for_bit(kind: str, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": kind, **CONFIGURATIONS[kind]}))
    before = torch.get_num_threads()

    parcel = pipeline.parcel_of(pipeline.traced(f"hf:{path}", device="cpu"))
    program = pipeline.program_of(parcel.graph, sequential_plan(parcel.graph))
    with Local(program, parcel.weights) as run:
        found = run(*parcel.inputs)
    torch.set_num_threads(before)

    assert same_bits(found, parcel.reference)
    assert len(parcel.graph) > 10
    kinds = {spec.dtype for node in parcel.graph.nodes for spec in node.outputs if spec}
    assert "bfloat16" not in kinds
