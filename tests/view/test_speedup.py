from __future__ import annotations

import pytest

from ramiel_core.ir import Job, Plan, Report, Run, Step, Timeline
from ramiel_core.view import speedup

PLAN = Plan(
    clusters=(("a",), ("b",)),
    linear=(("a",), ("b",), ("c",)),
    steps=(
        Step(1, 0, 2, ((0.0, 1.0), (1.0, 2.0)), 2, 1, 4.0, "spans do not overlap"),
        Step(2, 0, 1, ((0.0, 1.0), (1.0, 2.0)), 1, 0, None, "too many workers"),
    ),
    t1_ms=6.0,
    tinf_ms=3.0,
)


def run(label: str, *times_ms: float) -> Run:
    return Run(label, workers=1, threads=1, times_ms=times_ms, equal=True, max_difference=0.0)


RUNS = (run("sequential", 10.0, 10.0, 11.0), run("parallel", 7.0, 8.0), run("threads", 5.0))
REPORT = Report(
    model="toy",
    operators=3,
    plan=PLAN,
    job=Job("toy"),
    cost_model="unit",
    runs=RUNS,
    sequential_ms=10.0,
    parallel_ms=8.0,
    speedup=1.25,
    speedup_ci=(1.2, 1.4),
    bound=2.0,
    equal=True,
    operator_ms={},
    predicted=Timeline((), 3.0),
    measured=Timeline((), 3.0),
    verdict="",
    host={},
)


def test_sequential_is_one_and_the_interval_stands_on_the_parallel_bar():
    (bars,) = speedup.speedup(REPORT).data

    assert bars.x == ("sequential", "parallel", "threads")
    assert bars.y == (1.0, 1.25, 2.0)
    assert bars.error_y.array == (None, pytest.approx(0.15), None)
    assert bars.error_y.arrayminus == (None, pytest.approx(0.05), None)


def test_the_bound_is_a_line_that_says_what_it_is():
    figure = speedup.speedup(REPORT)

    assert [shape.y0 for shape in figure.layout.shapes] == [2.0, 1.0]
    assert figure.layout.annotations[0].text == "bound min(workers, T1/T∞) = 2.00×"


def test_every_timed_inference_is_a_point():
    figure = speedup.latencies(RUNS)

    assert [(box.name, box.x) for box in figure.data] == [(r.label, r.times_ms) for r in RUNS]
    assert figure.layout.xaxis.title.text == "latency of one inference, ms"


@pytest.mark.parametrize("figure", [speedup.speedup(REPORT), speedup.latencies(RUNS)])
def test_figures_have_no_ground_of_their_own(figure: speedup.go.Figure):
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
