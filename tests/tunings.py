"""A tuner's record as it comes from a host of two cores, for whatever shows one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ramiel_core.ir import Configuration
from ramiel_core.report.tuned import gains

HOST = {
    "host": "vm",
    "processor": "A Processor @ 2.50GHz",
    "cores": 2,
    "load_1min": 0.4,
    "kernel": "6.1",
    "platform": "linux",
    "python": "3.11.7",
    "torch": "2.15.0",
    "torchvision": "0.29.2",
    "numpy": "2.4.6",
}


def standing(
    configuration: Configuration,
    median_ms: float | None = None,
    predicted_ms: float | None = None,
    state: str = "slower",
    **more: Any,
) -> dict[str, Any]:
    """One row; its ratio is over 18 ms, the fastest of `ROWS`."""
    ratio = None if median_ms is None else median_ms / 18.0
    return {
        "label": str(configuration),
        "predicted_ms": predicted_ms,
        "median_ms": median_ms,
        "ratio": ratio,
        "ratio_ci": None if ratio is None else [ratio * 0.97, ratio * 1.03],
        "rounds": 0 if median_ms is None else 12,
        "state": state,
        "max_difference": 0.0 if median_ms is None else 2e-7,
        "memory_bytes": 0 if median_ms is None else 210_000_000,
        "reason": "",
        "against": "fused, moldable, 2 workers × 1 thread",
        "configuration": asdict(configuration),
        **more,
    }


ROWS = (
    standing(
        Configuration("fused", "moldable", workers=2), 18.0, 17.6, "best", ratio_ci=[1.0, 1.0]
    ),
    standing(Configuration("openvino", threads=2), 18.2, None, "finalist"),
    standing(Configuration("fused", threads=2), 19.8, 20.4, "finalist"),
    standing(Configuration("fused", "ramiel", "threads", 2), 23.4, 22.9),
    standing(Configuration("fused"), 33.0, 32.6),
    standing(Configuration("eager", threads=2), 47.0, 46.0),
    standing(Configuration("eager", workers=2), 52.0, 50.5, max_difference=0.0),
    standing(Configuration("eager"), 70.0, 70.4, max_difference=0.0),
    standing(
        Configuration("onnxruntime", workers=2), reason="no such <b>operator</b>.", state="failed"
    ),
)


def tuning(*rows: dict[str, Any], model: str = "googlenet") -> dict[str, Any]:
    """The record of a tuner that found these rows, the winner first."""
    found = list(rows or ROWS)
    return {
        "model": model,
        "winner": found[0]["configuration"],
        "standings": found,
        "steps": gains(found),
        "budget_s": 60.0,
        "host": HOST,
    }
