"""How planning grows: the table, and the page of it."""

from __future__ import annotations

import re

from benchmarks import planning

SIZES = (1_000, 2_000, 4_000)
RECORDS = [
    {"case": "another"},
    *({"operators": n, "end": "to the fixpoint", "median_s": n / 1000} for n in SIZES),
    *({"operators": n, "end": "to 2 workers", "median_s": (n / 1000) ** 2} for n in SIZES),
]


def test_the_table_ends_with_the_exponents():
    assert planning.table(RECORDS).splitlines() == [
        "| operators | to the fixpoint, s | to 2 workers, s |",
        "| --- | --- | --- |",
        "| 1,000 | 1.00 | 1.00 |",
        "| 2,000 | 2.00 | 4.00 |",
        "| 4,000 | 4.00 | 16.00 |",
        "| growth | n^1.00 | n^2.00 |",
    ]


def test_the_page_has_logarithmic_axes_and_asks_nobody_else(tmp_path):
    page = tmp_path / "growth.html"

    planning.plot(RECORDS, page)

    text = page.read_text()
    assert text.count('"type":"log"') == 2
    assert "to the fixpoint (n^1.00)" in text
    assert "to 2 workers (n^2.00)" in text
    assert not re.findall(r"<(?:script|link)[^>]+(?:src|href)=", text)


def test_every_size_is_planned_to_both_ends(monkeypatch):
    monkeypatch.setattr(planning, "SIZES", (20, 40))
    monkeypatch.setattr(planning, "PLANNERS", {})

    told = [
        (r["operators"], r["end"], work().workers) for r, work in planning.cases() if "end" in r
    ]

    assert [(size, end) for size, end, _ in told] == [
        (size, end) for size in (20, 40) for end in planning.ENDS
    ]
    assert [workers for _, end, workers in told if end == "to 2 workers"] == [2, 2]
