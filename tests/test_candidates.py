"""Which configurations a tuner tries: a workshop that builds nothing, runners of set times."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ramiel_core import candidates
from ramiel_core.errors import RamielError
from ramiel_core.graph.costs import reweigh
from ramiel_core.ir import Configuration, Graph
from ramiel_core.plan.planner import sequential_plan
from ramiel_core.run import host, tune
from ramiel_core.workshop import Built

OUTPUT = torch.tensor([1.0])
FORK = Graph.parse("a:1 b:5<a c:5<a d:1<b,c")  # two workers take 7 of 12


class Workshop:
    """Of a model whose families take so long on one thread; two are twice as fast."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **alone_ms: float):
        monkeypatch.setattr(host, "cores", lambda: [0, 1])
        monkeypatch.setattr(tune, "GAP_S", 0)
        self.alone_ms = alone_ms
        self.parcel: Any = SimpleNamespace(graph=FORK, reference=OUTPUT)
        self.built: list[str] = []
        self.measured: set[str] = set()
        self.ran: list[str] = []
        self.bytes = 0  # that each worker holds
        self.measures: dict[str, int] = {}

    def weighed(self, kernels: str, threads: int) -> Graph:
        self.measured.add(f"{kernels} {threads}")
        scale = self.alone_ms[kernels] / FORK.t1_ms / threads
        return reweigh(FORK, {node.name: node.cost_ms * scale for node in FORK.nodes})

    def build(self, c: Configuration) -> Built:
        self.built.append(str(c))
        graph = self.weighed(c.kernels, c.threads) if c.workers > 1 else FORK
        plan = sequential_plan(graph)
        if c.workers > 1:
            plan = replace(plan, clusters=(("a", "b", "d"), ("c",)), makespan_ms=self._plan_ms(c))
        program: Any = None
        return Built(c, graph, plan, program, {})

    def _plan_ms(self, c: Configuration) -> float:
        """One planner is better than the other."""
        return self.alone_ms[c.kernels] * (7 if c.planner == "heft" else 8) / 12

    build_if_sensible = build

    def measuring(self, c: Configuration) -> int:
        return self.measures.get(str(c), 0)

    def team(self, built: Built) -> Any:
        c = built.configuration
        self.ran.append(str(c))
        ms = self._plan_ms(c) if c.workers > 1 else self.alone_ms[c.kernels] / c.threads
        nothing = {
            "memory_bytes": lambda: candidates._processes(c) * self.bytes,
            "close": lambda: None,
        }
        return SimpleNamespace(run=lambda: ms, output=lambda: OUTPUT, **nothing)


def told(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["label"]: row["reason"] for row in rows}


def raced(workshop: Any, budget_s: float = 600.0) -> list[dict[str, Any]]:
    return candidates.race(workshop, budget_s, lambda *_, **__: None, tuple(workshop.alone_ms))


def test_a_family_that_takes_too_long_to_compile_is_told_and_not_tried(monkeypatch):
    workshop = Workshop(monkeypatch, eager=100.0, inductor=40.0)
    reasons = told(raced(workshop, budget_s=3.0))

    assert reasons["inductor, 2 threads"] == (
        "compiling 4 operators takes some 2 s; a budget of 3 s would try it."
    )
    assert [label for label in reasons if "inductor" in label] == ["inductor, 2 threads"]
    assert not [built for built in workshop.built if "inductor" in built]


def test_plans_of_a_family_that_cannot_win_are_neither_built_nor_measured(monkeypatch):
    """Half of eager's 100 ms is more than OpenVINO's 20 on two threads."""
    workshop = Workshop(monkeypatch, eager=100.0, openvino=40.0)
    reasons = told(raced(workshop))

    assert reasons["eager, ramiel, 2 workers × 1 thread"] == candidates.CANNOT_WIN
    assert reasons["eager, 1 thread"] == ""
    eager_plans = [b for b in workshop.ran if b.startswith("eager") and "workers" in b]
    assert eager_plans == []


def test_of_several_planners_the_one_of_the_best_prediction_runs(monkeypatch):
    workshop = Workshop(monkeypatch, eager=24.0)
    labels = list(told(raced(workshop)))

    assert "eager, heft, 2 workers × 1 thread" in labels
    assert "eager, ramiel, 2 workers × 1 thread" not in labels


def test_a_slow_plan_is_not_run(monkeypatch):
    """Predicted at 7 / 12 of one worker, where two threads take half: within a quarter of it."""
    workshop = Workshop(monkeypatch, eager=24.0)
    assert told(raced(workshop))["eager, heft, 2 workers × 1 thread"] == ""

    workshop = Workshop(monkeypatch, eager=24.0)
    monkeypatch.setattr(workshop, "_plan_ms", lambda c: 24.0 * 11 / 12)
    assert candidates.SLOW_PLAN in told(raced(workshop)).values()
    assert not any("workers" in label for label in workshop.ran)


def test_a_spent_budget_tries_every_family_alone_and_the_most_promising_plan(monkeypatch):
    workshop = Workshop(monkeypatch, eager=44.0, fused=24.0)
    reasons = told(raced(workshop, 1e-9))

    alone = {str(Configuration(k, threads=t)) for k in ("eager", "fused") for t in (1, 2)}
    assert alone <= set(workshop.ran)
    assert len(set(workshop.ran) - alone) == 1
    (plan,) = set(workshop.ran) - alone
    assert plan.startswith("fused")
    assert candidates.NO_TIME in reasons.values()


def test_what_cannot_be_planned_says_so(monkeypatch):
    workshop = Workshop(monkeypatch, eager=24.0)
    monkeypatch.setattr(workshop, "build_if_sensible", lambda c: None)

    assert candidates.NO_PLAN in told(raced(workshop)).values()


def test_a_candidate_is_opened_where_memory_is_left_for_all_that_run_at_once(monkeypatch):
    """Those that are measured first as well as its own; each holds 100 bytes."""
    monkeypatch.setattr(host, "memory_left", lambda: 250)
    workshop = Workshop(monkeypatch, eager=24.0, fused=20.0)
    workshop.bytes = 100
    workshop.measures = {"fused, 1 thread": 3}
    reasons = told(raced(workshop))

    short = {label for label, reason in reasons.items() if "close other programs" in reason}
    assert short == {"fused, 1 thread"}
    assert any("2 workers" in label for label in workshop.ran)

    monkeypatch.setattr(host, "memory_left", lambda: 150)
    workshop = Workshop(monkeypatch, eager=24.0, fused=20.0)
    workshop.bytes = 100
    reasons = told(raced(workshop))
    assert "close other programs" in reasons["fused, ramiel, 2 workers × 1 thread"]
    assert reasons["eager, ramiel, 2 workers × 1 thread"] == candidates.CANNOT_WIN  # asked first


def test_a_family_that_fails_alone_fails_with_its_reason(monkeypatch):
    workshop = Workshop(monkeypatch, eager=24.0, openvino=10.0)
    build = workshop.build

    def refuse(c: Configuration) -> Built:
        if c.kernels == "openvino":
            raise RamielError("the kernel family openvino needs the package.")
        return build(c)

    monkeypatch.setattr(workshop, "build", refuse)
    monkeypatch.setattr(workshop, "build_if_sensible", refuse)
    rows = raced(workshop)

    failed = {row["configuration"]["kernels"] for row in rows if row["state"] == "failed"}
    assert failed == {"openvino"}
    assert rows[0]["configuration"]["kernels"] == "eager"


@pytest.mark.parametrize(
    ("threads", "shared"),
    [
        ([1], set()),
        ([1, 2], {(2, 1)}),
        ([1, 2, 4, 6], {(2, 3), (2, 1), (4, 1), (6, 1)}),
        ([1, 2, 4, 8, 16], {(2, 8), (4, 4), (8, 2), (16, 1), (2, 4), (4, 2), (8, 1)}),
    ],
    ids=str,
)
def test_every_split_of_the_cores_and_of_half_of_them_is_a_candidate(
    threads: list[int], shared: set[tuple[int, int]]
):
    splits = {(c.workers, c.threads) for (c, *_) in candidates._side_by_side(threads, ["eager"])}
    assert splits == shared
