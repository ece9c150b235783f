"""How fast is the graph on its page?  `python -m benchmarks.graph_page [--out FILE] [--rounds N]`.

Lays out each graph with an empty cache, then shows all of it in chromium through a Streamlit server
of its own, warm: layout known, scripts in the browser's cache. `picture` is the component's time,
from its start to the first picture, the arrival of its data included; `page` is everything from
opening the address, of which Streamlit's own start is most; `recolour` is until a new colouring is
painted. Needs chromium (packages.txt) and requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from ramiel_core import pipeline
from ramiel_core.ir import Graph, OpNode
from ramiel_core.run import host
from ramiel_core.view.layout import lay_out

MODELS = ("squeezenet1_0", "densenet121", "densenet201")
CELLS = {
    "nasnet_like": (96, 2_000),
    "inception_like": (0, 2_000),
    "inception_like_2500": (0, 2_500),
}
SHOWN_BY = Path(__file__).parent / "served" / "one_graph.py"
GRAPHS = (*MODELS, *CELLS)
LIMITS_S = {"layout": 3.0, "picture": 1.5, "recolour": 0.2}
VIEW = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((host) => host.shadowRoot?.querySelector('.graph')?.view).find((view) => view)"
)
RECOLOUR = f"""async () => {{
    const view = {VIEW}, times = [];
    for (const mode of ["cost", "cluster", "slack", "kind", "cluster"]) {{
        const drawn = new Promise((done) => view.network.once("afterDrawing", done));
        const start = performance.now();
        view.colours.set(mode);
        await drawn;
        times.push((performance.now() - start) / 1000);
    }}
    return times;
}}"""


@cache
def graph_of(name: str) -> Graph:
    """A model of torchvision's, or a graph of cells with so many skips and operators."""
    if name in MODELS:
        return pipeline.graph_of(name)
    return cells(name, *CELLS[name])


def cells(name: str, skips: int, count: int) -> Graph:
    """Cells of branches in a row, each reading the two before it: like NASNet, or Inception."""
    rng = random.Random(7)  # noqa: S311 - a graph, not a secret
    nodes = [OpNode("stem", "conv2d", (), 1.0, 0.1)]
    ends = ["stem", "stem"]
    while len(nodes) < count:
        joined = []
        for branch in range(5 if skips else 4):
            before = ends[-1] if not skips or branch % 2 else ends[-2]
            for step in range(rng.randint(1, 4 + (branch == 0))):
                made = f"cell{len(nodes)}_{branch}_{step}"
                cost_ms = rng.uniform(0.05, 2)
                nodes.append(OpNode(made, rng.choice(("conv2d", "relu")), (before,), cost_ms, 0.1))
                before = made
            joined.append(before)
        made = f"cat{len(nodes)}"
        nodes.append(OpNode(made, "cat", tuple(joined), 0.1, 0.1))
        ends.append(made)
    return Graph(tuple(nodes[: count + 40]), model=name, cost_model="flops")


def layouts() -> dict[str, float]:
    """Seconds that each layout takes with an empty cache, the start of Graphviz included."""
    taken = {}
    for name in GRAPHS:
        graph = graph_of(name)
        start = time.perf_counter()
        lay_out(graph)
        taken[name] = time.perf_counter() - start
    return taken


def pictures(rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Seconds to the first picture and to a new colouring, in a browser."""
    from tests.chromium import browser, served

    found = {}
    with served(SHOWN_BY, folder) as address, browser() as chromium:
        window = chromium.new_page(viewport={"width": 1400, "height": 900})
        window.set_default_timeout(120_000)
        for name in GRAPHS:
            opened, mounted, recoloured = [], [], []
            for _ in range(rounds + 1):
                start = time.perf_counter()
                window.goto(f"{address}/?graph={name}")
                window.wait_for_function(f"{VIEW}?.drawnAt")
                opened.append(time.perf_counter() - start)
                mounted.append(window.evaluate(f"({VIEW}.drawnAt - {VIEW}.root.since) / 1000"))
                recoloured += window.evaluate(RECOLOUR)
            found[name] = {
                "page": statistics.median(opened[1:]),
                "picture": statistics.median(mounted[1:]),
                "recolour": statistics.median(recoloured),
            }
    return found


def main() -> None:
    """Measure, print a line for each graph, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON with every figure and the host's facts")
    parser.add_argument("--rounds", type=int, default=3, help="visits of each page, after a first")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RAMIEL_CACHE_DIR"] = folder
        placed, shown = layouts(), pictures(arguments.rounds, Path(folder))
    rows = [
        {"graph": name, "operators": len(graph_of(name)), "layout": placed[name], **shown[name]}
        for name in GRAPHS
    ]
    print(f"limits, s: {LIMITS_S}; load {host.facts()['load_1min']:.1f}")
    for row in rows:
        print(line(row))
    if arguments.out:
        arguments.out.write_text(json.dumps({"rows": rows, "host": host.facts()}, indent=1))


def line(row: dict[str, Any]) -> str:
    """One graph's figures, those past their limit marked."""
    parts = [f"{row['graph']:20} {row['operators']:5} operators"]
    for key in ("layout", "picture", "recolour", "page"):
        over = " !" if row[key] > LIMITS_S.get(key, float("inf")) else ""
        parts.append(f"{key} {row[key]:.3f} s{over}")
    return "  ".join(parts)


if __name__ == "__main__":
    main()
