"""Graphviz in a process of its own, with a time limit.

A Graphviz layout cannot be interrupted inside a process, and some graphs keep it busy for
minutes. So this file has two sides: `render_each` starts ``python -m`` of this very file, which
reads a JSON list of DOT texts on its standard input and writes one of pictures, in base 64, to its
standard output.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ramiel_core.errors import GraphError

Format = Literal["svg", "json0", "png"]


class DotTimeoutError(GraphError):
    """Graphviz did not finish within its time limit."""


def render(dot: str, picture: Format, time_limit_s: float) -> bytes:
    """Lay out DOT text with Graphviz's ``dot``.

    Parameters
    ----------
    dot : str
        A directed graph.
    picture : {"svg", "json0", "png"}
        ``json0`` is the graph with positions in points, without drawing operations.
    time_limit_s : float
        Wall-clock seconds, the start of the process (about 0.2 s) included.

    Returns
    -------
    bytes
        The picture.

    Raises
    ------
    DotTimeoutError
        Past the limit; the process has ended by then.
    GraphError
        Where Graphviz refuses the text.
    """
    (made,) = render_each([dot], picture, time_limit_s)
    return made


def render_each(dots: Sequence[str], picture: Format, time_limit_s: float) -> list[bytes]:
    """Lay out several DOT texts as `render` does one, within one limit for all."""
    command = [sys.executable, "-m", __name__, picture, str(time_limit_s)]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(dots).encode(),
            capture_output=True,
            timeout=time_limit_s,
            cwd=Path(__file__).parents[2],  # where `-m` finds this package, installed or not
            start_new_session=True,  # a Ctrl-C in the shell is for the caller to handle
            check=False,
        )
    except subprocess.TimeoutExpired as cause:
        raise DotTimeoutError(_too_long(time_limit_s)) from cause
    if done.returncode == -signal.SIGALRM:
        raise DotTimeoutError(_too_long(time_limit_s))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise GraphError(
            f"Graphviz stopped with code {done.returncode} and said: {said[-1]}. "
            f"Draw the DOT text with another version of Graphviz, or report this graph."
        )
    return [base64.b64decode(made) for made in json.loads(done.stdout)]


def _too_long(time_limit_s: float) -> str:
    return (
        f"Graphviz took longer than {time_limit_s:g} s on this graph. "
        f"Raise the time limit, or draw fewer edges."
    )


def _main() -> None:
    picture, time_limit_s = sys.argv[1], float(sys.argv[2])
    # The kernel ends this process even inside C code, and even after its caller was killed.
    signal.setitimer(signal.ITIMER_REAL, max(time_limit_s, 0.001))
    import pygraphviz  # in here only, where the limit covers it

    made = [
        pygraphviz.AGraph(string=dot).draw(format=picture, prog="dot")
        for dot in json.load(sys.stdin)
    ]
    json.dump([base64.b64encode(each).decode() for each in made], sys.stdout)


if __name__ == "__main__":
    _main()
