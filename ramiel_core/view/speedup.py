"""Reports, runs and merge steps -> figures of what was gained, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ramiel_core.ir import Plan, Report, Run
from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet


def speedup(report: Report) -> go.Figure:
    """Speedup of each configuration over sequential, under the bound of the plan.

    The bound holds for workers that run operators with the threads they were weighed with; more
    threads inside operators may pass it.

    Parameters
    ----------
    report : Report
        Its confidence interval stands on the bar of the parallel run; the other bars are ratios
        of medians.
    """
    labels = [plain(run.label) for run in report.runs]
    colours = [_COLOUR.get(run.label, palette.MUTED) for run in report.runs]
    heights = [_gain(report, run) for run in report.runs]
    low, high = report.speedup_ci
    above = [high - report.speedup if run.label == "parallel" else None for run in report.runs]
    below = [report.speedup - low if run.label == "parallel" else None for run in report.runs]
    of_what = "cores" if report.plan.wide else "min(workers, T1/T∞)"
    figure = go.Figure(
        go.Bar(
            x=labels,
            y=heights,
            width=0.5,
            text=[f"{height:.2f}×" for height in heights],
            textposition="inside",
            insidetextanchor="middle",
            textfont={"color": [palette.text_on(colour) for colour in colours], "size": 15},
            marker={"color": colours},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": above,
                "arrayminus": below,
                "color": palette.MUTED,
            },
            customdata=[
                (median(run.times_ms), run.workers, run.threads, len(run.times_ms))
                for run in report.runs
            ],
            hovertemplate=(
                "<b>%{x}</b> %{y:.3f}×<br>median %{customdata[0]:.3f} ms over %{customdata[3]} runs"
                "<br>%{customdata[1]} worker(s) × %{customdata[2]} thread(s)<extra></extra>"
            ),
        )
    )
    figure.add_hline(
        y=report.bound,
        line={"color": palette.CRITICAL, "dash": "dash", "width": 1.5},
        annotation_text=f"bound {of_what} = {report.bound:.2f}×",
        annotation_position="top left",
    )
    figure.add_hline(y=1.0, line={"color": palette.GRID, "width": 1.5})
    top = max([report.bound, high, *heights]) * 1.15
    figure.update_yaxes(title_text="speedup over sequential, ×", range=[0, top])
    return quiet(figure, 380).update_layout(showlegend=False)


_COLOUR = {
    "sequential": palette.MUTED,
    "parallel": palette.ACCENT,
    "threads": palette.BARS["copy"],
}


def _gain(report: Report, run: Run) -> float:
    """Prefer the report's own ratio: it is paired, and steadier than two medians."""
    if run.label == "parallel":
        return report.speedup
    return report.sequential_ms / median(run.times_ms)


def latencies(runs: Sequence[Run]) -> go.Figure:
    """Every timed inference of each configuration, as a box and its points, in ms."""
    figure = go.Figure()
    for run in runs:
        figure.add_trace(
            go.Box(
                x=run.times_ms,
                name=plain(run.label),
                boxpoints="all",
                jitter=0.5,
                pointpos=0,
                marker={"color": _COLOUR.get(run.label, palette.MUTED), "size": 4, "opacity": 0.55},
                line={"width": 1.5},
                hovertemplate="%{x:.3f} ms<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_xaxes(title_text="latency of one inference, ms")
    figure.update_yaxes(autorange="reversed")  # in the order given, from above
    return quiet(figure, 110 + 80 * max(1, len(runs))).update_layout(showlegend=False)


def merging(plan: Plan, current: int = 0) -> go.Figure:
    """Predicted makespan and cluster count over the steps of merging.

    Parameters
    ----------
    plan : Plan
        With its steps. Step 0 is before the first merge: its cluster count is known, its
        makespan is not part of a plan. Steps of a graph too large to simulate leave a gap.
    current : int
        The step that the page shows, marked in both.
    """
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.09, row_heights=[5, 3])
    numbers = list(range(1, len(plan.steps) + 1))
    makespans = [step.makespan_ms for step in plan.steps]
    counts = [len(plan.linear), *(step.clusters for step in plan.steps)]
    figure.add_trace(
        go.Scatter(
            x=numbers,
            y=makespans,
            name="predicted makespan",
            mode="lines+markers",
            marker={"size": 4},
            line={"color": palette.ACCENT, "width": 2},
            hovertemplate="after step %{x}: %{y:.3f} ms<extra></extra>",
        ),
        row=1,
        col=1,
    )
    figure.add_trace(
        go.Scatter(
            x=[0, *numbers],
            y=counts,
            name="clusters",
            line={"color": palette.MUTED, "width": 2, "shape": "hv"},
            hovertemplate="after step %{x}: %{y} clusters<extra></extra>",
        ),
        row=2,
        col=1,
    )
    _mark_current(figure, current, makespans, counts)
    _bounds(figure, plan)
    figure.update_yaxes(title_text="makespan, ms", row=1, col=1)
    figure.update_yaxes(title_text="clusters", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title_text="merge step", row=2, col=1)
    return quiet(figure, 380).update_layout(showlegend=False)


def _mark_current(
    figure: go.Figure, current: int, makespans: Sequence[float | None], counts: Sequence[int]
) -> None:
    figure.add_vline(x=current, line={"color": palette.CRITICAL, "width": 1.5})
    values = [counts[current : current + 1], makespans[current - 1 : current] if current else []]
    for row, found in zip((2, 1), values, strict=True):
        figure.add_trace(
            go.Scatter(
                x=[current] * len(found),
                y=list(found),
                name="shown step",
                mode="markers",
                marker={"color": palette.CRITICAL, "size": 10},
                hoverinfo="skip",
            ),
            row=row,
            col=1,
        )


def _bounds(figure: go.Figure, plan: Plan) -> None:
    """One worker's time above, the critical path's below."""
    for at, text, where in (
        (plan.t1_ms, f"one worker, T1 = {plan.t1_ms:.3g} ms", "bottom right"),
        (plan.tinf_ms, f"critical path, T∞ = {plan.tinf_ms:.3g} ms", "top right"),
    ):
        figure.add_hline(
            y=at,
            line={"color": palette.MUTED, "dash": "dot", "width": 1},
            annotation_text=text,
            annotation_position=where,
            row=1,
            col=1,
        )
