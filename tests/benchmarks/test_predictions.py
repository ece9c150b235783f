"""How a moldable plan stands beside its two ends, from the rounds that they shared."""

from __future__ import annotations

import pytest

from benchmarks.predictions import behind

SLOW, QUICK = [20.0, 60.0, 20.0], [10.0, 30.0, 10.0]  # in the second round by a busy host


@pytest.mark.parametrize(
    ("ends", "longer", "surely"),
    [
        ({"threads": QUICK, "clusters": SLOW}, 1.0, True),
        ({"threads": SLOW, "clusters": QUICK}, 1.0, True),
        ({"threads": [19.0, 61.0, 19.5]}, 20 / 19.5 - 1, False),
        ({}, -0.5, False),  # the plan itself is the other one
    ],
)
def test_a_moldable_plan_is_compared_with_the_better_end_round_by_round(ends, longer, surely):
    took = {"sequential": [40.0, 120.0, 40.0], "parallel": SLOW} | ends
    runs = [{"label": label, "times_ms": times} for label, times in took.items()]

    assert behind({"runs": runs}) == (pytest.approx(longer), surely)
