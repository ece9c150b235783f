"""What an imported RNN, GRU or LSTM calls: one ONNX operator as a loop over time steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F

from ramiel_core.model.onnx.calls import one_call

Tensor = torch.Tensor
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softsign": F.softsign,
    "softplus": F.softplus,
}


def _over_time(
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    step: Callable[..., tuple[Tensor, ...]],
    *,
    backwards: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Every step's first state (time, batch, hidden), and the states at each sequence's end."""
    found: list[Tensor] = [states[0]] * x.shape[0]
    steps = range(x.shape[0])
    for t in reversed(steps) if backwards else steps:
        new = step(x[t], *states)
        if lengths is None:
            states, found[t] = new, new[0]
        else:
            runs = (t < lengths)[:, None]
            found[t] = torch.where(runs, new[0], 0.0)
            states = tuple(torch.where(runs, a, b) for a, b in zip(new, states, strict=True))
    return torch.stack(found), states


def _both_ways(
    x: Tensor,
    lengths: Tensor | None,
    states: tuple[Tensor, ...],
    direction: str,
    one_way: Callable[[int], Callable[..., tuple[Tensor, ...]]],
) -> tuple[Tensor, ...]:
    """(time, direction, batch, hidden) and each last state as (direction, batch, hidden)."""
    done = [
        _over_time(
            x,
            lengths,
            tuple(state[i] for state in states),
            one_way(i),
            backwards=direction == "reverse" or i == 1,
        )
        for i in range(len(states[0]))
    ]
    outputs = torch.stack([sequence for sequence, _ in done], 1)
    last = zip(*(ends for _, ends in done), strict=True)
    return (outputs, *(torch.stack(list(parts)) for parts in last))


def _activate(name: str, clip: float) -> Callable[[Tensor], Tensor]:
    function = ACTIVATIONS[name]
    return (lambda x: function(x.clamp(-clip, clip))) if clip else function


@one_call
def rnn(
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    lengths: Tensor | None,
    hidden: Tensor,
    direction: str,
    activations: tuple[str, ...],
    clip: float,
) -> tuple[Tensor, ...]:
    """ONNX RNN: outputs (time, direction, batch, hidden) and the last hidden state."""

    def one_way(i: int) -> Callable[..., tuple[Tensor, ...]]:
        b = bias[i].reshape(2, -1).sum(0)
        f = _activate(activations[i], clip)
        return lambda xt, h: (f(xt @ weight[i].T + h @ recurrence[i].T + b),)

    return _both_ways(x, lengths, (hidden,), direction, one_way)


@one_call
def gru(
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    lengths: Tensor | None,
    hidden: Tensor,
    direction: str,
    activations: tuple[str, ...],
    clip: float,
    *,
    linear_before_reset: bool,
) -> tuple[Tensor, ...]:
    """ONNX GRU, gates in the order update, reset, new."""

    def one_way(i: int) -> Callable[..., tuple[Tensor, ...]]:
        f, g = (_activate(name, clip) for name in activations[2 * i : 2 * i + 2])
        size = hidden.shape[-1]
        wb, rb = bias[i].reshape(2, -1)
        gates, new = recurrence[i][: 2 * size], recurrence[i][2 * size :]

        def step(xt: Tensor, h: Tensor) -> tuple[Tensor, ...]:
            given = xt @ weight[i].T + wb
            both = f(given[:, : 2 * size] + h @ gates.T + rb[: 2 * size])
            z, r = both.chunk(2, -1)
            if linear_before_reset:
                n = g(given[:, 2 * size :] + r * (h @ new.T + rb[2 * size :]))
            else:
                n = g(given[:, 2 * size :] + (r * h) @ new.T + rb[2 * size :])
            return ((1 - z) * n + z * h,)

        return step

    return _both_ways(x, lengths, (hidden,), direction, one_way)


@one_call
def lstm(
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    lengths: Tensor | None,
    hidden: Tensor,
    cell: Tensor,
    peephole: Tensor | None,
    direction: str,
    activations: tuple[str, ...],
    clip: float,
    *,
    coupled: bool,
) -> tuple[Tensor, ...]:
    """ONNX LSTM, gates in the order input, output, forget, cell."""

    def one_way(i: int) -> Callable[..., tuple[Tensor, ...]]:
        f, g, h_ = (_activate(name, clip) for name in activations[3 * i : 3 * i + 3])
        b = bias[i].reshape(2, -1).sum(0)
        to_i, to_o, to_f = (0.0, 0.0, 0.0) if peephole is None else peephole[i].chunk(3)

        def step(xt: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
            given = xt @ weight[i].T + h @ recurrence[i].T + b
            gi, go, gf, gc = given.chunk(4, -1)
            into = f(gi + to_i * c)
            forget = 1 - into if coupled else f(gf + to_f * c)
            new = forget * c + into * g(gc)
            return f(go + to_o * new) * h_(new), new

        return step

    return _both_ways(x, lengths, (hidden, cell), direction, one_way)
