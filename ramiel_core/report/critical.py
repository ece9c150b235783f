"""Timeline -> what every moment went to, and the chain of events that decided its length."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ramiel_core.ir import Bar, BarKind, Timeline

SHORTEST_MS = 1e-3  # gaps below a microsecond are rounding
RESULT = "result"  # what the caller waits for, after the last bar


def labelled(timeline: Timeline) -> Timeline:
    """The timeline with a `dispatch` bar in each gap before, between and after a worker's bars.

    Before its first bar a worker wakes up; after the last bar of all, the caller does. A worker
    that has nothing left to do while others go on gets no bar.

    Examples
    --------
    >>> late = Timeline((Bar(0, "a", "compute", 0.5, 2.0),), 3.0)
    >>> [(bar.name, bar.start_ms, bar.end_ms) for bar in labelled(late).bars]
    [('a', 0.0, 0.5), ('a', 0.5, 2.0), ('result', 2.0, 3.0)]
    """
    bars: list[Bar] = []
    for worker, own in sorted(_by_worker(timeline).items()):
        now = 0.0
        for bar in own:
            if bar.start_ms - now > SHORTEST_MS:
                bars.append(Bar(worker, bar.name, "dispatch", now, bar.start_ms))
            bars.append(bar)
            now = max(now, bar.end_ms)
    last = max(bars, key=lambda bar: bar.end_ms, default=None)
    if last is not None and timeline.makespan_ms - last.end_ms > SHORTEST_MS:
        end = Bar(last.worker, RESULT, "dispatch", last.end_ms, timeline.makespan_ms)
        bars.append(end)
    return Timeline(tuple(bars), timeline.makespan_ms)


def critical_bars(timeline: Timeline) -> tuple[Bar, ...]:
    """The chain of bars that decided how long a run took: none could be later without a delay.

    Followed backwards from the last bar: what held a worker up is the bar before on the same
    worker, or, where it waited for a value that was not there yet, the sender's bar that handed
    it over. Of such a wait only the part after the value was sent belongs to the chain.

    Parameters
    ----------
    timeline : Timeline
        Predicted or measured; `labelled`, if its gaps are to be on the chain as well.

    Returns
    -------
    tuple of Bar
        By time; together as long as the run, but for gaps without a bar.

    Examples
    --------
    >>> sent = (Bar(0, "a", "compute", 0, 2), Bar(0, "a", "copy", 2, 3))
    >>> read = (Bar(1, "a", "wait", 0, 4), Bar(1, "b", "compute", 4, 5))
    >>> [(bar.name, bar.kind, bar.start_ms) for bar in critical_bars(Timeline(sent + read, 5))]
    [('a', 'compute', 0), ('a', 'copy', 2), ('a', 'wait', 3), ('b', 'compute', 4)]
    """
    rows = _by_worker(timeline)
    before = {bar: earlier for own in rows.values() for earlier, bar in itertools.pairwise(own)}
    sent = _handed_over(timeline)
    chain: list[Bar] = []
    bar = max(timeline.bars, key=lambda b: (b.end_ms, b.kind != "wait"), default=None)
    for _ in timeline.bars:  # each is on the chain at most once
        if bar is None:
            break
        giver = sent.get(bar.name) if bar.kind == "wait" else None
        if giver is not None and giver.worker != bar.worker and giver.end_ms > bar.start_ms:
            chain.append(Bar(bar.worker, bar.name, "wait", giver.end_ms, bar.end_ms))
            bar = giver
        else:
            chain.append(bar)
            bar = before.get(bar)
    return tuple(reversed(chain))


def spent_ms(bars: Iterable[Bar]) -> dict[BarKind, float]:
    """Time by kind of bar: what a critical path consists of."""
    found: dict[BarKind, float] = {"compute": 0.0, "copy": 0.0, "wait": 0.0, "dispatch": 0.0}
    for bar in bars:
        found[bar.kind] += bar.end_ms - bar.start_ms
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """One operator on the predicted or the realised critical path, and what it took in both."""

    name: str
    predicted_ms: float | None  # None: not in this timeline
    measured_ms: float | None
    on_predicted: bool  # on the critical path of the prediction
    on_measured: bool

    @property
    def more_ms(self) -> float:
        """By how much it was longer than predicted."""
        return (self.measured_ms or 0.0) - (self.predicted_ms or 0.0)


def differences(predicted: Timeline, measured: Timeline) -> tuple[Difference, ...]:
    """Every operator on the critical path of either timeline, in the order of the measured run."""
    paths = [_computed(critical_bars(timeline)) for timeline in (predicted, measured)]
    costs = [_computed(timeline.bars) for timeline in (predicted, measured)]
    either = {**paths[0], **paths[1]}
    starts = {bar.name: bar.start_ms for bar in measured.bars if bar.kind == "compute"}
    return tuple(
        Difference(name, costs[0].get(name), costs[1].get(name), name in paths[0], name in paths[1])
        for name in sorted(either, key=lambda name: starts.get(name, 0.0))
    )


def _computed(bars: Iterable[Bar]) -> dict[str, float]:
    return {bar.name: bar.end_ms - bar.start_ms for bar in bars if bar.kind == "compute"}


def _by_worker(timeline: Timeline) -> dict[int, list[Bar]]:
    rows: dict[int, list[Bar]] = defaultdict(list)
    for bar in timeline.bars:
        rows[bar.worker].append(bar)
    return {
        worker: sorted(own, key=lambda b: (b.start_ms, b.end_ms)) for worker, own in rows.items()
    }


def _handed_over(timeline: Timeline) -> dict[str, Bar]:
    """The bar after which a value can be read elsewhere: its copy, or else what computed it."""
    made = {bar.name: bar for bar in timeline.bars if bar.kind == "compute"}
    return made | {bar.name: bar for bar in timeline.bars if bar.kind == "copy"}
