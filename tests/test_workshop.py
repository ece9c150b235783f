"""What is measured together, and what is not measured again."""

from __future__ import annotations

from unittest.mock import patch

from ramiel_core import pipeline, workshop
from ramiel_core.ir import MOLDABLE, Configuration
from ramiel_core.model.trace import trace
from tests.run import fresh
from tests.run.modules import MODULES, make


def measured_for_a_moldable_plan() -> tuple[list[list[int]], bool, list[int], list[int]]:
    """Threads of all teams of one worker, by measurement; whether clusters were planned again.

    And how many workers were expected to measure for each of three configurations, and did.
    """
    name = next(iter(MODULES))
    module, inputs = make(name)
    built_of = workshop.Workshop(
        pipeline.parcel_of(trace(module, inputs, name)), lambda *_, **__: None
    )
    asked: list[list[int]] = []
    workers: list[int] = []
    measure = workshop.operator_costs

    def measuring(*teams: workshop.Team) -> list[dict[str, float]]:
        workers.append(sum(team.program.workers for team in teams))
        asked.append([team.threads for team in teams if team.program.workers == 1])
        return measure(*teams)

    clusters = Configuration(workers=2, threads=1)
    moldable = Configuration(planner=MOLDABLE, workers=2, threads=1)
    expected: list[int] = []
    with (
        patch.object(workshop, "operator_costs", measuring),
        patch.object(workshop.host, "cores", lambda: (0, 0)),
    ):
        expected.append(built_of.measuring(clusters))
        first = built_of.build(clusters)
        expected.append(built_of.measuring(moldable))
        built_of.build(moldable)
        expected.append(built_of.measuring(clusters))
        again = built_of.build(clusters)
    return asked, again.graph is not first.graph, expected, workers


def test_a_moldable_plan_compares_costs_of_the_same_rounds():
    asked, planned_again, expected, workers = fresh.call(measured_for_a_moldable_plan)

    anchor = 1  # eager on one thread, in each measurement
    assert asked == [[1, anchor], [1, 2, anchor]]
    assert planned_again
    assert expected == [*workers, 0]
