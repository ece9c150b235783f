"""Timeline -> the bars of a Gantt chart, as plain JSON for the component that draws it."""

from __future__ import annotations

from collections.abc import Collection

from ramiel_core.ir import Bar, Timeline
from ramiel_core.view import palette
from ramiel_core.view.scene import Part

COLOURS = {
    "critical": palette.CRITICAL,
    "on-compute": palette.text_on(palette.BARS["compute"]),
    **{str(kind): colour for kind, colour in palette.BARS.items()},
}
"""Of kinds of bars, of outlines, and of names on bars."""


def bars(timeline: Timeline, outlined: Collection[Bar] = ()) -> Part:
    """Who does what when, a column each.

    Parameters
    ----------
    timeline : Timeline
        Predicted or measured.
    outlined : Collection[Bar]
        Those of its bars that are drawn with a strong outline.

    Examples
    --------
    >>> part = bars(Timeline((Bar(0, "a", "compute", 0.0, 1.0), Bar(0, "a", "copy", 1.0, 1.5)), 2))
    >>> part.value["names"], part.value["name"], part.value["kind"]
    (['a'], [0, 0], ['compute', 'copy'])
    """
    number = {name: i for i, name in enumerate(dict.fromkeys(bar.name for bar in timeline.bars))}
    strong = frozenset(outlined)
    return Part.of(
        {
            "names": list(number),
            "name": [number[bar.name] for bar in timeline.bars],
            "kind": [bar.kind for bar in timeline.bars],
            "worker": [bar.worker for bar in timeline.bars],
            "start": [short(bar.start_ms) for bar in timeline.bars],
            "end": [short(bar.end_ms) for bar in timeline.bars],
            "outlined": [i for i, bar in enumerate(timeline.bars) if bar in strong],
            "workers": 1 + max((bar.worker for bar in timeline.bars), default=0),
            "makespan": timeline.makespan_ms,
        }
    )


def short(time_ms: float) -> float:
    """A time with no more digits than a browser needs: to ten nanoseconds."""
    return round(time_ms, 5)
