"""Graph -> sections: parts of a long graph that can be placed one by one, and stacked.

The time that Graphviz takes to place operators side by side grows much faster than their number
(300 take 0.1 s, 2,000 take 8 s), nearly all of it to align what stands far above with what stands
far below. So a long graph is cut where few values cross, as between two cells of a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ramiel_core.view.reduction import Edge

MOST = 400  # operators that are never cut
LEAST = 150  # operators of a section
FEW = 8  # values that may cross a cut: each is led through a place of its own on both sides


@dataclass(frozen=True)
class Section:
    """Operators that are placed together, and the values that cross to other sections."""

    names: tuple[str, ...]
    edges: tuple[Edge, ...]  # between two of them
    read: tuple[Edge, ...]  # from an entering value to an operator in here
    entering: tuple[str, ...] = ()  # operators above, whose values are read in here or below
    leaving: tuple[str, ...] = ()  # operators in here or above, whose values are read below


def sections(names: Sequence[str], edges: Sequence[Edge]) -> list[Section]:
    """Cut a graph into sections.

    Parameters
    ----------
    names : sequence of str
        Every operator, in topological order.
    edges : sequence of Edge
        Those that are drawn.

    Returns
    -------
    list of Section
        One alone, up to `MOST` operators or where everywhere more than `FEW` values cross.
    """
    index = {name: i for i, name in enumerate(names)}
    last = dict(index)  # who reads it last
    for a, b in edges:
        last[a] = max(last[a], index[b])
    cuts = _cuts(_crossing(list(last.values())))
    number = [k for k, (first, end) in enumerate(pairwise(cuts)) for _ in range(first, end)]
    inner: list[list[Edge]] = [[] for _ in cuts[1:]]
    read: list[list[Edge]] = [[] for _ in cuts[1:]]
    for a, b in edges:
        k = number[index[b]]
        (inner if number[index[a]] == k else read)[k].append((a, b))
    crossing = [
        tuple(name for name in names[:cut] if last[name] >= cut) for cut in (*cuts[:-1], len(names))
    ]
    return [
        Section(tuple(names[first:end]), tuple(inner[k]), tuple(read[k]), *crossing[k : k + 2])
        for k, (first, end) in enumerate(pairwise(cuts))
    ]


def _crossing(last: Sequence[int]) -> list[int]:
    """How many values a cut before each operator would cross.

    >>> _crossing([2, 1, 3, 3])
    [0, 1, 1, 1]
    """
    change = [0] * (len(last) + 1)
    for i, end in enumerate(last):
        change[i + 1] += 1
        change[end + 1] -= 1
    return list(accumulate(change))[: len(last)]


def _cuts(crossing: Sequence[int]) -> list[int]:
    """Where sections start, and the end: each the best cut within reach of the one before."""
    count = len(crossing)
    cuts = [0]
    while count - cuts[-1] > MOST:
        near = range(cuts[-1] + MOST, cuts[-1] + LEAST - 1, -1)  # of equals, the longest section
        best = min(near, key=crossing.__getitem__)
        beyond = range(near.start + 1, count)
        found = next((at for at in (best, *beyond) if crossing[at] <= FEW), count)
        cuts.append(found)
    return cuts if cuts[-1] == count else [*cuts, count]
