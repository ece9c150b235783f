"""Files that users uploaded, in folders named after their content, below Ramiel's cache."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ramiel_core.cache import cache_dir

DIGITS = 32  # of a hash, which name an upload
LETTERS = 60  # of a file's name, the last
DIGEST = rf"[0-9a-f]{{{DIGITS}}}"


@dataclass(frozen=True)
class Uploads:
    """Uploads of one kind: a name is the kind, some digits of a hash, and what the user calls it.

    >>> Uploads("uploaded", 20).name_of(Path("any/0123/model.onnx"))
    'uploaded/0123/model.onnx'
    """

    kind: str  # their folder, and how their names begin
    most: int  # that are kept: the newest

    @property
    def folder(self) -> Path:
        """Where they lie, a folder each."""
        folder = cache_dir() / self.kind
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def path_of(self, name: str) -> Path | None:
        """Where an upload of this name lies, or lay; None for a text that names none."""
        match = re.fullmatch(rf"{self.kind}/({DIGEST}/[\w.-]+)", name, re.ASCII)
        return self.folder / match[1] if match else None

    def name_of(self, path: Path) -> str:
        """The name under which a file is found again."""
        return f"{self.kind}/{path.parent.name}/{path.name}"

    def forget_old(self) -> None:
        """Delete all but the newest; what is being stored is not counted."""
        whole = [f for f in self.folder.iterdir() if re.fullmatch(DIGEST, f.name)]
        by_age = sorted(whole, key=lambda f: f.stat().st_mtime, reverse=True)
        for folder in by_age[self.most :]:
            shutil.rmtree(folder, ignore_errors=True)


def plain(name: str, otherwise: str) -> str:
    """What a file may be called in an address.

    >>> plain("../my weights.pth", "weights.pth"), plain("…", "model")
    ('my_weights.pth', 'model')
    """
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[-LETTERS:].strip("._") or otherwise
