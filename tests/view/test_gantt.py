from __future__ import annotations

from ramiel_core.ir import Bar, Timeline
from ramiel_core.view.gantt import COLOURS, bars
from ramiel_core.view.palette import contrast

PREDICTED = Timeline(
    (
        Bar(0, "a", "compute", 0.0, 1.0),
        Bar(0, "a", "copy", 1.0, 1.5),
        Bar(1, "a", "wait", 0.0, 1.5),
        Bar(1, "b", "compute", 1.5, 5 / 3),
    ),
    makespan_ms=3.0,
)


def test_every_bar_is_there_with_its_worker_its_times_and_its_operator_named_once():
    sent = bars(PREDICTED).value

    assert sent["names"] == ["a", "b"]
    assert sent["name"] == [0, 0, 0, 1]
    assert sent["kind"] == ["compute", "copy", "wait", "compute"]
    assert sent["worker"] == [0, 0, 1, 1]
    assert sent["start"] == [0.0, 1.0, 0.0, 1.5]
    assert sent["end"] == [1.0, 1.5, 1.5, 1.66667]
    assert (sent["workers"], sent["makespan"]) == (2, 3.0)


def test_outlined_bars_are_told_by_their_place():
    assert bars(PREDICTED, [PREDICTED.bars[3]]).value["outlined"] == [3]


def test_an_empty_timeline_has_one_idle_worker():
    assert bars(Timeline((), 0.0)).value["workers"] == 1


def test_names_can_be_read_on_the_bars_that_carry_them():
    assert contrast(COLOURS["on-compute"], COLOURS["compute"]) >= 4.5
