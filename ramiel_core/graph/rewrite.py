"""TracedModel -> the same model by fewer operators: every rewrite that was asked for, in turn."""

from __future__ import annotations

from ramiel_core.graph.drop_dead import drop_dead
from ramiel_core.graph.fold_constants import fold_constants
from ramiel_core.graph.share_repeats import share_repeats
from ramiel_core.ir import Rewrites, TracedModel


def rewrite(model: TracedModel, wanted: Rewrites) -> TracedModel:
    """Constants first: what only a folded operator read is dead afterwards, and not shared.

    Parameters
    ----------
    model : TracedModel
        Stays as it is; its weights are shared.
    wanted : Rewrites
        Which of them.

    Returns
    -------
    TracedModel
        Equal outputs, bit for bit, at the thread count at which constants were computed.
    """
    if wanted.fold_constants:
        model = fold_constants(model)
    if wanted.share_repeats:
        model = share_repeats(model)
    return drop_dead(model) if wanted.drop_dead else model
