"""Ramiel: the task parallelism hidden in a model's operator graph, found, run and shown.

>>> import ramiel_core
>>> ramiel_core.analyze("squeezenet1_0")["operators"]
66
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ramiel_core.client import bench, load
    from ramiel_core.pipeline import analyze

__all__ = ["analyze", "bench", "load"]


def __getattr__(name: str) -> Any:
    """Import torch only when it is needed: a layout process never does."""
    if name in __all__:
        from ramiel_core import client, pipeline

        return getattr(pipeline if name == "analyze" else client, name)
    raise AttributeError(f"module 'ramiel_core' has no attribute {name!r}")
