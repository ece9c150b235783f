"""What the address asks for, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pages.common import address
from ramiel_core import pipeline
from ramiel_core.errors import GraphError, ModelError, PlanError
from ramiel_core.graph.costs import COST_MODELS
from ramiel_core.ir import AUTO, KERNELS, MOLDABLE, Rewrites
from ramiel_core.model import elsewhere
from ramiel_core.plan.planner import PLANNERS

DEFAULT_MODEL, DEFAULT_COST = "googlenet", "flops"
MOST_WORKERS = 256  # that the address may ask for; no graph here has work for so many
MOST_THREADS = 64
RUNTIMES = ("processes", "threads")
MOLDABLE_SAYS = (
    "Cuts the graph into sections and runs each wide (one worker, all threads), as clusters side "
    "by side, or in turns of both, whichever is predicted to be fastest; a benchmark then races "
    "it with both."
)


@dataclass(frozen=True)
class Choice:
    """What the address asks for."""

    model: str
    cost: str
    workers: int | None  # None: as many as the natural fixpoint leaves
    # None: as the job that the address names, or else the default
    kernels: str | None = None
    planner: str | None = None
    runtime: str | None = None
    threads: int | None = None
    rewrites: Rewrites = pipeline.REWRITES
    split: bool = True
    clone: bool = False
    weights: str = ""
    partial_weights: bool = False

    @property
    def loading(self) -> dict[str, Any]:
        """The fields of a `Job` that say which weights it runs with."""
        return {"weights": self.weights, "partial_weights": self.partial_weights}

    @property
    def after(self) -> dict[str, bool]:
        """What becomes of a plan before it runs, as `kept.planned` takes it."""
        return {"split": self.split, "clone": self.clone}


def read() -> Choice:
    """Read and check what the address asks for.

    Raises
    ------
    RamielError
        For a model, cost model, worker count and so on that does not exist.
    """
    asked = address.current()
    cost = asked.get(address.COST, DEFAULT_COST)
    if cost not in COST_MODELS:
        raise GraphError(f"there is no cost model {cost!r}; choose {', '.join(COST_MODELS)}.")
    model = pipeline.resolve(asked.get(address.MODEL, DEFAULT_MODEL), uploaded_only=True)
    if elsewhere.needs_shell(model):
        raise ModelError(
            f"{model[:80]} would run code or read files of this machine, which an address must "
            f"not ask for. Use the shell: `python -m ramiel_core analyze {model[:80]}`."
        )
    weights = asked.get(address.WEIGHTS)
    return Choice(
        model,
        cost,
        _number_of(address.WORKERS, MOST_WORKERS),
        _one_of(address.KERNELS, (*KERNELS, AUTO)),
        _one_of(address.PLANNER, planners()),
        _one_of(address.RUNTIME, RUNTIMES),
        _number_of(address.THREADS, MOST_THREADS),
        Rewrites(*(_is_on(name, usually=True) for name in address.BEFORE_PLANNING)),
        _is_on(address.SPLIT, usually=True),
        _is_on(address.CLONE),
        pipeline.uploaded_weights(weights) if weights is not None else "",
        _is_on(address.PARTIAL),
    )


def planners() -> tuple[str, ...]:
    """Every planner that a benchmark takes."""
    return (*PLANNERS, MOLDABLE)


def _is_on(name: str, *, usually: bool = False) -> bool:
    asked = _one_of(name, (address.ON, address.OFF))
    return usually if asked is None else asked == address.ON


def _number_of(name: str, most: int) -> int | None:
    text = address.get(name)
    if text is None:
        return None
    number = address.digits(text)
    if number is None or not 1 <= number <= most:
        raise PlanError(f"{name} is a whole number from 1 to {most}, not {text[:40]!r}.")
    return number


def _one_of(name: str, known: Sequence[str]) -> str | None:
    text: str | None = address.get(name)
    if text is not None and text not in known:
        raise PlanError(f"{name} is one of {', '.join(known)}, not {text[:40]!r}.")
    return text
