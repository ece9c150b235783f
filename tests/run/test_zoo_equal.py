"""Forty-five models of torchvision: two workers return the model's own bits.

Each is split in two whether that pays or not, so that values really change workers; once more with
every pooling in two parts. Of families that differ in size only, the smaller ones: the largest have
a hundred million weights to draw.
"""

from __future__ import annotations

import pytest

from tests.run import fresh, whole_models

# By the side of the input; 0 is the model's own.
MODELS = {
    "squeezenet1_0": 0, "squeezenet1_1": 96, "googlenet": 0, "resnet50": 0, "densenet121": 0,
    "inception_v3": 0, "alexnet": 96, "vgg11_bn": 64, "resnet18": 64, "resnet34": 64,
    "resnet101": 64, "resnext50_32x4d": 64, "densenet161": 64, "densenet169": 64,
    "densenet201": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64, "mobilenet_v3_large": 64,
    "mnasnet0_5": 64, "mnasnet0_75": 64, "mnasnet1_0": 64, "mnasnet1_3": 64,
    "shufflenet_v2_x0_5": 64, "shufflenet_v2_x1_0": 64, "shufflenet_v2_x1_5": 64,
    "shufflenet_v2_x2_0": 64, "efficientnet_b0": 64, "efficientnet_b1": 64, "efficientnet_b2": 64,
    "efficientnet_b3": 64, "efficientnet_v2_s": 64, "regnet_x_400mf": 64, "regnet_x_800mf": 64,
    "regnet_x_1_6gf": 64, "regnet_y_400mf": 64, "regnet_y_800mf": 64, "regnet_y_1_6gf": 64,
    "regnet_y_3_2gf": 64, "convnext_tiny": 64, "convnext_small": 64, "swin_t": 64, "swin_s": 64,
    "swin_v2_t": 64, "vit_b_32": 0, "maxvit_t": 0,
}  # fmt: skip

WITHOUT_POOLING = ("mnasnet", "convnext", "swin", "vit")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_two_workers_and_one_return_the_models_own_bits(name: str):
    found = fresh.call(whole_models.zoo_output, name, MODELS[name])

    assert found["finite"]
    assert found["spread"] > 0.01, "a constant output would be equal whatever went wrong"
    assert found["sequential"] == {"equal": True, "workers": 1, "crossing": 0, "in_parts": 0}
    assert found["parallel"]["workers"] == 2
    assert found["parallel"]["crossing"] >= 1
    assert found["parallel"]["equal"]
    assert found["parts"]["workers"] == 2
    assert (found["parts"]["in_parts"] == 0) == name.startswith(WITHOUT_POOLING)
    assert found["parts"]["equal"]


def test_there_are_five_models_of_the_table_and_forty_more():
    five = {"squeezenet1_0", "googlenet", "resnet50", "densenet121", "inception_v3"}

    assert five <= set(MODELS)
    assert len(set(MODELS) - five) >= 40
