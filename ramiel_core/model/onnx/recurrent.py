"""RNN, GRU and LSTM."""

from __future__ import annotations

from typing import Any

import torch

from ramiel_core.model.onnx import recurrent_calls as loops
from ramiel_core.model.onnx.registry import Call, operator

Tensor = torch.Tensor


@operator("RNN", "GRU", "LSTM")
def _recurrent(call: Call, x: Tensor, weight: Tensor, recurrence: Tensor, *rest: Any) -> Any:
    missing: list[Any] = [None] * (5 - len(rest))
    bias, lengths, hidden, cell, peephole = [*rest, *missing]
    kind = call.node.op_type
    batch_first = bool(call.attribute("layout", 0))
    size, ways = recurrence.shape[-1], weight.shape[0]
    if batch_first:
        x = torch.transpose(x, 0, 1)
        hidden, cell = (None if s is None else torch.transpose(s, 0, 1) for s in (hidden, cell))
    if bias is None:
        bias = torch.zeros(ways, 2 * weight.shape[1], dtype=x.dtype)
    zeros = torch.zeros(ways, x.shape[1], size, dtype=x.dtype)
    hidden = zeros if hidden is None else hidden
    direction = call.attribute("direction", "forward")
    how = (direction, _activations(call, ways), call.attribute("clip", 0.0))
    given = (x, weight, recurrence, bias, lengths, hidden)
    if kind == "RNN":
        found = loops.rnn(*given, *how)
    elif kind == "GRU":
        linear = bool(call.attribute("linear_before_reset", 0))
        found = loops.gru(*given, *how, linear_before_reset=linear)
    else:
        cell = zeros if cell is None else cell
        coupled = bool(call.attribute("input_forget", 0))
        found = loops.lstm(*given, cell, peephole, *how, coupled=coupled)
    if not batch_first:
        return found
    outputs, *states = found
    return torch.permute(outputs, (2, 0, 1, 3)), *(torch.transpose(s, 0, 1) for s in states)


def _activations(call: Call, ways: int) -> tuple[str, ...]:
    usual = {"RNN": ("tanh",), "GRU": ("sigmoid", "tanh"), "LSTM": ("sigmoid", "tanh", "tanh")}
    asked = call.attribute("activations")
    if asked is None:
        return usual[call.node.op_type] * ways
    names = tuple((a.decode() if isinstance(a, bytes) else a).lower() for a in asked)
    unknown = [name for name in names if name not in loops.ACTIVATIONS]
    if unknown or call.attribute("activation_alpha") or call.attribute("activation_beta"):
        raise call.refuse(f"uses the activations {', '.join(names)} with constants of their own")
    return names
