from __future__ import annotations

from ramiel_core.ir import Point
from ramiel_core.view.curve import speedup_curve

POINTS = (Point(1, 1, 1.0, 1.0, 1.0), Point(2, 2, 1.5, 2.0, 1.3), Point(4, 3, 1.8, 2.5, 1.6))


def test_the_prediction_lies_between_its_bounds_each_named_in_words():
    most, least, predicted, now = speedup_curve(POINTS, 2, 1.5, fit=2).data

    assert (most.y, predicted.y, least.y) == ((1.0, 2.0, 2.5), (1.0, 1.5, 1.8), (1.0, 1.3, 1.6))
    assert "min(workers, T1/T∞)" in most.name
    assert "Graham" in least.name
    assert {most.line.dash, least.line.dash, predicted.line.dash} == {"dash", "dot", None}
    assert (now.x, now.y) == ((2,), (1.5,))


def test_the_cores_of_the_host_are_marked():
    figure = speedup_curve(POINTS, 1, 1.0, fit=2)

    assert figure.layout.shapes[0].x0 == 2
    assert figure.layout.annotations[0].text == "this host has cores for 2"
