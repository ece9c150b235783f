"""What a launcher takes along of a model, and the kernel libraries that it may run it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ramiel_core.errors import ModelError
from ramiel_core.graph.extract import extract, weights_of
from ramiel_core.graph.rewrite import rewrite
from ramiel_core.ir import AUTO, Graph, Parcel, Rewrites, TracedModel
from ramiel_core.kernels import inductor, onednn, onnx_runtime, open_vino
from ramiel_core.kernels.fuse import fuse
from ramiel_core.kernels.segment import Family
from ramiel_core.model import numbers
from ramiel_core.pipeline.graphs import REWRITES
from ramiel_core.pipeline.named import traced

LIBRARIES: Mapping[str, Family] = {
    "onednn": onednn.recipe,
    "inductor": inductor.recipe,
    "onnxruntime": onnx_runtime.recipe,
    "openvino": open_vino.recipe,
}


def parcel_of(model: TracedModel, kernels: str = "eager", rewrites: Rewrites = REWRITES) -> Parcel:
    """Run a traced model once, at one thread, and take along what running it again needs.

    Parameters
    ----------
    model : TracedModel
        On the CPU.
    kernels : str
        The `fused` family, and `auto`, rewrite the model, which later nobody has.
    rewrites : Rewrites
        What is planned went through these; the reference is what the model itself returned.

    Raises
    ------
    ModelError
        For a model that draws random numbers, or cannot be planned.
    """
    warnings = tuple(numbers.sentences(model.strange_weights))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more threads may sum in another order, to other bits
    try:
        rewritten = rewrite(model, rewrites)
        graph = extract(rewritten)
        fused = _fused(rewritten) if kernels in ("fused", AUTO) else None
        drawn = torch.get_rng_state()
        with torch.no_grad():
            reference = model.module(*(tensor.clone() for tensor in model.inputs))
        if not torch.equal(drawn, torch.get_rng_state()):
            raise ModelError(
                f"{model.name} draws random numbers when it runs, so that no two inferences are "
                f"alike and no worker can be compared with it; take them as an input."
            )
    finally:
        torch.set_num_threads(threads)
    return Parcel(graph, weights_of(rewritten, graph), model.inputs, reference, fused, warnings)


def fused_graph(model: str, rewrites: Rewrites = REWRITES) -> Graph:
    """The graph of the `fused` family of a model by name, unweighed."""
    return _fused(rewrite(traced(model, device="cpu"), rewrites))[0]


def _fused(model: TracedModel) -> tuple[Graph, dict[str, Any]]:
    rewritten = fuse(model)
    graph = replace(extract(rewritten), kernels="fused")
    return graph, weights_of(rewritten, graph)
