"""Each way in which a file can be bad is one sentence in the shell, soon and in little memory."""

from __future__ import annotations

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


ALONE = """
import re, sys
from ramiel_core.__main__ import main
code = main(["analyze", sys.argv[1]])
print(code, re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.parametrize("kind", ["many large constants", "huge resize"])
def test_what_computes_much_stays_within_a_gigabyte_with_all_of_the_process(kind: str, tmp_path):
    """Not by `ru_maxrss`, which a child begins with its parent's."""
    make, said = BAD[kind]
    path = tmp_path / "bad.onnx"
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", ALONE, path], capture_output=True, text=True, check=True
    )

    code, most_kb = map(int, done.stdout.split())
    assert code == 2
    assert said in done.stderr
    assert most_kb * 1024 < MOST_BYTES
