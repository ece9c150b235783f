from __future__ import annotations

from collections.abc import Callable

from ramiel_core.ir import Bar, Graph, Timeline
from ramiel_core.view.gantt import gantt

Zoo = Callable[[str], Graph]

PREDICTED = Timeline(
    (
        Bar(0, "a", "compute", 0.0, 1.0),
        Bar(0, "a", "copy", 1.0, 1.5),
        Bar(1, "a", "wait", 0.0, 1.5),
        Bar(1, "b", "compute", 1.5, 3.0),
    ),
    makespan_ms=3.0,
)


def test_each_kind_is_one_trace_with_the_bars_where_they_were():
    compute, copy, wait = gantt(PREDICTED).data

    assert (compute.name, copy.name, wait.name) == ("compute", "copy", "wait")
    assert (compute.base, compute.x, compute.y) == (
        (0.0, 1.5),
        (1.0, 1.5),
        ("worker 0", "worker 1"),
    )
    assert [name for name, *_ in compute.customdata] == ["a", "b"]


def test_measured_stands_below_predicted_on_the_same_axis():
    figure = gantt(PREDICTED, Timeline((Bar(0, "a", "compute", 0.0, 4.0),), 4.0))

    assert len(figure.data) == 6
    assert [note.text for note in figure.layout.annotations] == [
        "<b>predicted</b>  3.00 ms",
        "<b>measured</b>  4.00 ms",
    ]
    assert figure.layout.xaxis.matches == "x2"
    assert figure.layout.xaxis2.title.text.endswith("ms")
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]


def test_a_timeline_of_every_operator_of_inception_stays_three_traces(zoo_graph: Zoo):
    bars = tuple(
        Bar(0, n.name, "compute", i, i + 1) for i, n in enumerate(zoo_graph("inception_v3").nodes)
    )

    figure = gantt(Timeline(bars, float(len(bars))))

    assert [len(trace.x) for trace in figure.data] == [314, 0, 0]


def test_a_hostile_name_is_text_in_the_hover():
    figure = gantt(Timeline((Bar(0, '<a href="x">', "compute", 0.0, 1.0),), 1.0))

    assert figure.data[0].customdata[0][0] == '&lt;a href="x"&gt;'


def test_bars_of_a_critical_path_are_outlined_and_say_so():
    first, *_ = PREDICTED.bars
    compute, *_ = gantt(PREDICTED, outlined={"predicted": [first]}).data

    assert compute.marker.line.width == (0.5, 2.5)
    assert [why for *_, why in compute.customdata] == ["", "<br>on the critical path"]


def test_gaps_that_only_measurements_have_are_a_kind_of_their_own():
    measured = Timeline((Bar(0, "a", "dispatch", 0.0, 0.5), Bar(0, "a", "compute", 0.5, 4.0)), 4.0)

    names = [trace.name for trace in gantt(PREDICTED, measured).data if trace.showlegend]

    assert names == ["compute", "copy", "wait", "dispatch"]
