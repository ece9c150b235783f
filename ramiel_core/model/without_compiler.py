"""Import torchvision without torch's compiler, which takes longer to import than torch itself.

torchvision's region operators ask `torch._dynamo.utils` for one predicate, and with it come dynamo,
inductor, sympy and triton: half of the start of every shell command, app and launcher. Nobody here
aligns regions through the compiler; who does gets the real predicate then.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo.utils"
_importing = threading.Lock()


class _Later(ModuleType):
    """Stands for the module while others only take its predicate along."""

    def is_compile_supported(self, device_type: str) -> bool:
        """What the real one says, asked when it is needed."""
        found: bool = self.__getattr__("is_compile_supported")(device_type)
        return found

    def __getattr__(self, name: str) -> Any:
        """Anything else is asked of the real module at once: whoever compiles meanwhile."""
        if name.startswith("__"):  # what Python's import itself asks for
            raise AttributeError(name)
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        return getattr(import_module(COMPILER), name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Defer the import of torch's compiler, unless it has been imported already."""
    with _importing:
        later = _Later(COMPILER)
        if sys.modules.setdefault(COMPILER, later) is not later:
            yield
            return
        try:
            yield
        finally:
            if sys.modules.get(COMPILER) is later:
                del sys.modules[COMPILER]
