"""How numbers are written wherever a person reads them: pages, sentences, tables of a shell."""

from __future__ import annotations


def times(ratio: float) -> str:
    """How many times as fast or as much.

    >>> times(1.2537), times(12.0)
    ('1.25×', '12.00×')
    """
    return f"{ratio:.2f}×"


def plural(number: int, noun: str) -> str:
    """Join a number and its noun.

    >>> plural(1, "worker"), plural(4, "worker")
    ('1 worker', '4 workers')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
