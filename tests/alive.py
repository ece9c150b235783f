"""Which of some processes live on, once a busy host had time to end them."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

LIMIT_S = 30.0
LOOK_S = 0.02


def still_alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended within `LIMIT_S`; a zombie has, whoever is to reap it."""
    ends = time.monotonic() + LIMIT_S
    known = list(processes)
    while (left := [p for p in known if _lives(p)]) and time.monotonic() < ends:
        time.sleep(LOOK_S)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two
        return False
