"""What a host's workers cost, as it is measured in them."""

from __future__ import annotations

from tests.run import fresh, inside


def test_switching_costs_what_changing_the_thread_count_takes_and_not_what_operators_do():
    found = fresh.call(inside.switch_costs, 3.0)

    assert found["to the same count"] == 0.0
    assert 2.5 < found["to two"] < 15.0
