"""Kernel libraries compute what the model computes, within their tolerance."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.kernels import inside
from tests.run import fresh
from tests.run.modules import MODULES

LIBRARIES = {"onnx_runtime": "onnxruntime", "open_vino": "openvino", "onednn": "torch"}
PLANS = ("1", "3 any order")  # the whole module, and hardly more than an operator, in a segment
NO_FORM = {
    "onnx_runtime": ("types", "bfloat16"),  # which it hands from worker to worker
    "open_vino": ("types", "bfloat16"),
    "onednn": ("chunks", "partition compile failed"),  # of a product with a whole number
}
ZOO = (("googlenet", 1, 2), ("googlenet", 2, 1), ("mobilenet_v3_small", 1, 1))


@cache
def outcomes(family: str, plan: str) -> dict[str, dict[str, str]]:
    names = sorted(MODULES)
    found: dict[str, dict[str, str]] = fresh.call(inside.outputs_of, family, names, [plan])
    return found


@cache
def local_outcomes(family: str) -> dict[str, str]:
    found: dict[str, str] = fresh.call(inside.local_outputs_of, family, sorted(MODULES))
    return found


@pytest.fixture(params=LIBRARIES)
def family(request: Any) -> str:
    pytest.importorskip(LIBRARIES[request.param])
    return str(request.param)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("family", LIBRARIES)
@pytest.mark.parametrize("name", MODULES)
def test_a_module_computes_the_same(family: str, name: str, plan: str):
    said = outcomes(family, plan)[name][plan]
    refused, why = NO_FORM[family]

    assert said == "equal" or (name == refused and why in said)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_session_returns_in_its_callers_process_stays_the_callers(family: str, name: str):
    said = local_outcomes(family)[name]
    refused, why = NO_FORM[family]

    assert said == "equal" or (name == refused and why in said)


def test_what_cannot_be_shared_is_refused_with_advice(family: str):
    name, why = NO_FORM[family]
    said = outcomes(family, "1")[name]["1"]

    assert "RamielError" in said
    assert why in said
    assert "use --kernels" in said


@pytest.mark.parametrize("family", ["onnx_runtime", "open_vino"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("divisor", "average pooling with a divisor of its own"),
        ("running sum", "would return int32 where this model returns int64; use --kernels fused"),
        ("index add", "will cause the ONNX model to be incorrect"),
        ("floor", ""),
        ("half", ""),
    ],
)
def test_what_the_exporter_gets_wrong_is_mended_or_refused(family: str, name: str, said: str):
    pytest.importorskip(LIBRARIES[family])
    found = fresh.call(inside.odd_outcome, family, name)

    assert said in found if said else found == "equal"


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_a_missing_library_says_what_to_install(library: str):
    assert f"pip install {library}" in fresh.call(inside.without, library)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "workers", "threads"), ZOO)
def test_a_model_of_the_registry_computes_the_same(
    family: str, name: str, workers: int, threads: int
):
    assert fresh.call(inside.zoo_output, family, name, workers, threads) == "equal"
