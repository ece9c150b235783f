"""Each way in which a file can be bad is one sentence in the shell, soon and in little memory."""

from __future__ import annotations

import resource
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
