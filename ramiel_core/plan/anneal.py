"""Simulated annealing: a state is changed again and again, and may get a little worse at first."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TypeVar

HOT, COLD = 0.01, 0.0002  # what may be lost in a try, of the state's time: at first, at last
TRIES_A_PART = 20  # with fewer, there is no time to recover from a loss: none is allowed
MOST_TRIES_A_PART = 400  # more do not pay in small problems
CLOSE = 1e-3  # a state this near to a bound that none can beat is not worked on any more

State = TypeVar("State")


def anneal(
    start: State,
    start_ms: float,
    propose: Callable[[State], State | None],
    predict: Callable[[State], float],
    parts: int,
    tries: int,
    draw: random.Random,
    bound_ms: float,
) -> tuple[State, float, int]:
    """Change a state again and again, and keep the best one.

    Parameters
    ----------
    start : State
        Where to begin.
    start_ms : float
        What `predict` says of it.
    propose : callable
        Another state near the given one; None where the draw changes nothing.
    predict : callable
        Milliseconds that a state takes.
    parts : int
        Of a state that a proposal may change: bounds the tries. One part alone is left as it is.
    tries : int
        At most; fewer with few parts, and when the bound is reached.
    draw : random.Random
        Decides, here and in `propose`.
    bound_ms : float
        That no state can beat.

    Returns
    -------
    best : State
        The very start where nothing is better.
    best_ms : float
        Milliseconds that it takes.
    improvements : int
        How many times there was a new best.

    References
    ----------
    .. [1] S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, "Optimization by simulated annealing",
       Science 220 (1983), doi:10.1126/science.220.4598.671.
    """
    now = best = start
    now_ms = best_ms = start_ms
    improvements = 0
    if parts < 2:
        return best, best_ms, improvements
    tries = min(tries, MOST_TRIES_A_PART * parts)
    hot = HOT if tries >= TRIES_A_PART * parts else 0.0
    for done in range(tries):
        if best_ms <= bound_ms * (1 + CLOSE):
            break
        tried = propose(now)
        if tried is None:
            continue
        allowed_ms = now_ms * hot * (COLD / HOT) ** (done / tries)
        tried_ms = predict(tried)
        loss_ms = tried_ms - now_ms
        if loss_ms <= 0 or (hot and draw.random() < math.exp(-loss_ms / allowed_ms)):
            now, now_ms = tried, tried_ms
            if now_ms < best_ms * (1 - 1e-6):
                best, best_ms = now, now_ms
                improvements += 1
    return best, best_ms, improvements
