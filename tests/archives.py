"""torch.export and TorchScript archives, some of which execute code as they are loaded."""

from __future__ import annotations

import io
import warnings
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn


class Small(nn.Module):
    """A convolution with batch norm, and two results."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, image):
        x = torch.relu(self.norm(self.stem(image)))
        return self.head(x.mean((2, 3)).view(image.shape[0], -1)), x


IMAGE = torch.ones(1, 3, 8, 8)


def exported(path: Path) -> Path:
    """An archive of torch.export, with its example inputs."""
    path.write_bytes(_exported())
    return path


@cache
def _exported() -> bytes:
    """Once a process: exporting takes seconds."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "small.pt2")
        torch.export.save(torch.export.export(Small().eval(), (IMAGE,)), path)
        return path.read_bytes()


def scripted(path: Path) -> Path:
    """An archive of TorchScript, which does not know the shapes of its inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Small().eval()), path)
    return path


class _Running:
    """Unpickled, it is the value of a Python expression."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self):
        return eval, (self.code,)


def running(path: Path, code: str) -> Path:
    """A sound archive that executes an expression of Python's as it is loaded."""
    inputs = "((__import__('torch').ones(1, 3, 8, 8),), {})"
    packed = io.BytesIO()
    torch.save(_Running(f"(({code}), {inputs})[1]"), packed)
    with zipfile.ZipFile(io.BytesIO(_exported())) as read, zipfile.ZipFile(path, "w") as written:
        for name in read.namelist():
            is_inputs = "sample_inputs/" in name
            written.writestr(name, packed.getvalue() if is_inputs else read.read(name))
    return path
