"""What a launcher makes of a benchmark, in a process of the caller's.

To be called by `tests.run.fresh`: a launcher of its own would import torch for every setting.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any
from unittest import mock

import torch
from torch import nn

from ramiel_core import client, fastest_way, launcher
from ramiel_core.bootstrap import Estimate
from ramiel_core.cache import cache_dir
from ramiel_core.ir import MOLDABLE, Configuration, Job
from ramiel_core.model.onnx.file import OnnxFile
from ramiel_core.plan import crowd
from ramiel_core.run import host, jobs
from ramiel_core.workshop import Built, Tell, Workshop
from tests.run.modules import make


class Branches(nn.Module):
    """A stem and two branches that are worth a worker each."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.left = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 8, 1))
        self.right = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 8, 1))

    def forward(self, x):
        x = self.stem(x)
        return torch.cat([self.left(x), self.right(x)], 1).mean((2, 3))


INPUTS = (torch.randn(1, 3, 64, 64),)


def last_word(settings: dict[str, Any]) -> dict[str, Any]:
    """The last event of a benchmark of `Branches` with these settings."""
    return _launched(Job("branches", **settings), Branches().eval(), INPUTS)[-1]


def last_word_of(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The same of one of `tests.run.modules`."""
    return _launched(Job(name, **settings), *make(name))[-1]


def all_words_of(name: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Every event of a benchmark of a model of the registry."""
    return _launched(Job(name, **settings))


def last_word_with_another_winner() -> dict[str, Any]:
    """The same of a moldable plan whose second way is said to be faster than the first."""

    def half(one: Any, other: Any) -> Estimate:
        return (1.0, (1.0, 1.0)) if one == other else (0.5, (0.4, 0.6))

    with (
        mock.patch.object(fastest_way, "paired_ratio", half),
        mock.patch.object(host, "cores", return_value=(0, 0)),
    ):
        return last_word({"planner": MOLDABLE, "workers": 2, "repeats": 2})


def last_word_of_the_wide_way() -> dict[str, Any]:
    """The same of a moldable plan that is its wide end, whatever was measured.

    And whatever else keeps the cores busy: clusters are not rejected for slowing each other.
    """

    def wide(workshop: Workshop, c: Configuration, _: Tell) -> tuple[Built, str]:
        return next(way for way in workshop.ways(c) if len(way.plan.wide) == len(way.graph)), ""

    with (
        mock.patch.object(launcher, "fastest_way", wide),
        mock.patch.object(crowd, "crowding", return_value={}),
        mock.patch.object(host, "cores", return_value=(0, 0)),
    ):
        return last_word({"planner": MOLDABLE, "workers": 2, "repeats": 2})


def last_word_on_one_core(settings: dict[str, Any]) -> dict[str, Any]:
    """The last event of a benchmark of `Branches` on a host that has one."""
    with mock.patch.object(host, "cores", return_value=(0,)):
        return last_word(settings)


def _launched(
    job: Job, module: nn.Module | None = None, inputs: tuple[torch.Tensor, ...] | None = None
) -> list[dict[str, Any]]:
    """What a launcher says of a job, done here."""
    folder = cache_dir() / "job"
    folder.mkdir()

    def start(job: Job, model: bytes | None = None) -> str:
        (folder / "job.json").write_text(json.dumps(asdict(job)))
        if model is not None:
            (folder / jobs.MODEL_FILE).write_bytes(model)
        return ""

    with mock.patch.object(jobs, "start", start):
        client.start(job, module, inputs)
    launcher.launch(folder)
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def benchmark_of_file(path: str) -> tuple[list[str], list[int]]:
    """What a benchmark of an ONNX file warns of, and the number of each weight that it read."""
    folder = cache_dir() / "job"
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(asdict(Job(path, workers=1, repeats=1))))
    read: list[int] = []
    with ExitStack() as stack:
        for name in ("weight", "pieces"):
            counted = _counted(getattr(OnnxFile, name), read)
            stack.enter_context(mock.patch.object(OnnxFile, name, counted))
        launcher.launch(folder)
    said = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return next(event["warnings"] for event in said if event["kind"] == "planned"), read


def _counted(read_weight: Callable[..., Any], read: list[int]) -> Callable[..., Any]:
    def wrapped(file: OnnxFile, number: int, *how: Any) -> Any:
        read.append(number)
        return read_weight(file, number, *how)

    return wrapped
