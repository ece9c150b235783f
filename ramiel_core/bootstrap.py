"""How far medians of few noisy times are to be believed: percentile bootstrap, 95 %.

References
----------
.. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2000
SEED = 0

Estimate = tuple[float, tuple[float, float]]  # and its interval


def paired_ratio(one_ms: ArrayLike, other_ms: ArrayLike) -> Estimate:
    """What multiple of `other` one takes, at the median of rounds that both ran.

    A host that is twice as slow for some of the rounds is so for both: the ratio of their medians
    would depend on which side of the half those rounds lie.

    Examples
    --------
    >>> paired_ratio([1.0, 4.0, 4.0], [1.0, 1.0, 2.0])  # medians are 4 and 1
    (2.0, (1.0, 4.0))
    """
    ratios = np.asarray(one_ms) / np.asarray(other_ms)
    return _estimate(np.median(ratios), np.median(ratios[_draws(len(ratios))], axis=1))


def ratio_of_medians(before_ms: ArrayLike, after_ms: ArrayLike) -> Estimate:
    """How many times faster `after` is.

    Of the medians themselves, since both stand beside it wherever it is shown. Rounds are resampled
    as pairs, since both times of a round share its disturbances.

    Examples
    --------
    >>> ratio_of_medians([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    (2.0, (2.0, 2.0))
    """
    before, after = np.asarray(before_ms), np.asarray(after_ms)
    draws = _draws(len(before))
    resampled = np.median(before[draws], axis=1) / np.median(after[draws], axis=1)
    return _estimate(np.median(before) / np.median(after), resampled)


def difference_of_medians(one_ms: ArrayLike, other_ms: ArrayLike) -> Estimate:
    """By how many ms the median of `other` is longer.

    The times are of different runs, so each is resampled by itself.

    Examples
    --------
    >>> difference_of_medians([1.0, 1.0], [3.0, 3.0, 3.0])
    (2.0, (2.0, 2.0))
    """
    one, other = np.asarray(one_ms), np.asarray(other_ms)
    resampled = [np.median(t[_draws(len(t), i)], axis=1) for i, t in enumerate((one, other))]
    return _estimate(np.median(other) - np.median(one), resampled[1] - resampled[0])


def _draws(rounds: int, which: int = 0) -> np.ndarray[Any, Any]:
    """Rounds drawn with replacement, `RESAMPLES` times as many as there are; `which` of several."""
    return np.random.default_rng(SEED + which).integers(0, rounds, (RESAMPLES, rounds))


def _estimate(found: Any, resampled: Any) -> Estimate:
    low, high = np.percentile(resampled, (2.5, 97.5))
    return float(found), (float(low), float(high))
