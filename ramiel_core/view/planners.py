"""Plans of one graph by several planners -> a figure that compares them."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from ramiel_core.ir import Plan
from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet


def compared(plans: Mapping[str, Plan], bound_ms: float, unit: str) -> go.Figure:
    """Predicted makespan by planner, against the bound that none can beat.

    Parameters
    ----------
    plans : mapping
        By the planner's name, in the order to show. The shortest of them are coloured.
    bound_ms : float
        max(T1 / workers, T∞).
    unit : str
        "ms", or "units" under equal costs.
    """
    times = [plan.makespan_ms for plan in plans.values()]
    best_ms = min(times)
    colours = [palette.ACCENT if ms <= best_ms * (1 + SAME) else palette.MUTED for ms in times]
    figure = go.Figure(
        go.Bar(
            x=times,
            y=[plain(name) for name in plans],
            orientation="h",
            text=[f"{ms:.4g} {unit}" for ms in times],
            textposition="inside",
            insidetextanchor="start",
            textfont={"color": [palette.text_on(colour) for colour in colours]},
            marker={"color": colours},
            customdata=[
                (plan.workers, plan.t1_ms / plan.makespan_ms if plan.makespan_ms else 1.0)
                for plan in plans.values()
            ],
            hovertemplate=(
                f"<b>%{{y}}</b> %{{x:.5g}} {unit}<br>%{{customdata[0]}} worker(s), "
                "%{customdata[1]:.2f}× over sequential<extra></extra>"
            ),
        )
    )
    figure.add_vline(
        x=bound_ms,
        line={"color": palette.CRITICAL, "dash": "dash", "width": 1.5},
    )
    figure.add_annotation(
        x=bound_ms,
        y=1.0,
        yref="paper",
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        text=f"bound max(T1/P, T∞) = {bound_ms:.4g} {unit}",
    )
    figure.update_xaxes(title_text=f"predicted makespan, {unit}", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")  # in the order given, from above
    return quiet(figure, 110 + 36 * len(plans)).update_layout(showlegend=False)


SAME = 1e-3  # plans this near to each other are equally good: no host could tell them apart
