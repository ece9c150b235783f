"""Whether a nested output is what it should be: bit for bit, or how far it is from that."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils import _pytree as pytree


def agreement(output: Any, reference: Any, tolerance: float) -> tuple[bool, float]:
    """Whether an output is the reference's, and the largest difference as a share of its values."""
    if same_bits(output, reference):
        return True, 0.0
    if pytree.tree_structure(output) != pytree.tree_structure(reference):
        return False, float("inf")
    difference = largest_difference(output, reference)
    return tolerance > 0 and difference <= tolerance, difference


def same_bits(output: Any, reference: Any) -> bool:
    """Whether two nested outputs have equal structure, shapes, types and bits (NaN included)."""
    found, shape = pytree.tree_flatten(output)
    wanted, wanted_shape = pytree.tree_flatten(reference)
    return shape == wanted_shape and all(map(_same_tensor, found, wanted))


def largest_difference(output: Any, reference: Any) -> float:
    """Largest absolute difference of two nested outputs, as a share of the largest value."""
    pairs = zip(pytree.tree_leaves(output), pytree.tree_leaves(reference), strict=True)
    tensors = [(a, b) for a, b in pairs if isinstance(a, torch.Tensor)]
    return max((_difference(a, b) for a, b in tensors), default=0.0)


def _same_tensor(a: Any, b: Any) -> bool:
    if not isinstance(a, torch.Tensor):
        return bool(a == b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    plain = (t.resolve_conj().resolve_neg().contiguous().reshape(-1) for t in (a, b))
    return torch.equal(*(t.view(torch.uint8) for t in plain))


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Infinite where only one of two numbers is NaN or infinite, or the shapes differ."""
    if a.shape != b.shape:
        return math.inf
    wide = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
    a, b = a.to(wide), b.to(wide)
    other = (a != b) & ~(a.isnan() & b.isnan())
    gap = (a - b).abs()[other].nan_to_num(nan=math.inf)
    finite = b.abs()[b.isfinite()]
    scale = float(finite.max()) if finite.numel() else 0.0
    return float(gap.max()) / (scale or 1.0) if gap.numel() else 0.0
