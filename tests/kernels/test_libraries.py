"""Kernel libraries compute what the model computes, within their tolerance."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.kernels import inside
from tests.run import fresh
from tests.run.modules import MODULES

LIBRARIES = {"onnx_runtime": "onnxruntime", "open_vino": "openvino"}
PLANS = ("1", "2 dealt", "3 any order")
NO_FORM = "types"  # it hands bfloat16 from worker to worker
NAMES = sorted(set(MODULES) - {NO_FORM})
ZOO = (("googlenet", 1, 2), ("googlenet", 2, 1), ("mobilenet_v3_small", 2, 1))


@cache
def outcomes(family: str, plan: str) -> dict[str, dict[str, str]]:
    names = [*NAMES, NO_FORM]
    found: dict[str, dict[str, str]] = fresh.call(inside.outputs_of, family, names, [plan])
    return found


@pytest.fixture(params=LIBRARIES)
def family(request: Any) -> str:
    pytest.importorskip(LIBRARIES[request.param])
    return str(request.param)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", NAMES)
def test_a_module_computes_the_same(family: str, name: str, plan: str):
    assert outcomes(family, plan)[name][plan] == "equal"


def test_what_cannot_be_shared_is_refused_with_advice(family: str):
    said = outcomes(family, "1")[NO_FORM]["1"]

    assert said.startswith("RamielError")
    assert "bfloat16" in said
    assert "use --kernels" in said


@pytest.mark.parametrize("library", LIBRARIES.values())
def test_a_missing_library_says_what_to_install(library: str):
    assert f"pip install {library}" in fresh.call(inside.without, library)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "workers", "threads"), ZOO)
def test_a_model_of_the_registry_computes_the_same(
    family: str, name: str, workers: int, threads: int
):
    assert fresh.call(inside.zoo_output, family, name, workers, threads) == "equal"
