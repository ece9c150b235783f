"""Files that several processes write, and read meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ramiel_core.cache import write_whole

LETTERS, LENGTH, ROUNDS = "abcd", 200_000, 50


def test_writers_at_once_leave_one_of_their_files_and_readers_see_whole_ones(tmp_path: Path):
    path = tmp_path / "found.json"
    whole = {letter * LENGTH for letter in LETTERS}
    write_whole(path, "a" * LENGTH)

    def write(letter: str) -> bool:
        seen = set()
        for _ in range(ROUNDS):
            write_whole(path, letter * LENGTH)
            seen.add(path.read_text())
        return seen <= whole

    with ThreadPoolExecutor(len(LETTERS)) as writers:
        assert all(writers.map(write, LETTERS))
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "found.json"
    write_whole(path, b"old")

    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
