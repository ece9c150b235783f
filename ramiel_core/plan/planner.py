"""Graph -> Plan: the plan arrow as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType

from ramiel_core.errors import PlanError
from ramiel_core.ir import Graph, Plan
from ramiel_core.plan.cpop import cpop
from ramiel_core.plan.deal import deal, in_order
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.dsc import dominant_sequence_clusters
from ramiel_core.plan.ended import ended, fixpoint_of
from ramiel_core.plan.exact import MOST_OPERATORS, exact, largest_section
from ramiel_core.plan.heft import heft
from ramiel_core.plan.linear import linear_clusters, linear_clusters_anew
from ramiel_core.plan.merge import Merging
from ramiel_core.plan.parts import made_whole
from ramiel_core.plan.refine import refine
from ramiel_core.plan.sarkar import edge_zeroing
from ramiel_core.plan.simulate import simulate
from ramiel_core.plan.tables import Tables

DEFAULT = "ramiel"


@dataclass(frozen=True)
class Planner:
    """One way to plan, as a user chooses it."""

    says: str  # what it does, in a sentence
    plan: Callable[[Graph, int | None], Plan]
    most_operators: int | None = None  # of a section; it refuses graphs with larger ones
    leaves_threads: bool = False  # after which nothing may be forked

    def refuses(self, graph: Graph) -> bool:
        """Whether `graph` is too large for it."""
        return self.most_operators is not None and largest_section(graph) > self.most_operators


def make_plan(graph: Graph, workers: int | None = None, planner: str = DEFAULT) -> Plan:
    """Plan, predict, and keep the parallel plan only where it pays.

    Parameters
    ----------
    graph : Graph
        Weighed.
    workers : int or None
        At most so many workers; None for as many clusters as the natural fixpoint of merging
        leaves, whatever the planner, so that all can be compared.
    planner : str
        A name in `PLANNERS`.

    Returns
    -------
    Plan
        Sequential (one cluster, in the model's own order) where a parallel plan is not
        predicted to be faster by `PAYS`; `rejected_makespan_ms` then holds its prediction.

    Raises
    ------
    PlanError
        Where `workers` is less than 1, there is no such planner, or the graph is too large for
        it.
    """
    if workers is not None and workers < 1:
        raise PlanError(
            f"a plan needs at least 1 worker, not {workers}; ask for --workers 1 or more."
        )
    return fitting_planner(graph, planner).plan(graph, workers)


def fitting_planner(graph: Graph, planner: str) -> Planner:
    """The planner of that name, which takes graphs of such a size; costs do not matter.

    Raises
    ------
    PlanError
        Where there is none, or it does not.
    """
    chosen = PLANNERS[known_planner(planner)]
    if chosen.refuses(graph):
        raise PlanError(
            f"the planner {planner} takes sections of at most {chosen.most_operators} operators, "
            f"not {largest_section(graph)}; choose another one, such as {DEFAULT}."
        )
    return chosen


def known_planner(planner: str) -> str:
    """`planner`, if there is one of that name.

    Raises
    ------
    PlanError
        Names the nearest.
    """
    if planner in PLANNERS:
        return planner
    near = get_close_matches(planner, PLANNERS, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise PlanError(f"there is no planner {planner!r}. {meant}Choose {', '.join(PLANNERS)}.")


def _merged(graph: Graph, workers: int | None, *, refined: bool) -> Plan:
    """Linear clustering and merging, recorded step by step; then perhaps refined."""
    merging = fixpoint_of(graph, record=True)
    clusters, moves = merging.clusters(), 0
    if workers is not None:
        merging.to_workers(workers)
        clusters = merging.clusters()
        if refined:
            found = refine(merging.tables, merging.worker_of(), len(merging.members))
            clusters, moves = found.clusters(merging.tables), found.moves
    plan = Plan(
        clusters,
        steps=tuple(merging.steps),
        moves=moves,
        planner="ramiel" if refined else "merging",
    )
    return ended(plan, graph, merging)


def _placed(
    name: str, place: Callable[[Graph, int], Sequence[tuple[str, ...]]]
) -> Callable[[Graph, int | None], Plan]:
    """A planner of one function, which returns clusters in run order."""

    def plan(graph: Graph, workers: int | None) -> Plan:
        natural = fixpoint_of(graph)
        clusters = tuple(place(graph, workers or natural.fixpoint))
        return ended(Plan(clusters, planner=name), graph, natural)

    return plan


def _onto_workers(
    cluster: Callable[[Graph], Sequence[tuple[str, ...]]],
) -> Callable[[Graph, int], Sequence[tuple[str, ...]]]:
    """Clusters of an algorithm that knows no limit, merged on by least predicted makespan."""

    def place(graph: Graph, workers: int) -> Sequence[tuple[str, ...]]:
        merging = Merging(graph, distance_to_end(graph), cluster(graph), record=False)
        merging.to_workers(workers)
        return merging.clusters()

    return place


def _dealt(
    cluster: Callable[[Graph], Sequence[tuple[str, ...]]],
) -> Callable[[Graph, int], Sequence[tuple[str, ...]]]:
    """Clusters of an algorithm that knows no limit, dealt to workers by load."""

    def place(graph: Graph, workers: int) -> Sequence[tuple[str, ...]]:
        order = Tables.of(graph, distance_to_end(graph)).names
        return in_order(order, deal(graph, cluster(graph), workers))

    return place


def _chains(graph: Graph) -> tuple[tuple[str, ...], ...]:
    return linear_clusters(graph, distance_to_end(graph))


def _exact(graph: Graph, workers: int | None) -> Plan:
    """Begin at the best of the others, so that none of them is shorter."""
    others = [p for p in PLANNERS.values() if p.most_operators is None]
    start = min((p.plan(graph, workers) for p in others), key=lambda plan: plan.makespan_ms)
    natural = fixpoint_of(graph)
    found = exact(graph, workers or natural.fixpoint, start.clusters)
    plan = Plan(found.clusters, lower_bound_ms=found.lower_bound_ms, planner="exact")
    return ended(plan, graph, natural)


PLANNERS: Mapping[str, Planner] = MappingProxyType(
    {
        "ramiel": Planner(
            "Cuts the graph into chains along the critical path, merges chains that never run at "
            "the same time, then tries who runs what, section by section.",
            partial(_merged, refined=True),
        ),
        "merging": Planner(
            "The same without the last step: chains along the critical path, merged down to the "
            "number of workers (linear clustering and merging).",
            partial(_merged, refined=False),
        ),
        "linear": Planner(
            "Cuts the graph into chains along the critical path (linear clustering) and deals "
            "them to the workers, the largest first, by load alone.",
            _placed("linear", _dealt(_chains)),
        ),
        "linear-anew": Planner(
            "The same, but each chain is the critical path of what the chains before it left "
            "over (Kim and Browne).",
            _placed("linear-anew", _dealt(linear_clusters_anew)),
        ),
        "dsc": Planner(
            "Follows the longest path of the moment and puts each operator beside the input "
            "that holds it up (dominant sequence clustering), then merges on to the workers.",
            _placed("dsc", _onto_workers(dominant_sequence_clusters)),
        ),
        "sarkar": Planner(
            "Takes the dearest sends first and puts both ends on one worker unless that makes "
            "the whole longer (edge zeroing), then merges on to the workers.",
            _placed("sarkar", _onto_workers(edge_zeroing)),
        ),
        "heft": Planner(
            "Takes the operator with the longest way to the end next and puts it where it ends "
            "first, into a gap if it fits.",
            _placed("heft", heft),
        ),
        "cpop": Planner(
            "Keeps the critical path on one worker and puts every other operator where it ends "
            "first, the one on the longest path first.",
            _placed("cpop", cpop),
        ),
        "exact": Planner(
            "Starts from the best of the others and searches for anything shorter with a "
            "constraint solver, section by section, which can prove that there is none: small "
            "sections only.",
            _exact,
            MOST_OPERATORS,
            leaves_threads=True,
        ),
    }
)
"""Every planner by name. A further one is a function `(graph, workers) -> Plan` that ends with
`ended`; all are compared by the same `check_plan` and `simulate`."""


def revalued(plan: Plan, graph: Graph) -> Plan:
    """The same placement, predicted anew from the costs of `graph`."""
    whole = made_whole(graph)
    free = distance_to_end(whole, free_sends=True)
    return replace(
        plan,
        t1_ms=whole.t1_ms,
        tinf_ms=max(free.values(), default=0.0),
        tinf_send_ms=max(distance_to_end(whole).values(), default=0.0),
        makespan_ms=simulate(graph, plan.clusters).makespan_ms,
    )


def sequential_plan(graph: Graph) -> Plan:
    """Every operator on one worker, in the order of the model's own code."""
    return Plan(
        clusters=(tuple(node.name for node in graph.nodes),),
        t1_ms=graph.t1_ms,
        makespan_ms=graph.t1_ms,
    )
