"""The race that a tuner runs, with runners that take the time they are told to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from ramiel_core.errors import RamielError, RunError
from ramiel_core.run import tune
from ramiel_core.run.tune import Candidate, Entrant, NotTriedError, Room, Standing, fastest

REFERENCE = torch.tensor([1.0, 2.0])
open_now: list[str] = []


class Runner:
    """Takes `ms` an inference, times whatever the host's speed is at that moment."""

    def __init__(self, name: str, ms: float, output=REFERENCE, dies_at: int = -1):
        self.name, self.ms, self._output, self.left = name, ms, output, dies_at
        open_now.append(name)

    def run(self) -> float:
        self.left -= 1
        if self.left == 0:
            raise RunError("cluster 0 was killed by SIGKILL.")
        return self.ms * Runner.speed()

    speed: Callable[[], float] = staticmethod(lambda: 1.0)

    def output(self):
        return self._output

    def memory_bytes(self) -> int:
        return 1000

    def close(self) -> None:
        open_now.remove(self.name)


@pytest.fixture(autouse=True)
def no_gaps(monkeypatch):
    monkeypatch.setattr(tune, "GAP_S", 0)
    open_now.clear()
    yield
    assert open_now == [], "every runner is closed at the end"


def candidate(name: str, opened: Callable[[], Runner], tolerance: float = 0.0, **more: Any):
    def opens(room: Room) -> Entrant:
        room(1)
        return Entrant(name, opened(), tolerance)

    return Candidate(name, opens, **more)


def race(times: dict[str, float], budget_s: float = 600.0, **more: Callable[[], Runner]):
    """Standings after a race of runners with these times, and of any others."""
    told: list[list[str]] = []
    candidates = [
        *(candidate(n, lambda n=n, ms=ms: Runner(n, ms)) for n, ms in times.items()),
        *(candidate(n, opened) for n, opened in more.items()),
    ]
    found = fastest(
        candidates, REFERENCE, budget_s, lambda rows: told.append([r.state for r in rows])
    )
    assert told[0].count("waiting") >= len(candidates) - 1
    return found


def by_name(standings: list[Standing]) -> dict[str, Standing]:
    return {standing.label: standing for standing in standings}


def test_the_fastest_comes_first_whatever_was_predicted():
    found = race({"a": 3.0, "b": 2.0, "c": 2.2, "d": 9.0})

    assert [s.label for s in found] == ["b", "c", "a", "d"]
    assert found[0].state == "best"
    assert by_name(found)["d"].state == "slower"


def test_ratios_are_against_the_best_even_of_those_that_never_met_it():
    """a is closed when b leads, long before c beats b."""
    found = by_name(race({"a": 8.0, "b": 4.0, "c": 3.0}))

    assert found["a"].ratio == pytest.approx(8 / 3)
    assert found["b"].ratio == pytest.approx(4 / 3)
    assert found["c"].ratio == 1


def test_a_host_that_doubles_its_speed_midway_misleads_nobody(monkeypatch):
    """Each inference is timed at the speed of the moment; b is always a tenth faster than a."""
    steps = itertools.count()
    monkeypatch.setattr(Runner, "speed", staticmethod(lambda: 2.0 if next(steps) < 20 else 1.0))

    assert race({"a": 66.0, "b": 60.0, "c": 78.0})[0].label == "b"
    assert next(steps) > 40


class Disturbed(Runner):
    """At first three of four inferences take three times as long."""

    ran = 0

    def run(self) -> float:
        self.ran += 1
        return super().run() * (3 if self.ran < 16 and self.ran % 4 else 1)


def test_one_that_is_disturbed_in_most_of_its_first_rounds_stays():
    assert race({"a": 90.0}, b=lambda: Disturbed("b", 60.0))[0].label == "b"


def test_a_short_inference_counts_as_in_a_loop_of_them():
    """b takes three times as long in the first 15 ms of its turn."""

    class Slow(Runner):
        turn_ms = 0.0

        def run(self) -> float:
            took_ms = super().run() * (3 if self.turn_ms < 15 else 1)
            self.turn_ms += took_ms
            return took_ms

        def output(self):
            self.turn_ms = 0.0  # asked for once a turn
            return super().output()

    found = race({"a": 1.5}, b=lambda: Slow("b", 1.0))

    assert (found[0].label, found[0].median_ms) == ("b", 1.0)


class Clock:
    """Of seconds that pass only where somebody says so."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_leader_disturbed_while_another_enters_still_wins_when_building_took_all_the_time(
    monkeypatch,
):
    """It takes twice as long in all first rounds of the other one, whose building took 60 s."""
    clock = Clock()
    monkeypatch.setattr(tune, "time", clock)

    class Timed(Runner):
        def run(self) -> float:
            took_ms = super().run()
            clock.sleep(took_ms / 1e3)
            return took_ms

    class Leader(Timed):
        beside = 0

        def run(self) -> float:
            self.beside += "slower" in open_now
            self.ms = 120.0 if 0 < self.beside <= tune.FIRST_ROUNDS else 60.0
            return super().run()

    def slower() -> Runner:
        clock.sleep(60.0)
        return Timed("slower", 70.0)

    found = race({}, budget_s=60.0, leader=lambda: Leader("leader", 60.0), slower=slower)

    assert [s.label for s in found] == ["leader", "slower"]
    assert 60.0 < clock.now < 60.0 * (1 + tune.FINAL_SHARE) + 2


def test_where_memory_is_short_the_slowest_so_far_makes_room(monkeypatch):
    """Each runner holds 1000 bytes, and there are 3500."""
    monkeypatch.setattr(tune.host, "memory_left", lambda: 3500 - 1000 * len(open_now))
    at_once = []

    class Counted(Runner):
        def run(self) -> float:
            at_once.append(len(open_now))
            return super().run()

    times = {"a": 1.1, "b": 1.2, "c": 1.15, "d": 1.0}
    found = race({}, **{n: lambda n=n, ms=ms: Counted(n, ms) for n, ms in times.items()})

    assert max(at_once) == 3
    assert [s.label for s in found] == ["d", "a", "c", "b"]
    reasons = {s.label: s.reason for s in found if s.reason}
    assert reasons == {"b": "memory was short when it took 1.09× the leader's time."}


def test_what_needs_more_memory_than_others_leave_is_not_tried(monkeypatch):
    """Each holds 1000 bytes, of 4500; the third would take three beside the leader, or four.

    To make room for three the second is closed, and for four nobody.
    """
    monkeypatch.setattr(tune.host, "memory_left", lambda: 4500 - 1000 * len(open_now))
    opened = []

    def entrant(name: str, processes: int, room: Room) -> Entrant:
        room(processes)
        opened.append((name, len(open_now)))
        return Entrant(name, Runner(name, 1.0), 0.0)

    tried = [
        Candidate(name, partial(entrant, name, processes))
        for name, processes in (("leader", 9), ("small", 1), ("large", 4), ("fits", 3))
    ]
    found = by_name(fastest(tried, REFERENCE, 60.0, lambda _: None))

    assert opened == [("leader", 0), ("small", 1), ("fits", 1)]
    assert found["large"].state == "skipped"
    assert "of memory and 0.0 GB are left: close other programs first" in found["large"].reason
    assert found["small"].reason.startswith("memory was short")


def test_an_output_that_differs_is_out_and_says_by_how_much():
    wrong = torch.tensor([1.0, 2.1])
    found = by_name(race({"a": 3.0}, quick=lambda: Runner("quick", 0.1, wrong)))

    assert found["quick"].state == "failed"
    assert "differs from eager by 0.05" in found["quick"].reason
    assert found["a"].state == "best"


def test_a_tolerance_lets_a_small_difference_pass():
    near = torch.tensor([1.0, 2.0001])
    close = candidate("near", lambda: Runner("near", 1.0, near), 1e-3)
    (found,) = fastest([close], REFERENCE, 1.0, lambda rows: None)

    assert found.state == "best"
    assert found.max_difference == pytest.approx(5e-5, rel=0.01)


def test_one_that_cannot_win_is_not_opened_and_says_why():
    def hopeless() -> Runner:
        raise NotTriedError("it cannot win.")

    found = by_name(race({"a": 3.0}, hopeless=hopeless))

    assert (found["hopeless"].state, found["hopeless"].reason) == ("skipped", "it cannot win.")
    assert found["a"].state == "best"


def test_the_next_one_is_who_promises_most_by_then():
    """c stands before b, until a has run."""
    opened: list[str] = []

    def opens(name: str) -> Callable[[], Runner]:
        return lambda: opened.append(name) or Runner(name, 1.0)  # type: ignore[func-returns-value]

    after = {"b": 2.0, "c": 1.0}
    field = [
        candidate("a", opens("a")),
        candidate("c", opens("c"), promise=lambda: 3.0 if "a" in opened else after["c"]),
        candidate("b", opens("b"), promise=lambda: after["b"]),
    ]
    fastest(field, REFERENCE, 600.0, lambda rows: None)

    assert opened == ["a", "b", "c"]


def test_what_a_candidate_took_is_told_before_the_next_one_promises():
    told: list[dict[str, float | None]] = []
    known: list[float | None] = []

    def promise() -> float:
        known.append(told[-1]["a"])
        return 1.0

    field = [
        candidate("a", lambda: Runner("a", 1.0)),
        candidate("b", lambda: Runner("b", 1.0), promise=promise),
    ]
    fastest(field, REFERENCE, 600.0, lambda rows: told.append({r.label: r.ratio for r in rows}))

    assert known[-1] == 1.0


def test_a_candidate_takes_the_name_it_is_opened_under():
    entrant = Entrant("eager, heft", Runner("x", 1.0), 0.0, 1.2)
    (found,) = fastest([Candidate("eager", lambda _: entrant)], REFERENCE, 1.0, lambda rows: None)

    assert (found.label, found.predicted_ms) == ("eager, heft", 1.2)


def test_ratios_told_on_the_way_are_against_the_leader_of_that_moment():
    told: list[dict[str, float | None]] = []
    times = {"a": 8.0, "b": 4.0, "c": 2.0, "d": 3.0}
    field = [candidate(n, lambda n=n, ms=ms: Runner(n, ms)) for n, ms in times.items()]
    measuring: list[list[str]] = []

    def tell(rows: list[Standing]) -> None:
        told.append({r.label: r.ratio for r in rows})
        measuring.append([r.label for r in rows if r.state == "measuring"])

    fastest(field, REFERENCE, 600.0, tell)

    opening_d = told[measuring.index(["d"])]
    assert opening_d == {"c": 1.0, "b": pytest.approx(2), "a": pytest.approx(4), "d": None}


def test_who_is_far_behind_gets_fewer_first_rounds():
    found = by_name(race({"a": 1.0, "near": 1.5, "far": 3.0}))

    assert (found["near"].rounds, found["far"].rounds) == (tune.FIRST_ROUNDS, tune.ENOUGH_ROUNDS)


@pytest.mark.parametrize("inferences", [(1, 1), (5, 5), (13, 9)], ids=str)
def test_if_all_die_the_error_says_why(inferences: tuple[int, int]):
    """While they warm up, in their first rounds, or both in one round of the final."""
    both = {
        name: lambda name=name, last=last: Runner(name, 60.0, dies_at=last)
        for name, last in zip("ab", inferences, strict=True)
    }
    with pytest.raises(RamielError, match=r"no configuration could run: .*SIGKILL"):
        race({}, **both)


@pytest.mark.parametrize("dies_at", [1, 3, 5, 9])
def test_one_that_dies_is_out_at_whatever_time(dies_at: int):
    found = by_name(race({"a": 61.0}, mortal=lambda: Runner("mortal", 60.0, dies_at=dies_at)))

    assert found["mortal"].state == "failed"
    assert "SIGKILL" in found["mortal"].reason
    assert found["a"].state == "best"


def test_one_that_cannot_be_built_is_out():
    def broken() -> Runner:
        raise RamielError("the kernel family openvino needs the package.")

    found = by_name(race({"a": 3.0}, broken=broken))

    assert found["broken"].state == "failed"
    assert found["broken"].reason == "the kernel family openvino needs the package."


def test_if_nothing_runs_the_error_says_why():
    def broken() -> Runner:
        raise RamielError("no memory.")

    with pytest.raises(RamielError, match=r"no configuration could run: no memory\."):
        race({}, a=broken, b=broken)


def test_a_spent_budget_still_names_a_winner():
    found = race({"a": 3.0, "b": 2.0}, budget_s=1e-9)

    assert found[0].label == "b"
    assert found[0].rounds > 0
