"""Where Ramiel keeps what it can make again: layouts, measured costs, history."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_dir


def cache_dir() -> Path:
    """Folder of Ramiel's caches, made on the first call, readable by its owner only.

    Returns
    -------
    pathlib.Path
        ``$RAMIEL_CACHE_DIR`` where that is set, else the system's own place for caches.
    """
    folder = Path(os.environ.get("RAMIEL_CACHE_DIR") or user_cache_dir("ramiel"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file in one go: whoever reads it, or writes it as well, meets no half of one."""
    descriptor, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
