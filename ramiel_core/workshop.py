"""Builds one model in any configuration: measures what planning needs, plans, emits, opens teams.

Only a launcher may, since measuring forks workers.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from ramiel_core.check import check_plan
from ramiel_core.errors import PlanError, RamielError
from ramiel_core.graph import cost_cache
from ramiel_core.graph.costs import Measured, SendLine, weigh_measured
from ramiel_core.ir import MOLDABLE, Configuration, Graph, Parcel, Plan, Program
from ramiel_core.kernels.segment import segment
from ramiel_core.pipeline import (
    LIBRARIES,
    adapted,
    by_hand_plan,
    plan_of,
    program_of,
)
from ramiel_core.plan import crowd
from ramiel_core.plan.by_hand import BY_HAND
from ramiel_core.plan.moldable import moldable_ways
from ramiel_core.plan.planner import DEFAULT, fitting_planner, revalued, sequential_plan
from ramiel_core.run import host
from ramiel_core.run.forked import Team
from ramiel_core.run.profile import operator_costs, send_line, switch_cost

Tell = Callable[..., None]


@dataclass(frozen=True)
class Built:
    """A configuration of a model, ready to run."""

    configuration: Configuration
    graph: Graph  # weighed as it will run
    plan: Plan
    program: Program
    weights: Mapping[str, Any]


class Workshop:
    """Builds one model in any configuration; measures what it needs to know, once.

    Parameters
    ----------
    parcel : Parcel
        The model.
    tell : callable
        Gets the stages of long work.
    signals : {"fast", "queue"}
        How workers signal.
    clone : bool
        Whether workers may repeat cheap operators.
    split : bool
        Whether several workers may compute parts of one slow pooling.
    by_hand : str
        What the planner `BY_HAND` plans, as `str(Plan)` writes it.
    """

    def __init__(
        self,
        parcel: Parcel,
        tell: Tell,
        signals: Any = "fast",
        *,
        clone: bool = False,
        split: bool = True,
        by_hand: str = "",
    ) -> None:
        self.parcel, self.tell, self.signals = parcel, tell, signals
        self.clone, self.split, self.by_hand = clone, split, by_hand
        self._weighed: dict[tuple[str, int], Graph] = {}
        # Of torch's kernels, with poolings in parts or not: others hold sessions.
        self._built: dict[tuple[Configuration, bool], Built] = {}
        self._switch_ms: dict[tuple[int, int, int], float] = {}
        self._anchor_ms = 0.0  # eager operators on one thread, when first costs were measured
        self.calls: dict[str, dict[str, str]] = {}  # chosen, by family and threads, by operator

    @cached_property
    def send(self) -> SendLine:
        """What a send costs here."""
        return SendLine(*send_line(self.signals))

    def switch_ms(self, workers: int, threads: int, wide_threads: int) -> float:
        """What a section of another thread count costs here, beside its operators."""
        counts = workers, threads, wide_threads
        if counts not in self._switch_ms:
            self._switch_ms[counts] = switch_cost(threads, wide_threads, self.signals, workers)
        return self._switch_ms[counts]

    def family(self, kernels: str) -> tuple[Graph, Mapping[str, Any]]:
        """The model's graph, unweighed, and its weights under one kernel family."""
        if kernels == "fused" and self.parcel.fused is not None:
            return self.parcel.fused
        return self.parcel.graph, self.parcel.weights

    def weighed(self, kernels: str, threads: int) -> Graph:
        """The graph with measured costs; where operators have several calls, with the fastest."""
        return self.weighed_alike(kernels, [threads])[0]

    def weighed_alike(self, kernels: str, counts: Sequence[int]) -> list[Graph]:
        """The same for several numbers of threads, measured in the same rounds where one is new.

        A host may run two threads by a sixth slower for some seconds, and one as before. By costs
        of other moments GoogLeNet's moldable plan took 5 to 11 % longer than its better end.
        """
        if any((kernels, threads) not in self._weighed for threads in counts):
            self._built = {  # what was planned by older costs does not compare
                key: built
                for key, built in self._built.items()
                if key[0].kernels != kernels or key[0].threads not in counts
            }
            for threads, graph in self._measure(kernels, counts).items():
                self._weighed[kernels, threads] = graph
        return [self._weighed[kernels, threads] for threads in counts]

    def measuring(self, c: Configuration) -> int:
        """Workers that run at once to measure what a configuration is planned from; 0 for none."""
        kernels = "eager" if c.kernels in LIBRARIES else c.kernels
        if c.workers == 1 and (c.kernels in LIBRARIES or self._choices(kernels) == 1):
            return 0
        counts = self._counts(c)
        if all((kernels, threads) in self._weighed for threads in counts):
            return 0
        crowds = [self._together(t) for t in counts]
        return len(counts) * self._choices(kernels) + sum(crowds) + 1  # which is the anchor

    @staticmethod
    def _counts(c: Configuration) -> list[int]:
        """Numbers of threads that a configuration is planned with."""
        most = min(len(host.cores()), c.workers * c.threads)
        moldable = c.workers > 1 and c.planner == MOLDABLE
        return [c.threads, most] if moldable and most > c.threads else [c.threads]

    def _choices(self, kernels: str) -> int:
        """Calls that the operator with the most of them has."""
        return 1 + max(len(node.others) for node in self.family(kernels)[0].nodes)

    @staticmethod
    def _together(threads: int) -> int:
        """Copies of a model that are measured beside each other; 0 where cores are too few."""
        most = min(len(host.cores()) // threads, crowd.MOST)
        return most if most > 1 else 0

    def _measure(self, kernels: str, counts: Sequence[int]) -> dict[int, Graph]:
        """Weigh the graph anew, by numbers of threads."""
        bare, weights = self.family(kernels)
        self.tell("stage", text=f"Measuring {len(bare)} operators one by one")
        choices = self._choices(kernels)
        variants = [_variant(bare, i) for i in range(choices)]
        programs = [program_of(v, sequential_plan(v)) for v in variants]
        anchor = program_of(self.parcel.graph, sequential_plan(self.parcel.graph))
        beside = {threads: self.beside(kernels, variants[0], threads) for threads in counts}
        crowds = {threads: built for threads, built in beside.items() if built is not None}
        with ExitStack() as stack:
            opened = stack.enter_context
            teams = [opened(self._team(p, weights, t)) for t in counts for p in programs]
            teams += [opened(self.team(built)) for built in crowds.values()]
            teams.append(opened(self._team(anchor, self.parcel.weights, 1)))
            *found, anchor_ms = operator_costs(*teams)
        alone = {t: found[i * choices : (i + 1) * choices] for i, t in enumerate(counts)}
        crowded = dict(zip(crowds, found[len(counts) * choices :], strict=True))
        # A host changes its speed by half within a minute, so costs that were measured at other
        # moments only compare through something that was measured at each of them.
        now_ms = sum(anchor_ms.values())
        self._anchor_ms = self._anchor_ms or now_ms
        speed = self._anchor_ms / now_ms
        weighed = {}
        for threads in counts:
            together, crowding = 1, dict[str, float]()
            if threads in crowds:
                plan = crowds[threads].plan
                together = plan.workers
                crowding = crowd.crowding(plan, alone[threads][0], crowded[threads])
            costs = [{name: ms * speed for name, ms in of.items()} for of in alone[threads]]
            weighed[threads] = self._chosen(kernels, threads, costs, crowding, together)
        return weighed

    def _chosen(
        self,
        kernels: str,
        threads: int,
        costs: Sequence[Mapping[str, float]],
        crowding: Mapping[str, float],
        together: int,
    ) -> Graph:
        """The graph with each operator's fastest call; remembers these, and keeps the costs."""
        bare, _ = self.family(kernels)
        chosen, cost_ms = {}, {}
        for node in bare.nodes:
            best = min(range(1 + len(node.others)), key=lambda i: costs[i][node.name])
            chosen[node.name], cost_ms[node.name] = best, costs[best][node.name]
        nodes = tuple(_with_call(node, chosen[node.name]) for node in bare.nodes)
        self.calls[f"{kernels} {threads}"] = {n.name: n.call for n in nodes}
        found = Measured(cost_ms, self.send, crowding, together)
        if self.signals == "fast":
            cost_cache.save(bare, host.identity(), threads, found)
        return weigh_measured(replace(bare, nodes=nodes), found)

    def beside(self, kernels: str, graph: Graph, threads: int) -> Built | None:
        """Copies of a graph, a worker each, as many as cores allow; None where that is one."""
        together = self._together(threads)
        if not together:
            return None
        copies, plan = crowd.side_by_side(graph, together)
        configuration = Configuration(kernels, workers=together, threads=threads)
        program = program_of(copies, plan)
        return Built(configuration, copies, plan, program, self.family(kernels)[1])

    def build(self, configuration: Configuration) -> Built:
        """Plan and emit.

        Raises
        ------
        PlanError
            For an unknown planner, or one that does not fit the kernels.
        """
        c = configuration
        if c.kernels in LIBRARIES:
            return self._build_segments(c)
        return replace(self._of_torch(c, split=self.split), configuration=c)

    def _of_torch(self, c: Configuration, *, split: bool) -> Built:
        """Built once, whatever the run-time."""
        key = replace(c, runtime="processes"), split
        if key not in self._built:
            self._built[key] = self._build(key[0], split=split)
        return self._built[key]

    def _for_one(self, kernels: str, threads: int) -> Graph:
        """For one worker: measured only where that decides something, or was done before."""
        bare, _ = self.family(kernels)
        known = (kernels, threads) in self._weighed or self._choices(kernels) > 1
        return self.weighed(kernels, threads) if known else bare

    def _build(self, c: Configuration, *, split: bool) -> Built:
        if c.workers > 1 and c.planner == MOLDABLE:
            return self._ready(c, *self._molded(c, split=split)[0])
        if c.workers == 1 and c.planner != BY_HAND:
            graph = self._for_one(c.kernels, c.threads)
            return self._ready(c, graph, sequential_plan(graph))
        graph = self.weighed(c.kernels, c.threads)
        if c.planner == BY_HAND:
            return self._ready(c, graph, by_hand_plan(graph, Plan.parse(self.by_hand).clusters))
        planned = partial(plan_of, graph, c.workers, c.planner)
        leaves_threads = fitting_planner(graph, c.planner).leaves_threads
        plan = apart(planned) if leaves_threads else planned()
        after = {"split": split, "clone": self.clone}
        return self._ready(c, *adapted(graph, plan, c.workers, c.planner, **after))

    def _molded(self, c: Configuration, *, split: bool) -> list[tuple[Graph, Plan]]:
        """The ways of a moldable plan, best predicted first."""
        counts = self._counts(c)
        clusters = replace(c, planner=DEFAULT)
        if len(counts) == 1:  # no core is left for wider sections
            end = self._of_torch(clusters, split=split)
            return [(end.graph, replace(end.plan, planner=MOLDABLE))]
        threads, most = counts
        narrow, wide = self.weighed_alike(c.kernels, counts)
        switch_ms = self.switch_ms(c.workers, threads, most)
        # Its task-parallel end is what somebody gets who asks for no moldable plan.
        end = self._of_torch(clusters, split=split)
        other = end.graph, end.plan
        ways = moldable_ways(narrow, wide, c.workers, threads, most, switch_ms, other)
        for way in ways:
            check_plan(*way)
        return ways

    def _ready(self, c: Configuration, graph: Graph, plan: Plan) -> Built:
        return Built(c, graph, plan, program_of(graph, plan), self.family(c.kernels)[1])

    def ways(self, c: Configuration) -> list[Built]:
        """What `build` makes, and of a moldable plan its two ends behind it."""
        if c.planner != MOLDABLE or c.workers == 1 or c.kernels in LIBRARIES:
            return [self.build(c)]
        return [self._ready(c, *way) for way in self._molded(c, split=self.split)]

    def build_if_sensible(self, c: Configuration) -> Built | None:
        """What `build` makes, unless that is another configuration under this one's name."""
        try:
            built = self.build(c)
        except RamielError:
            if c.workers == 1:
                raise
            return None  # such a plan cannot be cut for this library; the whole model can
        if c.workers > 1 and built.plan.workers == 1:
            return None
        if c.planner == MOLDABLE and not built.plan.mixed:
            return None
        return built

    def _build_segments(self, c: Configuration) -> Built:
        """Plan over eager costs, then let a kernel library compute what lies between messages."""
        if c.planner == MOLDABLE and c.workers > 1:
            raise PlanError(
                f"a session of {c.kernels} has one thread count, so moldable plans need torch's "
                f"operators: use --kernels eager or fused, or another planner."
            )
        # Libraries have fast poolings of their own.
        eager = self._of_torch(replace(c, kernels="eager"), split=False)
        graph, plan, weights = segment(eager.graph, eager.plan, eager.weights, LIBRARIES[c.kernels])
        graph = replace(graph, kernels=c.kernels)
        plan = replace(
            plan,
            linear=eager.plan.linear,
            fixpoint=eager.plan.fixpoint,
            rejected_makespan_ms=eager.plan.rejected_makespan_ms,
        )
        check_plan(graph, plan)
        program = program_of(graph, plan)
        return Built(c, graph, revalued(plan, graph), program, weights)

    def team(self, built: Built) -> Team:
        """The workers of what was built."""
        c = built.configuration
        return self._team(built.program, built.weights, c.threads, c.runtime)

    def _team(
        self, program: Program, weights: Mapping[str, Any], threads: int, runtime: Any = "processes"
    ) -> Team:
        return Team(
            program,
            weights,
            self.parcel.inputs,
            threads=threads,
            signals=self.signals,
            runtime=runtime,
        )


def apart(work: Callable[..., Any], *given: Any) -> Any:
    """What `work(*given)` returns, done in a child: it leaves threads behind.

    After that, nothing may be forked here.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as children:
        return children.submit(work, *given).result()


def _variant(graph: Graph, choice: int) -> Graph:
    """The graph with each operator's call of this number, or its last."""
    nodes = tuple(_with_call(node, min(choice, len(node.others))) for node in graph.nodes)
    return replace(graph, nodes=nodes)


def _with_call(node: Any, choice: int) -> Any:
    return replace(node, call=(node.call, *node.others)[choice], others=())
