"""The kernel family `inductor`: a segment is compiled to C++ by torch.compile, weights frozen in.

It takes half a minute or more for a model that was not compiled before, and a C++ compiler. What
was compiled once lies in `inductor/` of Ramiel's cache, whose kernels later builds find again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ramiel_core.cache import cache_dir
from ramiel_core.errors import RamielError
from ramiel_core.ir import Recipe
from ramiel_core.kernels.segment import Segment
from ramiel_core.kernels.statements import Compiled

TOLERANCE = 1e-4
"""Of the largest value: batch norm is folded into weights, and sums run in another order."""


def recipe(segment: Segment, weights: Mapping[str, Any]) -> Recipe:
    """The compiled function of a segment, to be built in its worker.

    Raises
    ------
    RamielError
        Where this host has no C++ compiler.
    """
    require_compiler()
    return _Compiled.of(segment, weights)


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


def compiled(module: nn.Module, *, fixed: bool = False) -> Callable[..., Any]:
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
    result: Callable[..., Any] = torch.compile(  # type: ignore[call-overload]  # which forget the isolation
        module, fullgraph=fixed, dynamic=False, options=options, isolate_recompiles=True
    )
    return result


class _Compiled(Compiled):
    def compiled(self, examples: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
        function = compiled(self.module, fixed=True)
        function(*examples)
        return function

    def refusal(self, said: str) -> str:
        why = said.partition("\n")[0].rstrip(".")
        return f"inductor cannot compile this model ({why}); use --kernels fused or eager."
