"""Each way in which a file can be bad is one sentence in the shell, soon and in little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import pytest

from ramiel_core.__main__ import main
from tests.onnx_files import BAD

MOST_S, MOST_BYTES = 10, 2**30


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_sentence_and_exit_code_2(kind: str, tmp_path, capsys):
    make, said = BAD[kind]
    path = tmp_path / "bad.onnx"
    path.write_bytes(make())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()

    code = main(["analyze", str(path)])

    error = capsys.readouterr().err
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert (code, error.count("\n")) == (2, 1), error
    assert said in error
    assert "Traceback" not in error
    assert time.process_time() - start < MOST_S  # of this process: neighbours do not count
    assert grown < MOST_BYTES


@pytest.mark.parametrize("kind", ["many large constants", "huge resize"])
def test_what_computes_much_stays_within_a_gigabyte_with_all_of_the_process(kind: str, tmp_path):
    make, said = BAD[kind]
    path = tmp_path / "bad.onnx"
    path.write_bytes(make())
    command = [sys.executable, "-m", "ramiel_core", "analyze", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        error = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)

    assert (process.returncode, said in error) == (2, True), error
    assert used.ru_maxrss * 1024 < MOST_BYTES
