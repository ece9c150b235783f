"""Marks woven into a program's text: they name the right statement and change nothing else."""

from __future__ import annotations

import traceback
from itertools import count

import pytest

from ramiel_core.errors import ProgramError
from ramiel_core.ir import Layout, Program
from ramiel_core.run.weave import (
    Statement,
    result_of,
    statements,
    weave_progress,
    weave_stamps,
)

SOURCE = '''"""A program."""


def cluster_0(w, receive, send, shared):
    """Three statements, and dels that belong to the one before them."""

    # stem
    x = receive("x")
    y = w["double"](
        x
    )
    del x
    send("y", y)  # to the caller
    del y


def result(y):
    """The caller's."""
    return {"y": y}
'''
PROGRAM = Program("small", SOURCE, 1, (), (), Layout.apart(()))
THREE = (Statement("wait", "x"), Statement("compute", "y"), Statement("copy", "y"))


def test_each_statement_is_described_once_and_dels_are_not():
    assert statements(PROGRAM, 0) == THREE


def test_a_progress_mark_names_the_statement_that_is_running():
    at, seen = [-1], []

    def receive(name):
        seen.append((at[0], name))
        return 3

    def send(name, value):
        seen.append((at[0], name, value))

    def double(x):
        seen.append((at[0], "double"))
        return 2 * x

    woven = weave_progress(PROGRAM, 0, at)
    woven.call({"double": double}, receive, send, None)

    assert seen == [(0, "x"), (1, "double"), (2, "y", 6)]
    assert woven.statements == THREE


def test_a_stamp_ends_each_statement_and_holds_its_dels():
    """0 | receive 1 | double, del x 2 | send, del y 3."""
    ticks, stamps, order = count(10), [0] * 4, []

    def clock():
        order.append("stamp")
        return next(ticks)

    class Value:
        def __del__(self):
            order.append("freed")

    woven = weave_stamps(PROGRAM, 0, stamps, clock)
    woven.call({"double": lambda x: 6}, lambda name: Value(), lambda name, value: None, None)

    assert stamps == [10, 11, 12, 13]
    assert order == ["stamp", "stamp", "freed", "stamp", "stamp"]
    assert woven.statements == THREE


def test_the_result_function_is_the_programs_own():
    assert result_of(PROGRAM)(y=1) == {"y": 1}


def test_an_error_shows_the_line_of_the_text_that_is_shown():
    def broken(x):
        raise ValueError("no")

    woven = weave_progress(PROGRAM, 0, [0])
    with pytest.raises(ValueError, match="no") as error:
        woven.call({"double": broken}, lambda name: 3, None, None)
    frames = traceback.extract_tb(error.value.__traceback__)
    own = next(frame for frame in frames if frame.name == "cluster_0")

    assert own.line == 'y = w["double"]('
    assert own.lineno == SOURCE.splitlines().index('    y = w["double"](') + 1


def test_a_program_without_the_function_is_refused():
    with pytest.raises(ProgramError, match="no function cluster_1; emit it from its plan again"):
        weave_progress(PROGRAM, 1, [0])
