"""ONNX's own tests of single operators, through Ramiel's import: passed, unsupported, failed.

    python -m benchmarks.onnx_conformance [--of FILE ...] [--failed]

Each test is a model of one node with inputs and expected outputs (`onnx.backend.test`, inside the
onnx package). It is imported, turned into an operator graph, planned for one worker, emitted, and
the emitted program is run; outputs are compared within the tolerances that ONNX itself gives.
An input that decides shapes, such as the one of Reshape, is fixed at its test's value, as it is in
models; where that fixes everything, the test only exercises the folding of constants, and is
counted apart.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.backend.test.case import node
from onnx.backend.test.runner import Runner

from ramiel_core import pipeline
from ramiel_core.errors import GraphError, RamielError, UnsupportedError
from ramiel_core.graph.extract import extract, weights_of
from ramiel_core.ir import Graph, TracedModel
from ramiel_core.model import from_onnx
from ramiel_core.model.onnx.file import CODES
from ramiel_core.model.onnx.recorder import identifier
from ramiel_core.run.local import Local

NEEDED = re.compile(r"depends on the model input (.+?); export")
MOST_FIXED = 8  # inputs of one test
TESTED_KINDS = frozenset(CODES.values()) - {onnx.TensorProto.BFLOAT16}
LOOSER = {  # relative and absolute tolerance where the expected numbers are themselves rounded
    # Ours is nearer to the result in double precision: one step of float16 is 1.04e-3 there.
    "test_attention_4d_causal_fp16": (2e-3, 1e-7),
    "test_attention_4d_causal_fp16_expanded": (2e-3, 1e-7),
    # Expected is 1.9e-7 where the exact result is 0.
    "test_dft_inverse": (1e-3, 1e-6),
    "test_dft_inverse_opset19": (1e-3, 1e-6),
}


@dataclass(frozen=True)
class Outcome:
    """How one test ended."""

    name: str
    state: str  # "passed", "folded" (passed as a constant), "unsupported", "failed"
    said: str = ""
    in_scope: bool = True  # inference on float and integer tensors, standard domain


def main() -> int:
    """Run all tests and print the counts; the exit code is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--of", nargs="*", metavar="FILE", help="such as conv: of these only")
    parser.add_argument("--failed", action="store_true", help="list the failed ones only")
    options = parser.parse_args()
    found = list(outcomes(cases(options.of)))
    for outcome in found:
        if outcome.state == "failed" or (outcome.state == "unsupported" and not options.failed):
            scope = "" if outcome.in_scope else " (out of scope)"
            print(f"{outcome.state}{scope}: {outcome.name}: {outcome.said}")
    print(summary(found))
    return int(any(outcome.state == "failed" for outcome in found))


def summary(found: Iterable[Outcome]) -> str:
    """Counts in words."""
    found = list(found)
    inside = [outcome for outcome in found if outcome.in_scope]
    return "\n".join(
        f"{label}: "
        + ", ".join(f"{n} {state}" for state, n in sorted(_counts(group).items()))
        + f" of {len(group)}; {100 * _share(group):.1f} % passed"
        for label, group in (("all tests", found), ("float and integer inference", inside))
        if group
    )


def _counts(found: list[Outcome]) -> Counter[str]:
    return Counter(outcome.state for outcome in found)


def _share(found: list[Outcome]) -> float:
    return sum(outcome.state in ("passed", "folded") for outcome in found) / len(found)


def cases(files: Iterable[str] | None = None) -> list[Any]:
    """ONNX's tests: of some files of `onnx.backend.test.case.node`, or all, which takes 15 s."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name in files or ():
            importlib.import_module(f"{node.__name__}.{name}")
        return node.collect_testcases() if files is None else list(node._NodeTestCases)  # noqa: SLF001


def outcomes(tests: Iterable[Any]) -> Iterator[Outcome]:
    """Run tests one by one."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for case in tests:
            path = Path(folder) / "model.onnx"
            path.write_bytes(case.model.SerializeToString())
            yield outcome_of(case, path)


def outcome_of(case: Any, path: Path) -> Outcome:
    """Import and run one test."""
    scope = in_scope(case.model)
    folded = False
    try:
        for data in case.data_sets:
            given, expected = ([_plain(value) for value in values] for values in data)
            made, folded = _run(case.model, path, given)
            with np.errstate(all="ignore"):
                rtol, atol = LOOSER.get(case.name, (case.rtol, case.atol))
                Runner.assert_similar_outputs(expected, made, rtol=rtol, atol=atol)
    except UnsupportedError as error:
        return Outcome(case.name, "unsupported", str(error), scope)
    except (RamielError, AssertionError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return Outcome(case.name, "failed", " ".join(lines[:4])[:300], scope)
    except Exception as error:  # noqa: BLE001 - whatever else breaks is a failure as well
        said = f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"
        return Outcome(case.name, "failed", said[:300], scope)
    return Outcome(case.name, "folded" if folded else "passed", "", scope)


def _plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def in_scope(model: onnx.ModelProto) -> bool:
    """Whether a test is one of inference on float and integer tensors, in the standard domain."""
    values = [*model.graph.input, *model.graph.output]
    kinds = {
        value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else None
        for value in values
    }
    domains = {call.domain for call in model.graph.node}
    names = {call.op_type for call in model.graph.node}
    random = {"Bernoulli", "RandomUniformLike", "RandomNormalLike", "ImageDecoder"} & names
    return kinds <= TESTED_KINDS and domains <= {"", "ai.onnx"} and not random


def _run(model: onnx.ModelProto, path: Path, given: Any) -> tuple[list[Any], bool]:
    """The outputs for some inputs, and whether all of them were constants."""
    named = dict(zip((value.name for value in model.graph.input), given, strict=False))
    fixed: dict[str, Any] = {}
    traced = _load(path, named, fixed)
    live = [tensor for name, tensor in _tensors(named).items() if name not in fixed]
    traced = TracedModel(traced.name, traced.module, tuple(live))
    computes = any(call.op.startswith("call") for call in traced.module.graph.nodes)
    with torch.no_grad():
        if computes:
            graph = extract(traced)
            _check_without_numbers(graph, path, named, fixed)
            plan = pipeline.plan_of(graph, 1)
            program = pipeline.program_of(graph, plan)
            result = Local(program, weights_of(traced, graph))(*live)
        else:
            result = traced.module(*live)
    results = result if isinstance(result, tuple) else (result,)
    return [_array(value) for value in results], not computes


def _check_without_numbers(
    graph: Graph, path: Path, named: dict[str, Any], fixed: dict[str, Any]
) -> None:
    """Raise where the graph that pages and `analyze` read off, on `meta`, is another one."""
    bare = extract(from_onnx.load(path, _sizes(path, named), "meta", fixed=fixed))
    if [node.op for node in bare.nodes] != [node.op for node in graph.nodes]:
        raise GraphError(
            f"without numbers its graph is {bare}, with them {graph}; mend the import."
        )


def _load(path: Path, named: dict[str, Any], fixed: dict[str, Any]) -> TracedModel:
    """Import, fixing those inputs that the import asks the values of."""
    labels = {identifier(name) or "x": name for name in named}
    sizes = _sizes(path, named)
    while True:
        try:
            return from_onnx.load(path, sizes, fixed=fixed)
        except UnsupportedError as error:
            needed = NEEDED.search(str(error))
            if needed is None or len(fixed) >= min(MOST_FIXED, len(named)):
                raise
            for label in needed.group(1).split(", "):
                name = labels.get(label, label)
                fixed[name] = named[name]


def _sizes(path: Path, named: dict[str, Any]) -> dict[str, int]:
    """Sizes of dynamic dimensions, as the test's inputs have them."""
    return {
        name: int(named[given.name].shape[axis])
        for given in from_onnx.describe(path).inputs
        for axis, name in given.dynamic.items()
    }


def _tensors(named: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(np.array(array, order="C", copy=True))
        if array.dtype.name != "bfloat16"
        else torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
        for name, array in named.items()
    }


def _array(tensor: torch.Tensor) -> Any:
    if tensor.dtype is torch.bfloat16:
        import ml_dtypes

        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


if __name__ == "__main__":
    sys.exit(main())
