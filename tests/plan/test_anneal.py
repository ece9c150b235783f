"""Annealing: never worse than the start, and nothing predicted in vain."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ramiel_core.plan.anneal import anneal

PARTS = 12


class Coins:
    """So many coins with costs; which to turn so that both sides weigh the same?"""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.weights = [1 + self.draw.random() for _ in range(PARTS)]
        self.asked = 0

    def propose(self, heads: tuple[bool, ...]) -> tuple[bool, ...] | None:
        turned = list(heads)
        turned[int(self.draw.random() * PARTS)] = self.draw.random() < 0.5
        return None if tuple(turned) == heads else tuple(turned)

    def predict(self, heads: tuple[bool, ...]) -> float:
        self.asked += 1
        up = sum(w for w, head in zip(self.weights, heads, strict=True) if head)
        return max(up, sum(self.weights) - up)

    def annealed(self, tries: int, bound_ms: float = 0.0, parts: int = PARTS):
        start = (True,) * PARTS
        start_ms = self.predict(start)
        return anneal(
            start, start_ms, self.propose, self.predict, parts, tries, self.draw, bound_ms
        )


@given(st.integers(0, 999), st.sampled_from((0, 10, 100, 1000)))
def test_the_best_is_never_worse_than_the_start_and_predicted_as_told(seed: int, tries: int):
    coins = Coins(seed)
    best, best_ms, improvements = coins.annealed(tries)

    assert best_ms == coins.predict(best) <= coins.predict((True,) * PARTS)
    assert (improvements > 0) == (best != (True,) * PARTS)


def test_the_sides_end_nearly_even():
    coins = Coins(1)
    best, best_ms, improvements = coins.annealed(2000)

    assert best_ms == coins.predict(best)
    assert best_ms < sum(coins.weights) / 2 * 1.01
    assert improvements > 0


def test_a_state_that_reaches_the_bound_is_not_worked_on_any_more():
    coins = Coins(1)
    coins.annealed(2000, bound_ms=sum(coins.weights) * 0.6)

    assert 1 < coins.asked < 200


def test_what_changes_nothing_is_not_predicted():
    coins = Coins(1)
    coins.annealed(1000)

    assert coins.asked < 600  # every other draw leaves the coin as it lies


def test_one_part_alone_is_left_as_it_is():
    coins = Coins(1)

    assert coins.annealed(1000, parts=1)[0] == (True,) * PARTS
    assert coins.asked == 1
