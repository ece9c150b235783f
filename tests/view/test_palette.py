from __future__ import annotations

import pytest

from ramiel_core.view import palette


def test_every_cluster_has_a_colour_of_its_own():
    assert len({palette.fill(i) for i in range(64)}) == 64


def test_the_number_of_any_cluster_can_be_read_on_its_fill():
    fills = [palette.fill(i) for i in range(500)]

    assert min(palette.contrast(palette.text_on(fill), fill) for fill in fills) >= 4.5


def test_the_critical_path_stands_out_on_white_and_on_black():
    assert palette.contrast(palette.CRITICAL, "#ffffff") >= 3
    assert palette.contrast(palette.CRITICAL, "#0e1117") >= 3


@pytest.mark.parametrize("scale", [palette.RISING, palette.DIVERGING])
def test_amounts_can_be_read_on_every_step_of_a_scale(scale):
    assert min(palette.contrast(palette.text_on(fill), fill) for fill in scale) >= 4.5


def test_more_is_always_darker():
    on_white = [palette.contrast(fill, "#ffffff") for fill in palette.RISING]

    assert on_white == sorted(on_white)
