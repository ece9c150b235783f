"""Intervals of medians and of their ratios."""

from __future__ import annotations

from ramiel_core.bootstrap import difference_of_medians, ratio_of_medians


def test_the_interval_holds_the_ratio_and_is_the_same_every_time():
    before, after = (10.0, 12.0, 11.0, 13.0, 9.0), (6.0, 5.0, 7.0, 6.5, 5.5)
    ratio, (low, high) = ratio_of_medians(before, after)

    assert low <= ratio <= high
    assert low < high
    assert ratio_of_medians(before, after) == (ratio, (low, high))


def test_rounds_are_resampled_as_pairs():
    """Noise that both times of a round share leaves the ratio alone."""
    noise = (1.0, 3.0, 2.0, 9.0, 5.0)
    _, (low, high) = ratio_of_medians(tuple(2 * n for n in noise), noise)

    assert (low, high) == (2.0, 2.0)


def test_an_interval_of_a_difference_holds_it_and_is_the_same_every_time():
    one, other = (5.0, 6.0, 5.5, 5.2), (9.0, 8.0, 8.5)

    more, (low, high) = difference_of_medians(one, other)

    assert low <= more <= high
    assert 2 < low < high < 4
    assert difference_of_medians(one, other) == (more, (low, high))
