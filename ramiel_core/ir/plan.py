"""Who runs which operators, and what more workers would bring."""

from __future__ import annotations

from dataclasses import dataclass

from ramiel_core.errors import PlanError


@dataclass(frozen=True, slots=True)
class Step:
    """One merge of two clusters, as the merge player shows it."""

    iteration: int  # of the passes to the fixpoint; the ones after it count on
    kept: int  # number of the linear cluster that names the merged one
    gone: int  # the cluster that it swallowed, by its own first linear cluster
    spans: tuple[tuple[float, float], tuple[float, float]]  # of both, on the distance axis, ms
    clusters: int  # how many are left after it
    cut_edges: int  # edges between clusters after it
    makespan_ms: float | None  # predicted after it, one worker a cluster; None: graph too large
    reason: str  # why this pair, in a sentence


@dataclass(frozen=True, slots=True)
class Plan:
    """Which worker runs which operators, in which order."""

    clusters: tuple[tuple[str, ...], ...]  # one a worker, in run order
    linear: tuple[tuple[str, ...], ...] = ()  # the chains of Algorithm 2
    steps: tuple[Step, ...] = ()  # every merge, from `linear` on
    threads: int = 1  # of each worker, inside operators that run side by side with others
    wide: tuple[str, ...] = ()  # operators that run alone, with `wide_threads` threads
    wide_threads: int = 1
    moves: int = 0  # times that operators changed their cluster after the last merge
    fixpoint: int = 0  # clusters at the natural fixpoint of merging
    critical_path: tuple[str, ...] = ()
    t1_ms: float = 0.0
    tinf_ms: float = 0.0  # critical path with free sends: the bound on any plan, operators whole
    tinf_send_ms: float = 0.0  # critical path when every edge pays its send
    makespan_ms: float = 0.0  # predicted
    rejected_makespan_ms: float | None = None  # of the parallel plan that sequential replaced
    planner: str = ""  # its name in `plan.planner.PLANNERS`; "" where none was asked
    lower_bound_ms: float = 0.0  # that the exact planner proved for so many workers; 0: none

    def __post_init__(self) -> None:
        if not self.clusters or not all(self.clusters):
            raise PlanError("a plan needs at least one cluster, and no cluster may be empty.")

    @property
    def workers(self) -> int:
        """How many workers the plan uses."""
        return len(self.clusters)

    @property
    def mixed(self) -> bool:
        """Whether some operators run wide and others do not."""
        return 0 < len(self.wide) < sum(map(len, self.clusters))

    @property
    def parallelism(self) -> float:
        """T1 / T-infinity: no number of workers can be faster than this, operators whole."""
        return self.t1_ms / self.tinf_ms if self.tinf_ms else 1.0

    def worker_of(self) -> dict[str, int]:
        """Worker number by operator name."""
        return {name: i for i, cluster in enumerate(self.clusters) for name in cluster}

    @classmethod
    def parse(cls, text: str) -> Plan:
        r"""Read one ``worker: operator operator ...`` a line, as `str` writes them.

        >>> Plan.parse("0: a b d\n1: c").clusters
        (('a', 'b', 'd'), ('c',))
        """
        lines = [line.partition(": ") for line in text.splitlines()]
        for i, (number, _, _) in enumerate(lines):
            if number != str(i):
                raise PlanError(f"line {i + 1} of a plan begins with '{i}: ', not {number[:40]!r}.")
        return cls(tuple(tuple(names.split()) for _, _, names in lines))

    def __str__(self) -> str:
        return "\n".join(f"{i}: {' '.join(names)}" for i, names in enumerate(self.clusters))


@dataclass(frozen=True, slots=True)
class Point:
    """Speedup over one worker on so many, each with cores of its own."""

    workers: int  # at most
    used: int  # that have something to do
    speedup: float  # predicted
    most: float  # no plan is faster: min(workers, T1 / T-infinity)
    least: float  # any greedy plan is at least so fast, if sends are free (Graham)
