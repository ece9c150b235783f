"""The kernel family `inductor`: a segment is compiled to C++ by torch.compile, weights frozen in.

It takes half a minute or more for a model that was not compiled before, and a C++ compiler. What
was compiled once lies in `inductor/` of Ramiel's cache, whose kernels later builds find again.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ramiel_core.cache import cache_dir
from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe
from ramiel_core.kernels.bound import give_back_memory
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.statements import Function, Statements, examples_of

TOLERANCE = 1e-4
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""

Compiled = Callable[..., Any]
_compiling = threading.Lock()  # its settings are those of the whole process


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The compiled function of a segment, to be built in its worker.

    Raises
    ------
    RamielError
        Where this host has no C++ compiler.
    """
    require_compiler()
    return _Recipe(segment, Statements(segment, weights).eval())


def require_compiler() -> None:
    """Refuse where nothing could be compiled.

    Raises
    ------
    RamielError
        Says what to install.
    """
    wanted = os.environ.get("CXX", "g++")
    if shutil.which(wanted) is None:
        raise RamielError(
            f"the kernel family inductor needs a C++ compiler, and there is no {wanted} here: "
            f"apt install g++, or use --kernels fused."
        )


def compiled(module: nn.Module, *, fixed: bool = False) -> Compiled:
    """`module` as torch.compile makes it, with frozen weights; compiles at its first call.

    Parameters
    ----------
    module : nn.Module
        In eval mode; to be called with gradients off, always at the number of threads that is set
        at its first call.
    fixed : bool
        Every call will have tensors of the same shapes and layouts, so that none has to be
        looked at, and the module is one graph.

    Raises
    ------
    RamielError
        Where this host has no C++ compiler.
    """
    require_compiler()
    # torch sets one of its own, below /tmp, when it is imported.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache_dir() / "inductor")
    options: dict[str, Any] = {
        "freezing": True,
        "compile_threads": 1,  # more would be a pool of processes, which outlive a killed worker
    }
    if fixed:
        options["guard_filter_fn"] = torch.compiler.skip_all_guards_unsafe
    # Compiled code belongs to a code object, which all segments share: without isolation, and
    # with nothing looked at, the second segment would run the first one's.
    result: Compiled = torch.compile(  # type: ignore[call-overload]  # which forget the isolation
        module, fullgraph=fixed, dynamic=False, options=options, isolate_recompiles=True
    )
    return result


@dataclass(frozen=True)
class _Recipe(Recipe):
    segment: Segment
    module: nn.Module

    def build(self, threads: int) -> Any:  # noqa: ARG002 - torch's own setting decides
        """The function, compiled for the threads that are set now."""
        function = compiled(self.module, fixed=True)
        try:
            with _compiling, torch.no_grad():
                function(*examples_of(self.segment))
        except Exception as cause:
            said = str(cause).strip().partition("\n")[0].rstrip(".")
            raise RamielError(
                f"inductor cannot compile this model ({said}); use --kernels fused or eager."
            ) from cause
        give_back_memory()
        return Function(function, single=len(self.segment.outputs) == 1)
