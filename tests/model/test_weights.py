"""Weights of the user's own: read, unwrapped, compared, loaded, and refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vision_transformer import MLPBlock

from ramiel_core import client, launcher, pipeline
from ramiel_core.__main__ import main
from ramiel_core.agreement import same_bits
from ramiel_core.errors import ModelError
from ramiel_core.ir import Job
from ramiel_core.model import weight_uploads, weights

NAME = f"{__name__}:small"
LONG = "x" * 500


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.norm, self.two = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)

    def forward(self, x):
        return self.two(self.norm(self.one(x)).relu())


def small():
    torch.manual_seed(0)
    return Small(), (torch.ones(2, 4),)


def trained() -> dict[str, torch.Tensor]:
    """A state dict unlike that of `small`."""
    generator = torch.Generator().manual_seed(7)
    state = Small().state_dict()
    return {
        k: torch.rand(t.shape, generator=generator) if t.is_floating_point() else t
        for k, t in state.items()
    }


def output(state: dict[str, torch.Tensor]) -> torch.Tensor:
    module, inputs = small()
    module.load_state_dict(state)
    with torch.no_grad():
        return module.eval()(*inputs)


def saved(path: Path, content: object) -> Path:
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


def fit_of(path: Path, module: nn.Module | None = None):
    return weights.load(module or small()[0], path, "small")


WRAPPED = {
    "plain.safetensors": (trained(), ()),
    "plain.pth": (trained(), ()),
    "state_dict.pt": ({"state_dict": trained(), "epoch": 3}, ("{'state_dict': …}",)),
    "parallel.pth": (
        {f"module.{k}": t for k, t in trained().items()},
        ("module. before every name",),
    ),
    "both.ckpt": (
        {"ema": {"model": {f"module.{k}": t for k, t in trained().items()}}, "step": [1]},
        ("{'ema': …}", "{'model': …}", "module. before every name"),
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_weights_are_found_in_what_training_wraps_around_them(name: str, tmp_path: Path):
    content, off = WRAPPED[name]
    module, inputs = small()

    fit = weights.put(module, saved(tmp_path / name, content), "small")

    assert (fit.loaded, fit.unwrapped) == (len(trained()), off)
    assert not fit.missing + fit.unexpected + fit.misfits
    assert torch.equal(module.eval()(*inputs), output(trained()))
    assert all(part in " ".join(weights.told(fit)) for part in off)


def test_other_types_are_converted_and_said(tmp_path: Path):
    half = {k: t.half() if t.is_floating_point() else t for k, t in trained().items()}
    fit = fit_of(saved(tmp_path / "half.safetensors", half))

    assert fit.converted == (("float16 → float32", 8),)
    assert "Converted: 8 of float16 → float32." in weights.told(fit)


def test_what_does_not_fit_is_refused_unless_it_is_meant(tmp_path: Path):
    state = trained() | {LONG: torch.ones(1), "two.bias": torch.ones(3)}
    del state["one.bias"]
    path = saved(tmp_path / "other.pth", state)
    module, _ = small()
    before = module.one.bias.clone()

    with pytest.raises(ModelError) as raised:
        weights.put(module, path, "small")
    said = str(raised.value)
    assert "1 missing (one.bias); 1 unexpected (xxx" in said
    assert "(two.bias is float32[3], not float32[2])" in said
    assert "--partial-weights" in said
    assert len(said) < 500

    fit = weights.put(module, path, "small", partial=True)
    assert fit.unexpected == (LONG,)
    assert fit.misfits == (("two.bias", "float32[3]", "float32[2]"),)
    assert torch.equal(module.one.weight, state["one.weight"])
    assert torch.equal(module.one.bias, before)
    assert "The rest has random weights." in " ".join(weights.told(fit))


def test_weights_of_another_model_are_refused_even_in_part(tmp_path: Path):
    path = saved(tmp_path / "other.pth", {"conv.weight": torch.ones(3)})

    with pytest.raises(ModelError, match=r"none of the tensors of other.pth has the name"):
        weights.put(small()[0], path, "small", partial=True)


def test_nan_weights_are_warned_about(tmp_path: Path):
    state = trained() | {"two.bias": torch.tensor([1.0, float("nan")])}
    fit = fit_of(saved(tmp_path / "nan.pth", state))

    assert fit.not_finite == ("two.bias",)
    assert "NaN or infinity in 1 of them (two.bias)" in " ".join(weights.told(fit))


def test_a_tied_weight_may_stand_in_the_file_once(tmp_path: Path):
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    state = {k: t.clone() for k, t in module.state_dict().items() if k != "1.weight"}

    assert not fit_of(saved(tmp_path / "tied.pth", state), module).missing


def test_names_of_an_older_version_of_a_layer_are_known(tmp_path: Path):
    """torchvision's published vision transformers have them."""
    module = MLPBlock(2, 3, 0.0)
    old = {"linear_1.weight": (3, 2), "linear_1.bias": (3,), "linear_2.weight": (2, 3)}
    state = {k: torch.ones(shape) for k, shape in {**old, "linear_2.bias": (2,)}.items()}
    fit = weights.put(module, saved(tmp_path / "vit.pth", state), "mlp")

    assert fit.loaded == 4
    assert torch.equal(module[0].weight, torch.ones(3, 2))


def whole_model(path: Path) -> None:
    torch.save(small()[0], path)


def script(path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)


def truncated(path: Path) -> None:
    saved(path, trained())
    path.write_bytes(path.read_bytes()[:-200])


def a_shape_of_no_memory(path: Path) -> None:
    saved(path, {"one.weight": torch.zeros(1).expand(1 << 50)})


BAD = {
    "whole.pth": (whole_model, r"holds more than tensors \(tests.model.test_weights.Small\), and"),
    "script.pt": (script, "is a TorchScript archive, which holds code; save its weights alone"),
    "truncated.pth": (truncated, "truncated.pth is damaged or no file of weights"),
    "truncated.safetensors": (truncated, "truncated.safetensors is damaged or no file of weights"),
    "empty.pth": (Path.touch, "empty.pth is empty; copy or download it again"),
    "list.pth": (lambda p: torch.save([1], p), "holds no state dict but list; save one"),
    "numbers.pth": (lambda p: torch.save({"a": 1}, p), "holds no state dict but dict; save one"),
    "text.pth": (lambda p: p.write_text("hello, weights"), "text.pth is damaged or no file of"),
    "data.csv": (lambda p: p.write_text("1,2,3"), "data.csv holds no weights that can be read"),
    "huge.pth": (a_shape_of_no_memory, "none of the tensors of huge.pth has the name and shape"),
}


@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence(name: str, tmp_path: Path):
    make, said = BAD[name]
    make(tmp_path / name)

    with pytest.raises(ModelError, match=said) as raised:
        weights.put(small()[0], tmp_path / name, "small")
    assert "\n" not in str(raised.value)


def test_a_launcher_runs_the_weights_of_its_job_and_says_when_they_are_gone(tmp_path: Path):
    path = saved(tmp_path / "mine.pth", trained())
    job = Job(NAME, weights=str(path))
    parcel, told = launcher.built(job)

    assert same_bits(parcel.reference, output(trained()))
    assert told["weights"]["loaded"] == len(trained())
    path.unlink()
    with pytest.raises(
        ModelError, match=r"there is no file of weights .*mine.pth' that can be read; check"
    ):
        launcher.built(job)


def test_weights_change_no_graph_so_measured_costs_stay(tmp_path: Path):
    path = saved(tmp_path / "mine.pth", trained())
    with_them = pipeline.parcel_of(pipeline.traced(NAME, device="cpu", weights=str(path))).graph

    assert with_them.fingerprint == pipeline.graph_of(NAME, cost="unit").fingerprint


def test_where_weights_make_no_sense_they_are_refused(tmp_path: Path):
    path = str(saved(tmp_path / "mine.pth", trained()))
    module, inputs = small()

    with pytest.raises(ModelError, match="put others into it by load_state_dict before"):
        client.start(Job("small", weights=path), module.eval(), inputs)
    with pytest.raises(ModelError, match=r"bert.onnx holds its own weights; leave --weights out"):
        pipeline.traced("models/bert.onnx", weights=path)


def test_uploaded_weights_are_found_by_their_content(tmp_path: Path):
    content = saved(tmp_path / "my weights.pth", trained()).read_bytes()
    name = weight_uploads.keep("../my weights.pth", content)

    assert name == weight_uploads.keep("my weights.pth", content)
    assert fit_of(weight_uploads.located(name, uploaded_only=True)).loaded == len(trained())
    with pytest.raises(ModelError, match="pages load uploaded ones only"):
        weight_uploads.located(str(tmp_path / "my weights.pth"), uploaded_only=True)
    with pytest.raises(ModelError, match=r"weights gone.pth are no longer here; upload them again"):
        weight_uploads.located(f"weights/{'0' * 32}/gone.pth", uploaded_only=True)


def test_a_shell_benchmarks_with_weights(tmp_path: Path, capsys):
    path, out = saved(tmp_path / "mine.pth", trained()), tmp_path / "results.json"
    words = (NAME, "--weights", str(path))

    assert main(["bench", *words, "--repeats", "2", "--out", str(out)]) == 0
    (record,) = json.loads(out.read_text())
    assert record["equal"]
    assert record["weights"]["loaded"] == len(trained())
    assert f"Tensors taken from mine.pth: {len(trained())}." in capsys.readouterr().out


def test_a_shell_lists_every_name_as_json_also_where_it_refuses(tmp_path: Path, capsys):
    state = {f"extra{i}": torch.ones(1) for i in range(9)} | trained()
    path = str(saved(tmp_path / "mine.pth", state))

    assert main(["analyze", NAME, "--weights", path, "--json"]) == 2
    said = capsys.readouterr()
    assert len(json.loads(said.out)["weights"]["unexpected"]) == 9
    assert "9 unexpected (extra0, extra1, extra2, …)" in said.err
    assert main(["analyze", NAME, "--weights", path, "--partial-weights"]) == 0
    assert "random weights" in capsys.readouterr().out
    assert main(["analyze", NAME, "--partial-weights"]) == 2
    assert "name it by --weights FILE" in capsys.readouterr().err
    assert main(["bench", NAME, NAME, "--weights", path]) == 2
    assert "weights are of one model" in capsys.readouterr().err
