"""torchvision's models by name: found as people type them, and built without weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from ramiel_core.errors import ModelError
from ramiel_core.model import zoo


def test_every_classification_model_of_the_registry_is_listed():
    assert zoo.names() == tuple(models.list_models(module=models))
    assert len(zoo.names()) >= 80


def test_families_hold_every_model_once_in_alphabetical_order():
    families = zoo.families()

    assert sorted(n for group in families.values() for n in group) == sorted(zoo.names())
    assert list(families) == sorted(families)
    assert "Other" not in families
    assert families["GoogLeNet"] == ("googlenet",)
    assert "efficientnet_v2_s" in families["EfficientNet V2"]


def test_a_family_that_torchvision_adds_later_is_other():
    assert zoo.family("timewarp_b0") == "Other"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("googlenet", "googlenet"),
        ("GoogLeNet", "googlenet"),
        (" ResNet-50 ", "resnet50"),
        ("resnet 50", "resnet50"),
        ("Inception-v3", "inception_v3"),
        ("inceptionv3", "inception_v3"),
        ("squeezenet", "squeezenet1_0"),
        ("densenet", "densenet121"),
        ("ViT_B_16", "vit_b_16"),
    ],
)
def test_a_name_is_found_as_people_type_it(typed: str, name: str):
    assert zoo.resolve(typed) == name


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("resnet51", "called 'resnet51'. Did you mean .*resnet50"),
        ("gogglenet", "Did you mean .*googlenet"),
        ("xyzzy", "List them with `python -m ramiel_core models`"),
        ("", "there is no torchvision classification model called ''"),
        ("../../etc/passwd", "there is no torchvision classification model"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(typed: str, advice: str):
    with pytest.raises(ModelError, match=advice):
        zoo.resolve(typed)


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_is_built_without_numbers_at_its_own_size(name: str):
    module, (example,) = zoo.build(name, "meta")

    assert not module.training
    assert {p.device.type for p in module.parameters()} == {"meta"}
    assert example.shape[:2] == (1, 3)
    assert example.shape[2] == example.shape[3] >= 224
    assert (example.dtype, example.device.type) == (torch.float32, "meta")


def test_inception_reads_larger_images_than_googlenet():
    assert zoo.build("inception_v3", "meta")[1][0].shape[-1] == 299
    assert zoo.build("googlenet", "meta")[1][0].shape[-1] == 224


def test_weights_are_the_same_every_time_and_signals_neither_vanish_nor_blow_up():
    (first, inputs), (second, again) = (zoo.build("squeezenet1_1") for _ in range(2))

    assert torch.equal(*inputs, *again)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    with torch.no_grad():
        output = first(*inputs)
    assert output.isfinite().all()
    assert 1e-3 < float(output.std()) < 1e3


@pytest.mark.timeout(60)
def test_skipping_random_numbers_never_waits_for_good_ones(monkeypatch):
    """torch draws truncated normals again until all lie in bounds; whatever lay in fresh memory
    would never get there, and swin_v2_t or convnext_tiny would be built for ever.
    """
    monkeypatch.setattr(torch, "empty_like", lambda tensor: torch.full_like(tensor, 1e9))
    weight = torch.full((8,), 1e9)
    with zoo.SkipRandom():
        nn.init.trunc_normal_(weight)

    assert weight.shape == (8,)


def test_layers_draw_no_weights_that_are_drawn_anew_later():
    with zoo.SkipRandom():
        layers = nn.Conv2d(2, 2, 1), nn.Linear(2, 2), nn.Embedding(2, 2)

    assert not any(layer.weight.any() for layer in layers)
