"""What a tuner found, in words, and kept on disk."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ramiel_core.ir import Configuration, Graph
from ramiel_core.report import tuned
from tests.tunings import HOST, ROWS, standing, tuning


def test_the_verdict_says_what_and_by_how_much():
    assert tuned.verdict(tuning()) == (
        "googlenet runs fastest here with fused kernels, 2 workers × 1 thread, moldable plan: "
        "18.0 ms, 3.89× as fast as eager on one thread (70.0 ms)."
    )


def test_why_goes_choice_by_choice_and_names_the_rivals():
    assert tuned.why(tuning()) == (
        "Choice by choice: fused kernels: 2.12× as fast; 2 threads: 1.67× as fast; 2 workers, "
        "moldable plan: 1.10× as fast. Not told apart from it beyond noise: OpenVINO, 2 threads. "
        "The best with one worker (fused kernels, 2 threads) takes 1.10× as long."
    )


def test_where_eager_wins_nothing_is_said_to_have_been_gained():
    rows = (
        standing(Configuration(), 18.0, 18.0, "best"),
        standing(Configuration("fused"), 36.0, 30.0),
    )

    assert tuned.verdict(tuning(*rows)) == (
        "googlenet runs fastest here with eager kernels, 1 thread: 18.0 ms; nothing that was tried "
        "is faster."
    )
    assert tuned.why(tuning(*rows)) == ""


def test_a_busy_host_is_told():
    found = {**tuning(), "host": {**HOST, "load_1min": 4.2}}

    assert tuned.verdict(found).endswith(
        "(70.0 ms). The host was busy (load 4.2 on 2 cores): tune again when it is idle."
    )


def test_a_choice_that_costs_is_told_as_one():
    rows = (
        standing(Configuration("fused", workers=2), 18.0, 17.0, "best"),
        standing(Configuration("fused", threads=2), 40.0, 30.0),
        standing(Configuration("fused"), 30.0, 30.0),
        standing(Configuration(), 60.0, 60.0),
    )

    assert "2 threads: 1.33× as slow; 2 workers: 2.22× as fast" in tuned.why(tuning(*rows))


def test_workers_plan_and_run_time_are_choices_of_their_own():
    rows = (
        standing(Configuration("fused", "heft", "threads", 2), 18.0, 17.0, "best"),
        standing(Configuration("fused", "moldable", "processes", 2), 19.0, 17.0),
        standing(Configuration("fused", "heft", "processes", 2), 20.0, 17.0),
        standing(Configuration("fused"), 33.0, 33.0),
        standing(Configuration(), 60.0, 60.0),
    )
    before = [("eager, one thread", 60.0), ("fused kernels", 33.0)]

    assert bought(rows) == [*before, ("2 workers", 20.0), ("one process", 18.0)]
    assert [choice for choice, _ in bought(rows[1:])][2:] == ["2 workers", "moldable plan"]


def test_a_choice_that_was_not_timed_is_told_with_the_next():
    rows = (
        standing(Configuration("inductor", "heft", "threads", 2), 18.0, 17.0, "best"),
        standing(Configuration("inductor", "ramiel", "processes", 2), 20.0, 17.0),
        standing(Configuration(), 60.0, 60.0),
    )

    assert bought(rows) == [
        ("eager, one thread", 60.0),
        ("inductor kernels, 2 workers", 20.0),
        ("heft plan, one process", 18.0),
    ]


def bought(rows: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(step["choice"], round(step["ms"], 6)) for step in tuned.gains(rows)]


def test_every_configuration_has_words():
    words = [tuned.in_words(row["configuration"]) for row in ROWS]

    assert len(set(words)) == len(ROWS)
    assert words[3] == "fused kernels, 2 workers × 1 thread in one process"


def test_what_is_loaded_says_when_it_was_found():
    graph = Graph.parse("a:1")
    assert tuned.load(graph, HOST) is None

    tuned.save(graph, HOST, tuning())
    found = tuned.load(graph, HOST)

    assert found["winner"] == tuning()["winner"]
    age = datetime.now(UTC) - datetime.fromisoformat(found["found_at"])
    assert timedelta(seconds=-1) < age < timedelta(minutes=5)
