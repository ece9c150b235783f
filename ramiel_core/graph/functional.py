"""A layer of `torch.nn` as the functional call that its `forward` makes, weights by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn


def functional(path: str, layer: nn.Module, x: str, *, in_place: bool) -> str | None:
    """The call of a layer on one value.

    Parameters
    ----------
    path : str
        Of the layer in its model; its weights are found under it in `w`.
    layer : nn.Module
        The layer.
    x : str
        The value, as an expression.
    in_place : bool
        Allows it to write over `x`.

    Returns
    -------
    str or None
        None for a layer that has no functional form.
    """
    write = LAYERS.get(type(layer))
    plain = getattr(layer, "padding_mode", "zeros") == "zeros"
    plain = plain and not getattr(layer, "return_indices", False)
    if write is None or not plain:
        return None
    text = write(_Layer(path, layer, x))
    if in_place and type(layer) in ACTIVATIONS:
        text = text.removesuffix(")") + ", inplace=True)"
    return text


@dataclass(frozen=True)
class _Layer:
    """A layer of `torch.nn` about to be written: its path, itself, and what it reads."""

    path: str
    layer: Any
    x: str

    def weight(self, name: str) -> str:
        """One of its weights, or None where it has none of that name."""
        return f'w["{self.path}.{name}"]' if getattr(self.layer, name) is not None else "None"

    def weights(self, *names: str) -> str:
        """Several of its weights, as arguments."""
        return ", ".join(self.weight(name) for name in names)


def _convolution(dimensions: int) -> Callable[[_Layer], str]:
    def call(c: _Layer) -> str:
        m = c.layer
        how = f"{m.stride}, {m.padding!r}, {m.dilation}, {m.groups}"
        return f"F.conv{dimensions}d({c.x}, {c.weights('weight', 'bias')}, {how})"

    return call


def _batch_norm(c: _Layer) -> str:
    weights = c.weights("running_mean", "running_var", "weight", "bias")
    of_batch = c.layer.running_mean is None  # then its statistics serve, in eval mode as well
    return f"F.batch_norm({c.x}, {weights}, {of_batch}, 0.0, {c.layer.eps})"


def _layer_norm(c: _Layer) -> str:
    shape = tuple(c.layer.normalized_shape)
    return f"F.layer_norm({c.x}, {shape}, {c.weights('weight', 'bias')}, {c.layer.eps})"


def _max_pool(c: _Layer) -> str:
    m = c.layer
    where = f"{m.kernel_size}, {m.stride}, {m.padding}, {m.dilation}"
    return f"F.max_pool2d({c.x}, {where}, ceil_mode={m.ceil_mode})"


def _avg_pool(c: _Layer) -> str:
    m = c.layer
    where = f"{m.kernel_size}, {m.stride}, {m.padding}"
    how = f"{m.ceil_mode}, {m.count_include_pad}, {m.divisor_override}"
    return f"F.avg_pool2d({c.x}, {where}, {how})"


LAYERS: Mapping[type[nn.Module], Callable[[_Layer], str]] = {
    nn.Conv1d: _convolution(1),
    nn.Conv2d: _convolution(2),
    nn.Conv3d: _convolution(3),
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.Linear: lambda c: f"F.linear({c.x}, {c.weights('weight', 'bias')})",
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.AdaptiveAvgPool2d: lambda c: f"F.adaptive_avg_pool2d({c.x}, {c.layer.output_size})",
    nn.AdaptiveMaxPool2d: lambda c: f"F.adaptive_max_pool2d({c.x}, {c.layer.output_size})",
    nn.ReLU: lambda c: f"F.relu({c.x})",
    nn.ReLU6: lambda c: f"F.relu6({c.x})",
    nn.SiLU: lambda c: f"F.silu({c.x})",
    nn.Hardswish: lambda c: f"F.hardswish({c.x})",
    nn.Hardsigmoid: lambda c: f"F.hardsigmoid({c.x})",
    nn.Sigmoid: lambda c: f"torch.sigmoid({c.x})",
    nn.Tanh: lambda c: f"torch.tanh({c.x})",
    nn.GELU: lambda c: f"F.gelu({c.x}, approximate={c.layer.approximate!r})",
    nn.Softmax: lambda c: f"F.softmax({c.x}, {c.layer.dim})",
    nn.Dropout: lambda c: f"F.dropout({c.x}, {c.layer.p}, training=False)",
    nn.Flatten: lambda c: f"torch.flatten({c.x}, {c.layer.start_dim}, {c.layer.end_dim})",
    nn.Identity: lambda c: c.x,
}
# Layers and functions that take `inplace`: torch has the same operator for both ways.
ACTIVATIONS = frozenset({nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardsigmoid})
