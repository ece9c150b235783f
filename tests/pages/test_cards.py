from __future__ import annotations

import doctest

from pages.common import cards, table


def test_the_examples_of_numbers_and_units_hold():
    assert doctest.testmod(cards).failed == 0


def test_a_table_writes_numbers_with_their_units_and_names_as_text():
    column = table.Column("Speedup", "Over one worker.", ".2f", "×")

    assert column.cell(1.5) == "1.50×"
    assert column.cell(None) == "–"
    assert table.Column("Name").cell("<b>") == "<b>"  # escaped where it becomes HTML
