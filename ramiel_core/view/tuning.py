"""A tuner's standings -> figures: prediction against measurement, and what each choice bought."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from ramiel_core.view import palette
from ramiel_core.view.figures import plain, quiet

NEAR = 0.1  # predictions this near to the measurement, as a share, lie inside the dotted lines
MARGIN = 1.12
LINE = 14  # characters of a choice's name
FAMILIES = {
    "eager": (palette.MUTED, "circle"),
    "fused": (palette.ACCENT, "diamond"),
}


def predicted_against_measured(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Each configuration that was predicted and timed as a point; on the line both are equal.

    Parameters
    ----------
    rows : sequence of mapping
        Standings with `label`, `predicted_ms`, `median_ms` and `configuration`. Those without
        either time are left out: kernel libraries are not predicted.
    """
    known = [r for r in rows if r["predicted_ms"] is not None and r["median_ms"] is not None]
    figure = go.Figure()
    times = [time for r in known for time in (r["predicted_ms"], r["median_ms"])]
    low, high = (min(times) / MARGIN, max(times) * MARGIN) if times else (1.0, 10.0)
    for share, dash in ((0.0, "solid"), (NEAR, "dot"), (-NEAR, "dot")):
        figure.add_trace(
            go.Scatter(
                x=[low, high],
                y=[low * (1 + share), high * (1 + share)],
                mode="lines",
                line={"color": palette.MUTED, "width": 1, "dash": dash},
                showlegend=False,
                hoverinfo="skip",
            )
        )
    for kernels in dict.fromkeys(r["configuration"]["kernels"] for r in known):
        colour, symbol = FAMILIES.get(kernels, (palette.BARS["copy"], "square"))
        own = [r for r in known if r["configuration"]["kernels"] == kernels]
        figure.add_trace(
            go.Scatter(
                x=[r["predicted_ms"] for r in own],
                y=[r["median_ms"] for r in own],
                name=plain(kernels),
                mode="markers",
                marker={"color": colour, "size": 11, "symbol": symbol, "opacity": 0.9},
                customdata=[
                    (plain(r["label"]), 100 * (r["median_ms"] / r["predicted_ms"] - 1)) for r in own
                ],
                hovertemplate=(
                    "<b>%{customdata[0]}</b><br>predicted %{x:.2f} ms, measured %{y:.2f} ms"
                    "<br>%{customdata[1]:+.0f} %<extra></extra>"
                ),
            )
        )
    ticks = _ticks(low, high)
    axis = {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    figure.update_xaxes(title_text="predicted, ms", **axis)
    figure.update_yaxes(title_text="measured median, ms", **axis)
    return quiet(figure, 400)


def waterfall(steps: Sequence[Mapping[str, Any]]) -> go.Figure:
    """What each choice took away from the time of one inference, from the first to the fastest.

    Parameters
    ----------
    steps : sequence of mapping
        `choice`, `label` and `ms`, as `report.tuned.gains` makes them; the last is the winner.
    """
    times = [step["ms"] for step in steps]
    changes = [after - before for before, after in itertools.pairwise(times)]
    texts = [_ms(times[0]), *(f"{_ms(c, sign=True)}" for c in changes), _ms(times[-1])]
    hovers = [
        f"<b>{plain(step['choice'])}</b><br>{plain(step['label'])}: {_ms(step['ms'])}"
        for step in steps
    ]
    names = [*(plain(step["choice"]) for step in steps), "fastest"]
    figure = go.Figure(
        go.Waterfall(
            x=names,
            y=[times[0], *changes, 0],
            measure=["absolute", *["relative"] * len(changes), "total"],
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertext=[*hovers, f"<b>fastest</b><br>{plain(steps[-1]['label'])}: {_ms(times[-1])}"],
            hoverinfo="text",
            connector={"line": {"color": palette.MUTED, "width": 1, "dash": "dot"}},
            totals={"marker": {"color": palette.ACCENT}},
            decreasing={"marker": {"color": GAIN}},
            increasing={"marker": {"color": palette.BARS["copy"]}},
        )
    )
    figure.update_yaxes(title_text="one inference, ms", range=[0, max(times) * MARGIN])
    broken = ["<br>".join(textwrap.wrap(name, LINE)) for name in names]  # rather than tilted
    figure.update_xaxes(showgrid=False, tickangle=0, tickvals=names, ticktext=broken)
    return quiet(figure, 400).update_layout(showlegend=False)


GAIN = "#2aa876"  # as the good notes of the pages


def _ms(value: float, *, sign: bool = False) -> str:
    return f"{value:+.1f} ms" if sign else f"{value:.1f} ms"


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade between two times: plotly's own leave a short axis bare."""
    decades = (10.0**power for power in range(-4, 7))
    return [m * d for d in decades for m in (1, 2, 5) if low <= m * d <= high]
