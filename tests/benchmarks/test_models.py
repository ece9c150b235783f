"""The models of the speed benchmarks: built without a download, traced, and split in two."""

from __future__ import annotations

import copy

import pytest
import torch

from benchmarks import models
from ramiel_core.model import zoo
from ramiel_core.run.bench import largest_difference
from tests.run import fresh, inside

SIDES = {"pnasnet5large": 99}  # of the image; the others' own are small enough
LEFT_OUT = {"inception_v4", "nasnetalarge"}  # 25 and 40 s; built as Inception-v3 and PNASNet are
OTHERS = [
    name
    for name in models.NAMES
    if name not in {*models.TORCHVISION, *LEFT_OUT}  # split in tests/run/test_zoo_equal.py
]


def test_there_are_thirteen_and_torchvisions_are_of_the_registry():
    assert len(set(models.NAMES)) == 13
    assert set(models.TORCHVISION) <= set(zoo.names())
    assert set(models.BRANCHY) <= set(models.NAMES)


@pytest.mark.parametrize("name", OTHERS)
def test_two_workers_and_one_return_the_models_own_bits(name: str):
    found = fresh.call(inside.benchmark_output, name, SIDES.get(name, 0))

    assert found["finite"]
    assert 0.01 < found["spread"] < 100
    assert found["sequential"] == {"equal": True, "workers": 1, "crossing": 0}
    assert found["parallel"]["workers"] == 2
    assert found["parallel"]["crossing"] >= 1
    assert found["parallel"]["equal"]


@pytest.mark.parametrize("name", OTHERS)
def test_rounding_is_not_amplified_so_that_peers_can_be_checked_against_eager(name: str):
    module, inputs = inside.resized(models.build(name), SIDES.get(name, 0))
    exact = copy.deepcopy(module).double()
    with torch.no_grad():
        found = module(*inputs)
        wide = exact(*(t.double() if t.is_floating_point() else t for t in inputs))

    assert largest_difference(found, wide) < 1e-5
