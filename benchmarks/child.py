"""A contender's process: builds one model by its recipe, chooses its threads, and infers.

`python -m benchmarks.child NAME MODEL CACHE PARENT` is what `benchmarks.contenders` starts.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import models
from benchmarks.recipes import OWN_THREADS, RECIPES, Infer, Task, best_ms, ms_of, one_line
from ramiel_core.agreement import largest_difference
from ramiel_core.run import host
from ramiel_core.run.profile import steady_ms
from ramiel_core.run.worker import die_with

CHOOSE = "choose\n"  # what a child is told once nobody builds any more
TOLERANCE = 1e-3  # of the largest output


@dataclass(frozen=True)
class Version:
    """A contender built for so many threads."""

    threads: int
    note: str
    infer: Infer


def serve(name: str, model: str, cache: Path, say: Callable[[dict[str, Any]], None]) -> None:
    """Build, for every number of threads; then choose, and infer, for each line that comes in."""
    began = time.perf_counter()
    torch.set_num_threads(1)  # launchers fork; and references are made at one thread
    with torch.no_grad(), ExitStack() as stack:
        module, inputs = models.build(model)
        task = Task(model, module, inputs, cache, stack)
        reference = list(_flat(module(*inputs)))
        versions, difference = [], 0.0
        for threads in (1,) if name in OWN_THREADS else host.thread_counts():
            task.threads, task.note = threads, ""
            torch.set_num_threads(threads)
            infer = RECIPES[name](task)
            difference = max(difference, largest_difference(list(_flat(infer())), reference))
            if not difference <= TOLERANCE:
                raise RuntimeError(f"wrong: its outputs differ by {difference:.2g} from eager's")
            versions.append(Version(threads, task.note, infer))
        took = round(time.perf_counter() - began, 1)
        say({"difference": difference, "note": task.note, "build_s": took})
        best_so_far_ms = [math.inf] * len(versions)
        for line in sys.stdin:
            if line == CHOOSE:
                best = fastest(versions, best_so_far_ms)
                infer = best.infer
                say({"note": best.note, "threads": torch.get_num_threads()})
            else:
                say({"ms": steady_ms(partial(ms_of, infer))})


def fastest(versions: Sequence[Version], best_so_far_ms: list[float]) -> Version:
    """The one to take part, as far as is known after one more time of each, ready to run.

    Nobody else should compute meanwhile, but somebody may: so this is asked several times.
    """
    for i, version in enumerate(versions):
        if len(versions) > 1:  # else it may have set its number of threads itself
            torch.set_num_threads(version.threads)
        best_so_far_ms[i] = min(best_so_far_ms[i], best_ms(version.infer))
    best = versions[best_so_far_ms.index(min(best_so_far_ms))]
    if len(versions) == 1:
        return best
    torch.set_num_threads(best.threads)
    if best.threads == len(host.cores()):
        return best
    said = f"{best.threads} of {len(host.cores())} threads"
    return replace(best, note="; ".join(filter(None, (best.note, said))))


def _flat(value: Any) -> Any:
    """All tensors in a nested output, as torch's."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _flat(part)
    else:
        yield torch.as_tensor(value).clone()


def main() -> None:
    """Speak JSON on what was stdout; whatever libraries print there goes to stderr."""
    name, model, cache, parent = sys.argv[1:]
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    die_with(int(parent))
    warnings.simplefilter("ignore")

    def say(what: dict[str, Any]) -> None:
        pipe.write(json.dumps(what) + "\n")

    try:
        serve(name, model, Path(cache), say)
    except Exception as error:  # noqa: BLE001 - the parent shows it
        say({"error": one_line(error)})
    finally:
        pipe.close()


if __name__ == "__main__":
    main()
