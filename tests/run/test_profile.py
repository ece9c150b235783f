"""What a host's workers cost, as it is measured in them."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace

import pytest

from ramiel_core.ir import Program
from ramiel_core.run import profile
from tests.run import fresh, inside

SWITCH_MS, WIDE_MS, BUSY_MS = 3.0, 2.0, 1.0


class Clocked:
    """In place of a team: what its first worker would take if each statement took a set time.

    Raising the thread count takes `SWITCH_MS`, a wide operator `WIDE_MS`; every fourth inference
    is disturbed.
    """

    def __init__(self, program: Program) -> None:
        self.spent_ms = 0.0
        self.disturbed_ms = (0.0 if n % 4 else 50.0 for n in count(1))
        self.clusters: dict[str, object] = {}
        exec(program.source, self.clusters)
        self.clusters["torch"] = SimpleNamespace(set_num_threads=self.set_threads)

    def set_threads(self, threads: int) -> None:
        self.spend(SWITCH_MS * (threads > 1))

    def spend(self, ms: float) -> None:
        self.spent_ms += ms

    def run(self) -> float:
        self.spent_ms = next(self.disturbed_ms)
        weights = {
            "value": None,
            "busy": lambda: self.spend(BUSY_MS),
            "wide": SimpleNamespace(sqrt_=lambda: self.spend(WIDE_MS)),
        }
        self.clusters["cluster_0"](weights, lambda _: None, lambda *_: None, None)  # type: ignore[operator]
        return self.spent_ms


def test_switching_costs_what_changing_the_thread_count_takes_and_not_what_operators_do(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(profile, "Team", lambda program, *_, **__: nullcontext(Clocked(program)))

    assert profile.switch_cost(2, 2) == 0.0
    assert profile.switch_cost(1, 2) == pytest.approx(SWITCH_MS)


def test_what_switching_costs_is_measured_in_workers_that_switch():
    assert fresh.call(inside.thread_counts_set_by_measuring_switches, 1, 2) == [1, 2]


@pytest.mark.parametrize(("took_s", "times"), [(0.01, 3), (0.7, 2), (5.0, 1)])
def test_what_takes_long_is_warm_sooner(took_s: float, times: int, monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr(profile, "time", SimpleNamespace(monotonic=lambda: sum(clock)))

    profile.warm_up(lambda: clock.append(took_s))

    assert len(clock) - 1 == times
