"""Annealing: never worse than the start, and no slower for what it does not predict."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel_core.plan.anneal import anneal

PARTS = 12


class Coins:
    """So many coins with costs; which to turn so that both sides weigh the same?"""

    def __init__(self, seed: int, *, stops: bool = False) -> None:
        self.draw = random.Random(seed)
        self.weights = [1 + self.draw.random() for _ in range(PARTS)]
        self.stops = stops
        self.asked = 0

    def propose(self, heads: tuple[bool, ...]) -> tuple[bool, ...] | None:
        turned = list(heads)
        turned[int(self.draw.random() * PARTS)] = self.draw.random() < 0.5
        return None if tuple(turned) == heads else tuple(turned)

    def predict(self, heads: tuple[bool, ...], most_ms: float) -> float:
        self.asked += 1
        up = sum(w for w, head in zip(self.weights, heads, strict=True) if head)
        heavier = max(up, sum(self.weights) - up)
        return math.inf if self.stops and heavier > most_ms else heavier

    def annealed(self, tries: int, bound_ms: float = 0.0, parts: int = PARTS):
        start = (True,) * PARTS
        start_ms = self.predict(start, math.inf)
        return anneal(
            start, start_ms, self.propose, self.predict, parts, tries, self.draw, bound_ms
        )


@settings(max_examples=30)
@given(st.integers(0, 999), st.sampled_from((0, 100, 1000)))
def test_nothing_changes_where_hopeless_states_are_not_predicted_to_their_end(seed, tries):
    """Hot and cold: with 100 tries no loss is allowed, with 1,000 some are."""
    whole, stopped = Coins(seed), Coins(seed, stops=True)

    assert whole.annealed(tries) == stopped.annealed(tries)
    assert whole.draw.random() == stopped.draw.random()


def test_the_sides_end_nearly_even():
    coins = Coins(1)
    best, best_ms, improvements = coins.annealed(2000)

    assert best_ms == coins.predict(best, math.inf)
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
