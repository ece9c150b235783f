"""The figures of the page Tune."""

from __future__ import annotations

import pytest

from ramiel_core.ir import Configuration
from ramiel_core.view import tuning
from tests.tunings import ROWS, standing
from tests.tunings import tuning as record


def points(figure: tuning.go.Figure) -> dict[str, int]:
    return {t.name: len(t.x) for t in figure.data if t.mode == "markers"}


def test_only_what_was_both_predicted_and_timed_is_a_point():
    figure = tuning.predicted_against_measured(ROWS)

    assert points(figure) == {"fused": 4, "eager": 3}
    fused = next(t for t in figure.data if t.name == "fused")
    assert (fused.x[0], fused.y[0]) == (17.6, 18.0)
    assert fused.customdata[0][0] == "fused, moldable, 2 workers × 1 thread"


def test_on_the_diagonal_prediction_and_measurement_are_equal():
    diagonal, above, below = tuning.predicted_against_measured(ROWS).data[:3]

    assert diagonal.x == diagonal.y
    assert above.y[0] == pytest.approx(1.1 * above.x[0])
    assert below.y[0] == pytest.approx(0.9 * below.x[0])


def test_a_race_of_libraries_alone_leaves_an_empty_field():
    figure = tuning.predicted_against_measured([standing(Configuration("openvino"), 16.0)])

    assert points(figure) == {}


def test_the_waterfall_goes_from_eager_to_the_winner():
    steps = record()["steps"]
    (bars,) = tuning.waterfall(steps).data

    assert list(bars.x) == [
        "eager, one thread",
        "fused kernels",
        "2 threads",
        "2 workers, moldable plan",
        "fastest",
    ]
    assert list(bars.measure) == ["absolute", *["relative"] * 3, "total"]
    assert tuning.waterfall(steps).layout.xaxis.ticktext[3] == "2 workers,<br>moldable plan"
    assert sum(bars.y) == pytest.approx(18.0)
    assert bars.text[0] == "70.0 ms"
    assert bars.text[1] == "-37.0 ms"


def test_names_are_escaped():
    steps = [{"choice": "<b>", "label": "<a>", "ms": 2.0}, {"choice": "b", "label": "c", "ms": 1.0}]

    assert tuning.waterfall(steps).data[0].x[0] == "&lt;b&gt;"


@pytest.mark.parametrize(
    "figure", [tuning.predicted_against_measured(ROWS), tuning.waterfall(record()["steps"])]
)
def test_figures_have_no_ground_of_their_own(figure: tuning.go.Figure):
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
