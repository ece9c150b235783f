"""Which way of a moldable plan is fastest here and now, since predictions may mislead.

Costs are those of a moment. An EPYC of 2 cores ran two threads by a sixth slower for a second or
two at a time; by costs of such ones a GoogLeNet plan took 36 % longer than its better end.
"""

from __future__ import annotations

from contextlib import ExitStack

from ramiel_core.bootstrap import paired_ratio
from ramiel_core.ir import Configuration, Plan
from ramiel_core.kernels.tolerance import tolerance_of
from ramiel_core.run import bench as timing
from ramiel_core.run.profile import STEADY_MS
from ramiel_core.words import plural, times
from ramiel_core.workshop import Built, Tell, Workshop

RACE_S = 6.0  # several times as long as such a disturbance
LEAST_ROUNDS, MOST_ROUNDS = 8, 100  # of fewer hardly any difference is beyond noise
MIXTURE = "a mixture of wide sections and clusters"


def fastest_way(workshop: Workshop, c: Configuration, tell: Tell) -> tuple[Built, str]:
    """Build a configuration; of a moldable one the way that is measured to be fastest.

    Parameters
    ----------
    workshop : Workshop
        Builds.
    c : Configuration
        What was asked for.
    tell : callable
        Gets stages.

    Returns
    -------
    built : Built
        The plan that was predicted to be fastest, or what is faster beyond noise.
    reason : str
        Where it is not the one predicted: what a user should know of that, in a sentence.
    """
    ways = workshop.ways(c)
    if len(ways) == 1:
        return ways[0], ""
    ends = [_name(way.plan) for way in ways[-2:]]
    named = dict(zip((*[MIXTURE] * (len(ways) - 2), *ends), ways, strict=True))
    tell("stage", text=f"Racing {' against '.join(named)}")
    tolerance = tolerance_of(c)
    with ExitStack() as stack:
        runs, _ = timing.interleave(
            {name: stack.enter_context(workshop.team(way)) for name, way in named.items()},
            workshop.parcel.reference,
            _rounds([way.plan.makespan_ms for way in ways]),
            lambda *_: None,
            dict.fromkeys(named, tolerance),
            traced=(),
        )
    expected, *others = runs
    best = min(others, key=lambda run: paired_ratio(run.times_ms, expected.times_ms)[0])
    _, (_, high) = paired_ratio(best.times_ms, expected.times_ms)
    if high >= 1:
        return ways[0], ""
    longer, _ = paired_ratio(expected.times_ms, best.times_ms)
    return named[best.label], (
        f"predicted to be fastest was {expected.label}, but in {len(best.times_ms)} rounds in turn "
        f"it took {times(longer)} the time of {best.label}: so that is what runs here."
    )


def _rounds(predicted_ms: list[float]) -> int:
    """As many as `RACE_S` has room for."""
    round_ms = sum(ms + max(ms, STEADY_MS) for ms in predicted_ms)
    return min(MOST_ROUNDS, max(LEAST_ROUNDS, int(RACE_S * 1000 / round_ms)))


def _name(end: Plan) -> str:
    if end.wide:
        return f"one worker with {plural(end.wide_threads, 'thread')}"
    return "clusters side by side" if end.workers > 1 else "one worker"
