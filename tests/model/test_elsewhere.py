"""Models beyond the registry: timm's, torchvision's other ones, and functions of one's own."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from ramiel_core import pipeline
from ramiel_core.errors import ModelError
from ramiel_core.model import elsewhere, zoo


class Pair(nn.Module):
    """Two inputs, one of them integer; a dict of a tensor and a tuple comes out."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)

    def forward(self, ids, scale):
        x = self.words(ids)
        return {"sum": x.sum(1), "parts": (x * scale, x + scale)}


def pair():
    return Pair(), (torch.tensor([[1, 2, 3]]), torch.ones(4))


def single():
    return nn.Linear(4, 2), torch.ones(1, 4)


def no_inputs():
    return nn.Linear(4, 2)


def broken():
    raise ValueError("no weights here")


def test_a_function_of_ones_own_gives_the_model_and_its_inputs():
    graph = pipeline.graph_of(f"{__name__}:pair", cost="unit")
    module, inputs = zoo.build(f"{__name__}:single")

    assert [spec.dtype for _, spec in graph.inputs] == ["int64", "float32"]
    assert graph.result == "{'sum': sum_1, 'parts': (mul, add)}"
    assert not module.training
    assert [tuple(t.shape) for t in inputs] == [(1, 4)]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"{__name__}:no_inputs", "returned Linear; it has to return an nn.Module and its example"),
        (f"{__name__}:broken", "ValueError: no weights here. Name a function without arguments"),
        (f"{__name__}:nothing", "has no attribute 'nothing'"),
        ("no_such_package.at_all:f", "No module named 'no_such_package'"),
        ("math:pi", "'float' object is not callable"),
    ],
)
def test_a_path_that_leads_nowhere_gets_one_sentence(path: str, said: str):
    with pytest.raises(ModelError, match=r"cannot be called|has to return") as raised:
        zoo.build(path)
    assert said in str(raised.value)


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "mc3_18"])
def test_torchvisions_other_models_are_found_by_name(name: str):
    module, inputs = zoo.build(name, "meta")
    graph = pipeline.graph_of(name, cost="unit")

    assert zoo.resolve(name) == name
    assert inputs[0].device.type == "meta"
    assert len(graph) > 50
    assert all(p.is_meta for p in module.parameters())


def test_timms_models_are_built_without_a_download():
    pytest.importorskip("timm")

    assert len(pipeline.graph_of("timm:dla34", cost="unit")) == 138
    with pytest.raises(ModelError, match=r"timm has no model called 'dla35'. Did you mean dla34"):
        zoo.resolve("timm:dla35")
    with pytest.raises(ModelError, match="timm has no model"):
        zoo.resolve("timm:hf-hub:timm/dla34")


def test_what_runs_code_is_told_apart():
    assert elsewhere.runs_code("os:getcwd")
    assert not elsewhere.runs_code("timm:dla34")
    assert not elsewhere.runs_code("googlenet")
    with pytest.raises(ModelError, match="no torchvision classification model"):
        zoo.resolve("os:getcwd()")


class Text(nn.Module):
    """As transformers' models are: configured, and called by keyword."""

    main_input_name = "input_ids"

    def __init__(self, config):
        super().__init__()
        self.config, self.words = config, nn.Embedding(config.vocab_size, 4)

    def forward(self, input_ids=None, attention_mask=None):
        x = self.words(input_ids)
        return {"last_hidden_state": x if attention_mask is None else x * attention_mask}


class Sounds(Text):
    main_input_name = "input_features"


class Images(nn.Module):
    """A convolutional one, whose configuration names no size of an image."""

    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__()
        self.config, self.stem = config, nn.Conv2d(config.num_channels, 2, 3)

    def forward(self, pixel_values):
        return {"last_hidden_state": self.stem(pixel_values)}


KINDS = {"bert": Text, "sounds": Sounds, "resnet": Images}


class Configured(types.SimpleNamespace):
    vocab_size, max_position_embeddings, num_channels = 11, 16, 3
    dtype = "float32"
    is_encoder_decoder = False


class AutoConfig:
    """As much of transformers' as is documented and called here."""

    @classmethod
    def for_model(cls, model_type, *args, **kwargs):
        assert not args
        return Configured(model_type=model_type, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        assert kwargs == {"local_files_only": True, "trust_remote_code": False}
        return Configured(**json.loads(Path(pretrained_model_name_or_path).read_text()))


class AutoModel:
    @classmethod
    def from_config(cls, config, **kwargs):
        """In the type that the configuration names, as newer ones do."""
        assert kwargs == {"trust_remote_code": False}  # None asks at the terminal
        return KINDS[config.model_type](config).to(getattr(torch, config.dtype))


@pytest.fixture
def transformers(monkeypatch):
    """One of our own, in place of the real one, which takes seconds to load."""
    library = types.SimpleNamespace(
        CONFIG_MAPPING=KINDS, AutoConfig=AutoConfig, AutoModel=AutoModel
    )
    monkeypatch.setitem(sys.modules, "transformers", library)


def test_transformers_models_are_built_from_a_type_or_a_configuration(transformers, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "bert", "vocab_size": 5, "dtype": "bfloat16"}')

    module, inputs = zoo.build("hf:bert")
    assert inputs["input_ids"].shape == (1, 8)
    assert module.config.use_cache is False
    for name in (f"hf:{path}", f"hf:{tmp_path}/"):
        module, inputs = zoo.build(name)
        assert module.config.vocab_size == 5
        assert module.words.weight.dtype == torch.float32
        assert int(inputs["input_ids"].max()) < 5
    assert pipeline.graph_of("hf:bert", cost="unit").result == "{'last_hidden_state': words}"
    assert pipeline.graph_of("hf:resnet").inputs[0][1].shape == (1, 3, 224, 224)


def test_an_encoder_and_decoder_reads_two_texts(transformers, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "bert", "is_encoder_decoder": true}')

    _, inputs = zoo.build(f"hf:{path}")
    assert set(inputs) == {"input_ids", "decoder_input_ids"}


def test_transformers_refuses_in_a_sentence(transformers, tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    path.write_text("[]")

    with pytest.raises(ModelError, match=r"no type of model called 'bart'. Did you mean bert\?"):
        zoo.resolve("hf:bart")
    with pytest.raises(ModelError, match="names no model_type; give the"):
        zoo.resolve(f"hf:{path}")
    with pytest.raises(ModelError, match=r"gone.json cannot be read as a config.json \(.*No such"):
        zoo.resolve("hf:gone.json")
    with pytest.raises(ModelError, match=r"hf:sounds reads input_features, of which no example"):
        zoo.build("hf:sounds")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match="is not installed here: `pip install transformers`"):
        zoo.resolve("hf:bert")


def test_an_address_reads_no_configuration_of_the_host():
    assert elsewhere.needs_shell("hf:/etc/config.json")
    assert elsewhere.needs_shell("os:getcwd")
    assert not elsewhere.needs_shell("hf:bert")
    assert not elsewhere.needs_shell("timm:dla34")
