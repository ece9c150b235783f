"""The models of the speed benchmarks: built without a download, traced, and split in two."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from benchmarks import models
from ramiel_core.model import zoo
from tests.run import fresh, whole_models

SIDES = {"pnasnet5large": 99}  # of the image; the others' own are small enough
LEFT_OUT = {"inception_v4", "nasnetalarge"}  # 25 and 40 s; built as Inception-v3 and PNASNet are
OTHERS = [
    name
    for name in models.NAMES
    if name not in {*models.TORCHVISION, *LEFT_OUT}  # split in tests/run/test_zoo_equal.py
]


@cache
def outputs(name: str) -> dict[str, Any]:
    """All that is asked of a model, which takes longer to build than to run."""
    return fresh.call(whole_models.benchmark_output, name, SIDES.get(name, 0))


def test_there_are_thirteen_and_torchvisions_are_of_the_registry():
    assert len(set(models.NAMES)) == 13
    assert set(models.TORCHVISION) <= set(zoo.names())
    assert set(models.BRANCHY) <= set(models.NAMES)


@pytest.mark.parametrize("name", OTHERS)
def test_two_workers_and_one_return_the_models_own_bits(name: str):
    found = outputs(name)

    assert found["finite"]
    assert 0.01 < found["spread"] < 100
    assert found["sequential"] == {"equal": True, "workers": 1, "crossing": 0, "in_parts": 0}
    assert found["parallel"]["workers"] == 2
    assert found["parallel"]["crossing"] >= 1
    assert found["parallel"]["equal"]


@pytest.mark.parametrize("name", OTHERS)
def test_rounding_is_not_amplified_so_that_peers_can_be_checked_against_eager(name: str):
    """Float32's last bit, drawn anew after every layer, is still about the last bit at the end."""
    assert 0 < outputs(name)["rounding"] < 1e-5
