"""From timed runs to numbers and a sentence: what each case says, and that nothing is lost."""

import json
from dataclasses import replace

import pytest

from ramiel_core import pipeline
from ramiel_core.ir import Graph, Job, Report, Run
from ramiel_core.report.summarize import record, report_from, summarize
from ramiel_core.report.verdict import expectation, verdict

HOST = {"cores": 2, "load_1min": 0.5}
FORK = Graph.parse("a:1 b:5<a c:4<a d:1<b,c")  # T1 = 11, T-infinity = 7
CHAIN = Graph.parse("a:1 b:5<a c:4<b")
UNEVEN = Graph.parse("a:1 b:99<a c:0.2<a d:1<b,c")  # branches, but 99 % lies on one path


def report_of(
    graph: Graph = FORK,
    workers: int | None = 2,
    host: dict = HOST,
    equal: bool = True,
    tuned: bool = False,
    **times_ms: tuple[float, ...],
) -> Report:
    """A report of runs with these times; `sequential=(11.0,), parallel=(7.0,)` for example."""
    plan = pipeline.plan_of(graph, workers)
    counts = {"parallel": (plan.workers, 1), "threads": (1, 2)}
    runs = [
        Run(label, *counts.get(label, (1, 1)), times, equal, 0.0)
        for label, times in times_ms.items()
    ]
    predicted = pipeline.timeline_of(graph, plan)
    job = Job("toy", workers=workers, tuned=tuned)
    return summarize(graph, plan, job, runs=runs, timelines=(predicted, predicted), host=host)


def test_the_numbers_are_medians_and_their_ratio():
    report = report_of(sequential=(10.0, 11.0, 90.0), parallel=(5.0, 5.5, 80.0))

    assert (report.sequential_ms, report.parallel_ms, report.speedup) == (11.0, 5.5, 2.0)
    assert report.bound == pytest.approx(11 / 7)


@pytest.mark.parametrize(
    ("graph", "times_ms", "said"),
    [
        (FORK, {"sequential": (11.0,), "parallel": (7.0,)}, "2 workers run"),
        (FORK, {"sequential": (7.0,), "parallel": (11.0,)}, "Parallel is slower"),
        (FORK, {"sequential": (7.0,), "parallel": (7.0,)}, "no difference beyond noise"),
        (FORK, {"sequential": (5.0, 7.0, 9.0), "parallel": (9.0, 7.0, 5.0)}, "Too noisy to tell"),
        (CHAIN, {"sequential": (7.0,), "parallel": (7.0,)}, "3 operators form one chain"),
        (UNEVEN, {"sequential": (7.0,), "parallel": (7.0,)}, "of the work lies on one path"),
    ],
    ids=["faster", "slower", "equal", "noisy", "one chain", "one path"],
)
def test_the_verdict_says_whether_parallel_pays_and_why(graph: Graph, times_ms: dict, said: str):
    assert said in report_of(graph, **times_ms).verdict


@pytest.mark.parametrize(
    ("times_ms", "said"),
    [
        ({"sequential": 11.0, "parallel": 7.0, "threads": 9.0}, "Fastest here: 2 workers, 7.0 ms"),
        ({"sequential": 11.0, "parallel": 9.0, "threads": 7.0}, "Fastest here: more threads"),
        ({"sequential": 6.0, "parallel": 9.0, "threads": 7.0}, "Fastest here: one worker, 6.0 ms"),
        ({"sequential": 11.0, "parallel": 7.0, "threads": 7.05}, "by less than noise: 2 workers"),
    ],
)
def test_the_fastest_of_everything_that_was_timed_is_named(times_ms: dict, said: str):
    assert said in report_of(**{label: (ms,) for label, ms in times_ms.items()}).verdict


@pytest.mark.parametrize(
    ("parallel_ms", "threads_ms", "said"),
    [(7.0, 9.0, True), (9.0, 7.0, True), (11.0, 7.0, False), (7.0, 11.0, False)],
)
def test_where_workers_and_threads_both_pay_a_mixture_is_named(
    parallel_ms: float, threads_ms: float, said: bool
):
    report = report_of(sequential=(11.0,), parallel=(parallel_ms,), threads=(threads_ms,))

    assert ("the planner moldable mixes them" in report.verdict) == said
    assert "moldable" not in report_of(sequential=(11.0,), parallel=(7.0,)).verdict
    asked_for = replace(report.job, planner="moldable")
    assert "mixes them" not in verdict(replace(report, job=asked_for))


def test_what_a_tuner_chose_is_compared_with_eager_kernels_on_one_thread():
    """Of one worker, it has nobody else to be compared with."""
    times_ms = {"sequential": (5.0,), "parallel": (5.0,)}
    said = report_of(workers=1, tuned=True, eager=(20.0,), **times_ms).verdict

    assert "takes 5.0 ms, 4.00× as fast as eager kernels on one thread." in said
    assert "One worker of that kind was faster than all plans of several" in said
    assert "Fastest here: one worker, 5.0 ms; 20.0 ms with eager kernels on one thread." in said
    assert "One worker was asked for" in report_of(workers=1, **times_ms).verdict


def test_a_crowded_or_busy_host_is_given_as_the_reason():
    slow = {"sequential": (7.0,), "parallel": (11.0,)}

    assert "take turns" in report_of(host={"cores": 1, "load_1min": 0.1}, **slow).verdict
    assert "The host was busy" in report_of(host={"cores": 2, "load_1min": 5.0}, **slow).verdict


def test_one_unequal_run_makes_the_report_unequal():
    report = report_of(equal=False, sequential=(7.0,), parallel=(7.0,))

    assert not report.equal
    assert record(report)["equal"] is False


def test_a_record_goes_through_json_and_back_without_a_loss():
    report = report_of(sequential=(11.0, 12.0), parallel=(7.0, 8.0), threads=(9.0, 9.0))
    written = json.loads(json.dumps(record(report)))

    assert report_from(written) == report
    assert json.loads(json.dumps(record(report_from(written)))) == written


def test_a_record_has_the_published_keys():
    published = {
        "model", "workers", "threads", "sequential_ms", "parallel_ms", "speedup", "speedup_ci",
        "predicted_ms", "bound", "equal", "verdict", "host",
    }  # fmt: skip

    assert published <= record(report_of(sequential=(11.0,), parallel=(7.0,))).keys()


def test_the_outlook_tells_chains_from_branches():
    plans = {g: pipeline.plan_of(g, 2) for g in (FORK, CHAIN, UNEVEN)}
    told = {g: expectation(replace(g, model="toy"), plan, 2) for g, plan in plans.items()}

    assert "one chain of 3 operators" in told[CHAIN]
    assert "nearly all of its time lies on one path" in told[UNEVEN]
    assert "64% of the work lies on the critical path" in told[FORK]
    assert "only one core" in expectation(FORK, plans[FORK], 1)


def test_parts_of_operators_may_pass_the_bound_which_is_told_as_that_of_whole_ones():
    report = report_of(sequential=(11.0, 11.1), parallel=(5.0, 5.1))
    parts = verdict(replace(report, split={"b": 2}))

    assert report.verdict.startswith("2 workers run  2.19×")
    assert "139% of the most that is possible (1.57×)" in report.verdict
    assert "possible" not in parts
    assert (
        "as fast as one, with 1 slow pooling cut into parts among them; whole operators could "
        "gain 1.57× at most." in parts
    )
    assert "would be possible with whole operators." in verdict(
        replace(report, split={"b": 2}, speedup=1.0, speedup_ci=(0.99, 1.01))
    )


def test_the_outlook_tells_what_parts_bring():
    plan = replace(pipeline.plan_of(FORK, 2), makespan_ms=5.5)
    nodes = (replace(n, part_of="a" if n.name in "bc" else "") for n in FORK.nodes)
    said = expectation(replace(FORK, nodes=tuple(nodes), model="toy"), plan, 2)

    assert "Expect about 2.00× from 2 workers, with 1 slow pooling cut into parts" in said
    assert "whole operators could gain 1.57× at most, since 64% of the work" in said


def wide(workers: int, *names: str) -> Report:
    """A moldable plan of `FORK` on two cores, with these operators wide."""
    plan = replace(pipeline.plan_of(FORK, workers), planner="moldable", wide=names, wide_threads=2)
    runs = [
        Run("sequential", 1, 1, (11.0, 11.1), equal=True, max_difference=0.0, tolerance=1e-4),
        Run(
            "parallel", plan.workers, 1, (6.0, 6.1), equal=True, max_difference=1e-7, tolerance=1e-4
        ),
    ]
    predicted = pipeline.timeline_of(FORK, plan)
    job = Job("toy", kernels="fused", planner="moldable", workers=2)
    return summarize(FORK, plan, job, runs=runs, timelines=(predicted, predicted), host=HOST)


def test_operators_with_all_threads_may_pass_the_critical_path_and_are_bound_by_the_cores():
    report = wide(2, "a", "d")

    assert report.bound == 2.0
    assert "with fused kernels 1.83×" in report.verdict
    assert "91% of the most that is possible (2.00×)" in report.verdict


def test_a_moldable_plan_without_clusters_side_by_side_is_not_called_sequential():
    report = wide(1, "a", "b", "c", "d")
    said = report.verdict
    threads = Run("threads", 1, 2, (6.2, 6.3), equal=True, max_difference=0.0)

    assert "very same" not in said
    assert "“threads” runs the very same" in verdict(replace(report, runs=(*report.runs, threads)))
    assert said.startswith("No clusters side by side beat threads alone on")
    assert "every operator runs alone with 2 threads, 1.83×" in said


def test_a_mixture_on_one_worker_is_neither_all_wide_nor_what_threads_alone_run():
    report = wide(1, "a", "d")
    threads = Run("threads", 1, 2, (6.2, 6.3), equal=True, max_difference=0.0)
    said = verdict(replace(report, runs=(*report.runs, threads)))

    assert "2 operators run alone with 2 threads" in said
    assert "very same" not in said
    assert "Fastest here, by less than noise" not in said
    assert "Fastest here: one worker by this plan, 6.0 ms; 6.2 ms with more threads" in said


@pytest.mark.parametrize(
    ("workers", "names", "chosen"), [(2, "ad", True), (2, "", False), (1, "abcd", False)]
)
def test_an_end_of_the_mixture_that_a_tuner_chose_is_not_called_its_choice(
    workers: int, names: str, chosen: bool
):
    """A benchmark races the mixture with both of its ends, and may take one of these."""
    found = wide(workers, *names)
    eager = Run("eager", 1, 1, (20.0,), equal=True, max_difference=0.0)
    job = replace(found.job, tuned=True)
    said = verdict(replace(found, job=job, runs=(*found.runs, eager)))

    assert ("What the tuner chose" in said) == chosen
