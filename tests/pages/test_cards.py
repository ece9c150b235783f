from __future__ import annotations

import doctest

from pages.common import cards


def test_the_examples_of_numbers_and_units_hold():
    assert doctest.testmod(cards).failed == 0
