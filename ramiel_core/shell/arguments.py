"""The arguments of each command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from ramiel_core.ir import AUTO, KERNELS
from ramiel_core.shell import commands

BAD_INPUT = 2

_ABOUT = "`python -m ramiel_core`: the same engine as the app's, for a shell."

_MODEL_HELP = "a torchvision classification model, such as googlenet, or an ONNX file"

_PLANNER_HELP = (
    "ramiel (default), merging, linear, linear-anew, dsc, sarkar, heft, cpop, or exact for small "
    "graphs"
)

_REWRITES = {
    "fold-constants": "what depends on weights alone is computed once, before planning",
    "share-repeats": "what is computed several times of the same values is computed once",
    "drop-dead": "what nobody reads is left out",
    "split": "slow poolings are cut into parts of some channels each, for several workers, where "
    "that is predicted to be faster",
    "clone": "workers repeat cheap operators where that is predicted to be faster than waiting",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence; `--help` has the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"ramiel: {message}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    """Reads a command line; what it returns has the command to run as `command`."""
    made = _Parser(prog="python -m ramiel_core", description=_ABOUT)
    known = made.add_subparsers(required=True, metavar="COMMAND")
    _analyze(known.add_parser("analyze", help="operators, clusters, T1, T∞, critical path"))
    _bench(known.add_parser("bench", help="sequential against parallel, in turn"))
    _tune(known.add_parser("tune", help="find the fastest configuration on this host"))
    _emit(known.add_parser("emit", help="write the generated program"))
    models = known.add_parser("models", help="every model by name")
    models.set_defaults(command=lambda _: commands.models())
    launch = known.add_parser("launch")  # what `bench` and the app start; not for people
    launch.add_argument("folder", type=Path)
    launch.set_defaults(command=commands.launch)
    return made


def _analyze(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help=_MODEL_HELP)
    _add_cost(command)
    command.add_argument("--planner", metavar="NAME", help=_PLANNER_HELP)
    _add_rewrites(command)
    command.add_argument("--refresh", action="store_true", help="measure costs anew")
    command.add_argument("--json", action="store_true", help="print JSON")
    _add_file(command)
    _add_weights(command)
    command.set_defaults(command=commands.analyze)


def _bench(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("models", nargs="*", metavar="MODEL", help="default: the five of the README")
    add("--workers", type=int, metavar="K", help="default: as many as pay")
    add("--threads", type=int, default=1, metavar="T", help="inside each operator")
    add("--repeats", type=int, default=30, metavar="R")
    add("--signals", choices=("fast", "queue"), default="fast")
    add("--kernels", choices=(*KERNELS, AUTO), default="eager")
    add("--planner", default="ramiel", metavar="NAME", help=f"{_PLANNER_HELP}; or moldable")
    add("--runtime", choices=("processes", "threads"), default="processes")
    _add_rewrites(command)
    add("--out", type=Path, default=Path("results.json"), metavar="FILE")
    add("--trace", type=Path, metavar="FILE", help="timelines, for ui.perfetto.dev")
    add("--html", type=Path, metavar="FILE", help="a report that opens off line")
    _add_file(command)
    _add_weights(command)
    command.set_defaults(command=commands.bench)


def _tune(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help=_MODEL_HELP)
    command.add_argument("--budget", type=float, default=60.0, metavar="SECONDS")
    command.add_argument("--json", action="store_true", help="print JSON")
    _add_file(command)
    _add_weights(command)
    command.set_defaults(command=commands.tune)


def _emit(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help=_MODEL_HELP)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--workers", type=int, metavar="K", help="default: the natural fixpoint")
    command.add_argument("--kernels", choices=("eager", "fused"), default="eager")
    _add_cost(command)
    command.add_argument("--planner", metavar="NAME", help=f"{_PLANNER_HELP}; or moldable")
    _add_rewrites(command)
    _add_file(command)
    command.set_defaults(command=commands.emit)


def _add_cost(command: argparse.ArgumentParser) -> None:
    command.add_argument("--cost", choices=("unit", "flops", "measured"), default="flops")


def _add_rewrites(command: argparse.ArgumentParser) -> None:
    for name, text in _REWRITES.items():
        switch = argparse.BooleanOptionalAction
        command.add_argument(f"--{name}", action=switch, default=name != "clone", help=text)


def _add_file(command: argparse.ArgumentParser) -> None:
    """What a model in a file may need to be told."""
    command.add_argument(
        "--dim",
        action="append",
        default=[],
        metavar="NAME=SIZE",
        help="size of a dynamic dimension of an ONNX file; default: 1, or by its name",
    )
    command.add_argument(
        "--trust",
        action="store_true",
        help="load a .pt2 or TorchScript file although loading executes code that it may hold, "
        "with all that your account may do; limited in memory and time, in its own process",
    )
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="SHAPE",
        help="shape of an input of such a file: 1x3x224x224, or 1x64:int64; one for each",
    )


def _add_weights(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--weights",
        default="",
        metavar="FILE",
        help="a .safetensors file or a state dict (.pth, .pt) for the model; default: random",
    )
    command.add_argument(
        "--partial-weights",
        action="store_true",
        help="load what fits of them: the rest stays random",
    )
