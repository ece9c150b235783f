"""Graph and Plan -> the same, where workers repeat cheap operators instead of waiting for them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.clone_tables import CloneTables
from ramiel_core.plan.simulate import simulate

LEAST_GAIN = 1e-4
"""Share of the makespan that a step has to save, so that rounding is no reason to clone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far cloning may go.

    Predicted with flops costs, gain in makespan by the limit on cost (with 10 % growth allowed):

    ====================== ======= ======== ========= ========= =========
    model, workers         1 send  4 sends  16 sends  64 sends  clones
    ====================== ======= ======== ========= ========= =========
    NASNet-A-Large, 2      0       0.03 %   0.14 %    0.14 %    7 of 1529
    NASNet-A-Large, 8      0       0.14 %   0.76 %    0.76 %    20
    PNASNet-5-Large, 2     0       0.02 %   0.26 %    0.28 %    20 of 1156
    PNASNet-5-Large, 4     0       0.03 %   0.38 %    0.42 %    17
    BERT-like, 2           0.09 %  0.09 %   0.09 %    0.09 %    6 of 147
    Res2Net-50, 8          0.21 %  0.21 %   0.23 %    0.23 %    21 of 411
    HRNet, Inception-v4    0       0        0         0         0
    ====================== ======= ======== ========= ========= =========

    So 16 sends leave hardly anything to gain, and no model wants more clones than 5 % of its
    operators. As even the best gain is within the noise of a benchmark, cloning is off by default.
    """

    sends: float = 16.0  # the most that one step's clones may cost, in sends of the value saved
    growth: float = 0.05  # the most clones, as a share of the operators

    def __post_init__(self) -> None:
        if self.sends < 0 or self.growth < 0:
            raise PlanError(
                f"limits of cloning are 0 or more, not {self.sends:g} sends and {self.growth:g} "
                f"growth; 0 forbids it."
            )


LIMITS = Limits()


def clone(graph: Graph, plan: Plan, limits: Limits = LIMITS) -> tuple[Graph, Plan]:
    r"""Repeat cheap operators in the clusters that read them, where that shortens the prediction.

    ::

          a              worker 0 computes a and b, and sends b to worker 1, which runs d.
         / \             Where b is cheap, and a is there already (or cheap, too), worker 1
        b   e            computes b_clone1 itself: nothing to copy, nothing to wait for.
       / \
      c   d

    For each value that crosses to other workers, in the order of the plan, three kinds of steps
    are tried: one worker repeats its operator, one repeats it together with all that it depends on
    and that is not there yet, or every reader repeats it (where branches are alike, one of them
    alone shortens nothing). A step stays if the simulator predicts a shorter whole; the sweep
    repeats until none does. Where nobody else would read the original, it would be a move, not a
    clone, which is the planner's work.

    Good for values that several branches derive cheaply from what all of them have: sums and
    concatenations before a fork (NASNet, PNASNet), splits, norms. Without use where a fork follows
    a convolution, as in HRNet and the Inceptions.

    Parameters
    ----------
    graph : Graph
        Weighed. Only operators marked `repeatable` are cloned: none that draw random numbers,
        write over memory or run code that is not torch's.
    plan : Plan
        Of that graph.
    limits : Limits
        What a step may cost, and how many clones there may be in all.

    Returns
    -------
    tuple of Graph and Plan
        The very same ones where nothing helps. Clones are called `relu_3_clone1`, name their
        original in `clone_of` and return its bits.
    """
    if plan.workers == 1 or plan.wide:
        return graph, plan
    now = CloneTables.of(graph, plan)
    best_ms = now.makespan_ms(plan.workers)
    most = math.ceil(limits.growth * len(graph))
    improved = True
    while improved:
        improved = False
        for value, workers in now.crossings():
            for tried in now.steps(value, workers, limits.sends):
                found_ms = tried.makespan_ms(plan.workers)
                if len(tried.originals) <= most and found_ms < best_ms * (1 - LEAST_GAIN):
                    now, best_ms, improved = tried, found_ms, True
                    break
    if not now.originals:
        return graph, plan
    cloned = now.graph(graph)
    clusters = now.clusters(plan.workers)
    makespan_ms = simulate(cloned, clusters).makespan_ms
    return cloned, replace(plan, clusters=clusters, makespan_ms=makespan_ms)
