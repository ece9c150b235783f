"""The one-way street: model -> graph -> plan -> program -> run -> report, enforced."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ramiel_core

ROOT = Path(ramiel_core.__file__).parent
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
MODULES = {
    ".".join(("ramiel_core", *Path(name).with_suffix("").parts)).removesuffix(".__init__")
    for name in FILES
}
STAGES = ("model", "graph", "plan", "program", "kernels", "run", "report", "view")
ALL_READ = ("ir", "errors", "cache", "words", "agreement", "bootstrap", "in_place")
FOR_ALL = {f"ramiel_core.{part}" for part in ALL_READ}
PACKAGES = {  # each file knows those before it, and the rest of the engine asks the package
    "ir": ("model", "graph", "plan", "timeline", "program", "job", "run", "report"),
    "pipeline": ("named", "graphs", "plans", "parcels"),
}
JOINERS = (
    *(name for name in FILES if name.startswith("pipeline/")),
    "client.py",
    "outcomes.py",
    "workshop.py",
    "candidates.py",
    "fastest_way.py",
    "launcher.py",
)
ENTRANCES = {
    "__init__.py": {"pipeline", "client"},
    "__main__.py": {"errors", "shell.arguments", "shell.commands"},
    "shell/__init__.py": set(),
    "shell/arguments.py": {"ir", "shell.commands"},
    # `run.jobs`: a launcher waits for its turn before it imports torch
    "shell/commands.py": {
        "pipeline",
        "client",
        "outcomes",
        "launcher",
        "errors",
        "ir",
        "model.zoo",
        "run.jobs",
        "shell.tables",
    },
    "shell/tables.py": set(),
}


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, wherever in it."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


def ours(name: str) -> set[str]:
    """Modules of the engine that one of its files imports."""
    return {m for m in imports(FILES[name]) if m.split(".")[0] == "ramiel_core"}


def calls(path: Path) -> set[str]:
    """Dotted names that a file mentions, such as os.fork."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found


def test_every_file_of_the_engine_is_read_here():
    assert {"ir/graph.py", "client.py", "run/forked.py", "graph/extract.py"} <= set(FILES)
    assert {"ramiel_core", "ramiel_core.ir", "ramiel_core.run.forked"} <= MODULES


@pytest.mark.parametrize("name", [n for n in FILES if not n.startswith("model/onnx/")])
def test_the_map_in_the_readme_names_every_file(name: str):
    """Those of `model/onnx`, one a group of operators, stand there as such."""
    readme = (ROOT.parent / "README.md").read_text()
    drawn = readme.partition("## How it works")[2].split("```")[1]

    assert Path(name).stem in (*re.findall(r"\w+", drawn), "__init__", "__main__")


@pytest.mark.parametrize("name", [n for n in FILES if n not in JOINERS])
def test_a_stage_imports_only_the_records_and_its_own_folder(name: str):
    folder = Path(name).parts[0]
    if name in ENTRANCES:
        assert ours(name) <= {f"ramiel_core.{part}" for part in ENTRANCES[name]}
        return

    assert {m for m in ours(name) - FOR_ALL if not m.startswith(f"ramiel_core.{folder}.")} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_file_of_a_package_knows_only_those_before_it(package: str):
    parts = PACKAGES[package]
    assert {n for n in FILES if n.startswith(f"{package}/")} == {
        f"{package}/{part}.py" for part in ("__init__", *parts)
    }

    for number, part in enumerate(parts):
        known = {m for m in ours(f"{package}/{part}.py") if m.split(".")[1:2] == [package]}
        assert known <= {f"ramiel_core.{package}.{earlier}" for earlier in parts[:number]}


@pytest.mark.parametrize("name", FILES)
def test_what_a_package_consists_of_is_nobody_elses_business(name: str):
    others = [p for p in PACKAGES if not name.startswith(f"{p}/")]

    assert not [m for m in ours(name) if m.startswith(tuple(f"ramiel_core.{p}." for p in others))]


SHARED = (
    *(n for n in FILES if n.startswith("ir/")),
    *(f"{part}.py" for part in ALL_READ if part != "ir"),
    "check.py",
    "check_memory.py",
)


@pytest.mark.parametrize("name", SHARED)
def test_what_all_stages_share_knows_none_of_them(name: str):
    assert not [
        m
        for m in ours(name)
        if m.startswith(tuple(f"ramiel_core.{stage}" for stage in (*STAGES, "pipeline")))
    ]


@pytest.mark.parametrize("name", FILES)
def test_the_engine_never_imports_streamlit(name: str):
    assert not [m for m in imports(FILES[name]) if m.split(".")[0] == "streamlit"]


TRACERS = ("fx.Tracer", "fx.symbolic_trace", "torch.export.export")


def words(path: Path) -> list[str]:
    """Names with the modules or objects before them, as they stand in the text."""
    return re.findall(r"[\w.]+", path.read_text())


@pytest.mark.parametrize("name", FILES)
def test_models_are_traced_in_the_model_stage_only(name: str):
    assert name.startswith("model/") or not {*TRACERS} & {*words(FILES[name])}


def test_the_tracing_rule_finds_the_tracers():
    assert "fx.Tracer" in words(FILES["model/from_fx.py"])
    assert "torch.export.export" in words(FILES["model/from_export.py"])


@pytest.mark.parametrize("name", FILES)
def test_torch_fx_is_read_by_the_stages_that_rewrite_models_only(name: str):
    """`ir` names `torch.fx.GraphModule` as a type."""
    text = FILES[name].read_text()
    uses = "from torch import fx" in text or any(
        m.startswith("torch.fx") for m in imports(FILES[name])
    )

    assert not uses or name.startswith(("model/", "graph/", "kernels/"))


@pytest.mark.parametrize("name", FILES)
def test_onnx_is_read_by_its_import_only(name: str):
    found = [m for m in imports(FILES[name]) if m.split(".")[0] == "onnx"]

    at_home = name.startswith("model/onnx/")
    assert not found or at_home or name == "kernels/onnx_runtime.py"


@pytest.mark.parametrize("name", FILES)
def test_torchvision_is_imported_only_when_it_is_asked_for(name: str):
    """Importing it takes as long as importing torch, which launchers of other models save."""
    at_once = (n for n in ast.parse(FILES[name].read_text()).body if isinstance(n, ast.ImportFrom))

    assert not [n for n in at_once if str(n.module).split(".")[0] == "torchvision"]


@pytest.mark.parametrize("name", FILES)
def test_each_kernel_library_is_used_in_one_file_only(name: str):
    homes = {
        "onnxruntime": "kernels/onnx_runtime.py",
        "openvino": "kernels/open_vino.py",
    }

    for module in imports(FILES[name]):
        assert homes.get(module.split(".")[0], name) == name


@pytest.mark.parametrize("name", FILES)
def test_only_the_run_time_forks(name: str):
    forks = {"os.fork", "os.forkpty", "multiprocessing.Process", "_FORK.Process"} & calls(
        FILES[name]
    )

    assert forks == ({"os.fork"} if name == "run/forked.py" else set())
