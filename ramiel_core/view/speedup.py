"""Reports and runs -> figures of what was gained, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import plotly.graph_objects as go

from ramiel_core.ir import Report, Run
from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet
from ramiel_core.words import times


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
            text=[times(height) for height in heights],
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
        annotation_text=f"bound {of_what} = {times(report.bound)}",
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
    "clusters": palette.BARS["dispatch"],
    "eager": palette.MUTED,
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
