"""Weights that are no numbers: NaN, and infinities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

NAN, INFINITE = "NaN", "infinite numbers"
PIECE = 2**22  # numbers of a weight that are looked at together


def strangest(pieces: Iterable[torch.Tensor]) -> str:
    """The worst that some numbers hold: "NaN", "infinite numbers", or nothing.

    A sum is finite only if all its terms are, and summing takes an eighth of the time of a look
    at each; where it is not, each is looked at, since a sum of finite numbers may overflow.

    Examples
    --------
    >>> strangest([torch.tensor([1.0, float("inf")]), torch.tensor([float("nan")])])
    'NaN'
    """
    found = ""
    for piece in pieces:
        if not piece.is_floating_point() or bool(piece.sum(dtype=torch.float32).isfinite()):
            continue
        if bool(piece.isnan().any()):
            return NAN
        if bool(piece.isinf().any()):
            found = INFINITE
    return found


def strange(weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, str]]:
    """Those of some weights that hold numbers which are none, by name, with what they hold.

    Each is looked at in pieces: a sum of half floats converts what it sums.
    """
    for name, weight in weights:
        found = strangest(torch.split(weight.reshape(-1), PIECE))
        if found:
            yield name, found


def sentences(weights: Iterable[tuple[str, str]]) -> list[str]:
    """What to tell of strange weights, a sentence for each kind; none for none.

    Parameters
    ----------
    weights : iterable of tuple
        Names, and what `strangest` says of them.
    """
    by_kind: dict[str, list[str]] = {}
    for name, kind in weights:
        by_kind.setdefault(kind, []).append(repr(name[:80]))
    meaning = {
        NAN: "so that outputs are likely NaN as well: train or export the model anew",
        INFINITE: "which is meant in masks, and elsewhere a sign of a training that broke off",
    }
    return [
        f"{len(names)} weight{'s' if len(names) > 1 else ''} (first {names[0]}) "
        f"{'hold' if len(names) > 1 else 'holds'} {kind}, {meaning[kind]}."
        for kind, names in by_kind.items()
    ]
