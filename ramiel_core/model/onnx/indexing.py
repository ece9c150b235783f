"""Operators that pick, place or order numbers by index."""

from __future__ import annotations

from typing import Any

import torch

from ramiel_core.model.onnx import calls
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
REDUCTIONS = {"none": "none", "add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("Gather")
def _gather(call: Call, x: Tensor, index: Tensor) -> Tensor:
    axis = call.attribute("axis", 0)
    live = call.recorder.is_live
    if live(index) or index.is_meta:
        if axis == 0 and x.dim() == 2 and not live(x):
            return calls.embedding(index, x)
        return calls.take(x, index.to(torch.int64), axis)
    size = x.shape[axis]
    where = torch.where(index < 0, index + size, index)
    if where.numel() and not 0 <= int(where.min()) <= int(where.max()) < size:
        raise call.wrong(f"picks at {int(where.max())} of {size}")
    if not index.dim():
        return torch.select(x, axis, int(where))
    picked = torch.index_select(x, axis, where.flatten().to(torch.int64))
    if index.dim() == 1:
        return picked
    axis %= x.dim()
    return torch.reshape(picked, (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


@operator("GatherElements")
def _gather_elements(call: Call, x: Tensor, index: Tensor) -> Tensor:
    return calls.gather_elements(x, index.to(torch.int64), call.attribute("axis", 0))


@operator("GatherND")
def _gather_nd(call: Call, x: Tensor, index: Tensor) -> Tensor:
    return calls.gather_nd(x, index, call.attribute("batch_dims", 0))


@operator("ScatterElements", "Scatter")
def _scatter_elements(call: Call, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    how = REDUCTIONS[call.attribute("reduction", "none")]
    return calls.scatter_elements(x, index.to(torch.int64), updates, call.attribute("axis", 0), how)


@operator("ScatterND")
def _scatter_nd(call: Call, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    how = REDUCTIONS[call.attribute("reduction", "none")]
    return calls.scatter_nd(x, index, updates, how)


@operator("TensorScatter")
def _tensor_scatter(call: Call, past: Tensor, update: Tensor, *rest: Any) -> Tensor:
    axis = call.attribute("axis", -2) % past.dim()
    circular = call.attribute("mode", "linear") == "circular"
    start = rest[0] if rest else torch.zeros(past.shape[0], dtype=torch.int64)
    return calls.tensor_scatter(past, update, start, axis, circular=circular)


@operator("OneHot")
def _one_hot(call: Call, index: Tensor, _: Tensor, values: Tensor) -> Tensor:
    depth, (off, on) = int(call.number(1)), call.numbers(2)
    return calls.one_hot(index, depth, call.attribute("axis", -1), off, on, values.dtype)


@operator("TopK")
def _top_k(call: Call, x: Tensor, *_: Any) -> Any:
    count = call.attribute("k") if call.opset < 10 else int(call.number(1))
    largest = bool(call.attribute("largest", 1))
    return calls.top_k(x, count, call.attribute("axis", -1), largest=largest)


@operator("ReverseSequence")
def _reverse_sequence(call: Call, x: Tensor, lengths: Tensor) -> Tensor:
    batch, time = call.attribute("batch_axis", 1), call.attribute("time_axis", 0)
    return calls.reverse_sequences(x, lengths, batch, time)


# --- whose result's shape depends on numbers ------------------------------------------------


@operator("NonZero")
def _non_zero(call: Call, _: Tensor) -> Tensor:
    return torch.nonzero(call.known(0)).T.contiguous()


@operator("Compress")
def _compress(call: Call, x: Tensor, _: Tensor) -> Tensor:
    axis, chosen = call.attribute("axis"), call.known(1)
    where = torch.nonzero(chosen).flatten()
    return torch.index_select(torch.flatten(x) if axis is None else x, axis or 0, where)


@operator("Unique")
def _unique(call: Call, _: Tensor) -> Any:
    x, axis = call.known(0), call.attribute("axis")
    flat = x.flatten() if axis is None else x
    axis = 0 if axis is None else axis
    values, inverse, counts = torch.unique(flat, return_inverse=True, return_counts=True, dim=axis)
    first = torch.full((values.shape[axis],), inverse.numel(), dtype=torch.int64)
    first = first.scatter_reduce(0, inverse, torch.arange(inverse.numel()), "amin")
    if not call.attribute("sorted", 1):
        order = torch.argsort(first)
        values = torch.index_select(values, axis, order)
        inverse, first, counts = torch.argsort(order)[inverse], first[order], counts[order]
    return values, first, inverse, counts


@operator("NonMaxSuppression")
def _non_max_suppression(call: Call, *_: Any) -> Tensor:
    boxes, scores = call.known(0), call.known(1)
    most = int(call.number(2, default=0))
    overlap, least = call.number(3, default=0.0), call.number(4, default=float("-inf"))
    if call.attribute("center_point_box", 0):
        centre, half = boxes[..., :2], boxes[..., 2:] / 2
        boxes = torch.cat((centre - half, centre + half), -1)
    found = [
        (batch, kind, box)
        for batch in range(scores.shape[0])
        for kind in range(scores.shape[1])
        for box in _kept(boxes[batch], scores[batch, kind], most, overlap, least)
    ]
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 3)


def _kept(boxes: Tensor, scores: Tensor, most: int, overlap: float, least: float) -> list[int]:
    low, high = torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])
    areas = (high - low).prod(-1)
    kept: list[int] = []
    for box in torch.argsort(scores, descending=True, stable=True).tolist():
        if len(kept) == most or scores[box] <= least:
            break
        others = torch.tensor(kept, dtype=torch.int64)
        inside = (
            torch.minimum(high[box], high[others]) - torch.maximum(low[box], low[others])
        ).clamp(min=0)
        shared = inside.prod(-1)
        if not bool((shared / (areas[box] + areas[others] - shared) > overlap).any()):
            kept.append(box)
    return kept
