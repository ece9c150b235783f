"""Shared memory that is used again, by workers that are now and then slow."""

from __future__ import annotations

from functools import cache

import pytest

from tests.run import delays, fresh


@cache
def outcomes() -> dict[str, list[bool]]:
    """GoogLeNet on three workers, three inferences each, in one process."""
    return fresh.call(delays.delayed, "googlenet", 64, 3)


@pytest.mark.parametrize("runtime", ["processes", "threads"])
def test_slow_workers_still_return_the_models_own_bits(runtime: str):
    assert outcomes()[runtime] == [True] * delays.INFERENCES


def test_slow_workers_show_a_layout_that_is_wrong():
    """With every value in one place: or the test above would prove nothing."""
    assert outcomes()["in one place"] == [False] * delays.INFERENCES
