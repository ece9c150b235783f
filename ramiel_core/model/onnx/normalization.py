"""Batch norm and its relatives."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ramiel_core.model.onnx import calls, image_calls
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor
LAYERS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


@operator("BatchNormalization")
def _batch_norm(
    call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    if call.attribute("training_mode", 0) or (call.opset < 14 and call.outputs() > 1):
        raise call.refuse("normalises by the batch as in training")
    eps = call.attribute("epsilon", 1e-5)
    live = call.recorder.is_live
    if any(map(live, (scale, bias, mean, variance))) or x.dim() not in LAYERS or not live(x):
        return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, eps)
    made: Tensor = call.recorder.layer(
        LAYERS[x.dim()],
        x,
        x.shape[1],
        {"eps": eps},
        weight=scale,
        bias=bias,
        running_mean=mean,
        running_var=variance,
    )
    return made


@operator("InstanceNormalization")
def _instance_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(
        x, weight=scale, bias=bias, eps=call.attribute("epsilon", 1e-5), use_input_stats=True
    )


@operator("LayerNormalization")
def _layer_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    axis, eps = call.attribute("axis", -1), call.attribute("epsilon", 1e-5)
    shape = list(x.shape[axis:])
    if call.outputs() > 1:
        return calls.layer_norm_with_statistics(x, scale, bias, axis % x.dim(), eps)
    if list(scale.shape) == shape and (bias is None or list(bias.shape) == shape):
        return F.layer_norm(x, shape, scale, bias, eps)
    made = torch.mul(F.layer_norm(x, shape, None, None, eps), scale)
    return made if bias is None else torch.add(made, bias)


@operator("RMSNormalization")
def _rms_norm(call: Call, x: Tensor, scale: Tensor) -> Tensor:
    axis, eps = call.attribute("axis", -1), call.attribute("epsilon", 1e-5)
    shape = list(x.shape[axis:])
    if list(scale.shape) == shape:
        return F.rms_norm(x, shape, scale, eps)
    return torch.mul(F.rms_norm(x, shape, None, eps), scale)


@operator("GroupNormalization", since=21)
def _group_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.group_norm(
        x, call.attribute("num_groups"), scale, bias, call.attribute("epsilon", 1e-5)
    )


@operator("GroupNormalization", since=18, until=20)
def _group_norm_by_group(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups = call.attribute("num_groups")
    each = x.shape[1] // groups
    scale, bias = (torch.repeat_interleave(w, each) for w in (scale, bias))
    return F.group_norm(x, groups, scale, bias, call.attribute("epsilon", 1e-5))


@operator("LRN")
def _local_response(call: Call, x: Tensor) -> Tensor:
    size, alpha = call.attribute("size"), call.attribute("alpha", 1e-4)
    return image_calls.local_response(
        x, size, alpha, call.attribute("beta", 0.75), call.attribute("bias", 1.0)
    )
