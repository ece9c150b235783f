from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import psutil
import pytest

from ramiel_core.cache import cache_dir
from ramiel_core.errors import GraphError
from ramiel_core.ir import Graph
from ramiel_core.view import dot_process
from ramiel_core.view.layout import BOX_HEIGHT, BOX_WIDTH, Layout, lay_out

Zoo = Callable[[str], Graph]
LaidOut = Callable[[str], Layout]

MODELS = ("squeezenet1_0", "googlenet", "resnet50", "densenet121", "inception_v3")


@pytest.fixture(scope="module")
def laid_out(zoo_graph: Zoo) -> LaidOut:
    """The layout of a model, by name."""
    return cache(lambda model: lay_out(zoo_graph(model)))


def overlapping(layout: Layout) -> list[tuple[str, str]]:
    return [
        (a, b)
        for (a, (xa, ya)), (b, (xb, yb)) in itertools.combinations(layout.positions.items(), 2)
        if abs(xa - xb) < BOX_WIDTH and abs(ya - yb) < BOX_HEIGHT
    ]


@pytest.mark.parametrize("model", MODELS)
def test_every_operator_has_a_place_of_its_own_and_every_edge_a_route(
    model: str, zoo_graph: Zoo, laid_out: LaidOut
):
    graph = zoo_graph(model)
    layout = laid_out(model)

    assert set(layout.positions) == set(graph.index)
    assert overlapping(layout) == []
    assert set(layout.routes) == set(graph.edges)
    assert all(len(route) % 3 == 1 for route in layout.routes.values())  # joined cubics


@pytest.mark.parametrize("model", MODELS)
def test_a_long_graph_is_folded_into_the_shape_of_a_window(model: str, laid_out: LaidOut):
    layout = laid_out(model)

    assert 1.1 < layout.width / layout.height < 2.2


@pytest.mark.parametrize("model", MODELS)
def test_nothing_stands_outside_the_drawing(model: str, laid_out: LaidOut):
    layout = laid_out(model)

    for x, y in layout.positions.values():
        assert BOX_WIDTH / 2 - 0.1 <= x <= layout.width - BOX_WIDTH / 2 + 0.1
        assert BOX_HEIGHT / 2 - 0.1 <= y <= layout.height - BOX_HEIGHT / 2 + 0.1


def test_within_a_column_consumers_stand_below_producers():
    graph = Graph.parse("a:1 b:1<a c:1<a d:1<b,c")
    y = {name: place[1] for name, place in lay_out(graph).positions.items()}

    assert y["a"] < y["b"] == y["c"] < y["d"]


def test_densenet_is_laid_out_on_its_reduction_and_keeps_the_other_edges_as_arcs(laid_out: LaidOut):
    layout = laid_out("densenet121")

    assert layout.engine == "Graphviz dot on the transitive reduction"
    assert len(layout.dropped_edges) == 535
    assert all(edge in layout.routes for edge in layout.dropped_edges)


def test_past_the_time_limit_the_layers_are_our_own_and_say_so(zoo_graph: Zoo):
    layout = lay_out(zoo_graph("googlenet"), time_limit_s=0.001)

    assert layout.engine == "layers (Graphviz took longer than 0.001 s)"
    assert overlapping(layout) == []
    assert set(layout.routes) == set(zoo_graph("googlenet").edges)


def test_layers_of_a_busy_moment_are_not_kept_on_disk(monkeypatch: pytest.MonkeyPatch):
    graph = Graph.parse("a:1 b:1<a c:1<a d:1<b,c")

    def busy(*_: object) -> list[bytes]:
        raise dot_process.DotTimeoutError("Graphviz took longer than 10 s on this graph.")

    with monkeypatch.context() as then:
        then.setattr(dot_process, "render_each", busy)
        assert lay_out(graph).engine.startswith("layers")

    assert lay_out(graph).engine == "Graphviz dot"


def test_a_layout_is_read_back_from_disk_as_it_was(monkeypatch: pytest.MonkeyPatch, zoo_graph: Zoo):
    graph = zoo_graph("googlenet")
    first = lay_out(graph)
    monkeypatch.setattr(dot_process, "render_each", None)  # cannot be called any more

    assert lay_out(graph) == first


def test_a_broken_file_in_the_cache_is_made_again():
    graph = Graph.parse("a:1 b:1<a")
    first = lay_out(graph)
    (kept,) = (cache_dir() / "layouts").iterdir()
    kept.write_text(kept.read_text()[:40])

    assert lay_out(graph) == first


def test_the_cache_is_its_owners_alone():
    lay_out(Graph.parse("a:1"))

    assert cache_dir().stat().st_mode & 0o777 == 0o700


def test_a_graph_without_operators_has_an_empty_layout():
    assert lay_out(Graph(())).positions == {}


def test_no_graphviz_process_outlives_its_time_limit():
    before = set(psutil.Process().children(recursive=True))
    tangle = " ".join(f"{a}->{b};" for a in range(150) for b in range(a + 1, 150))

    with pytest.raises(dot_process.DotTimeoutError, match=r"longer than 1 s.*Raise the time limit"):
        dot_process.render(f"digraph {{ {tangle} }}", "svg", 1)

    # Of this process alone: other tests lay out at the same time.
    assert set(psutil.Process().children(recursive=True)) <= before


def test_graphviz_ends_by_itself_where_its_caller_was_killed():
    command = [sys.executable, "-m", dot_process.__name__, "svg", "0.3"]

    with subprocess.Popen(command, stdin=subprocess.PIPE) as waits_for_input:
        assert waits_for_input.wait(timeout=120) == -14  # SIGALRM


def test_text_that_is_not_dot_is_refused_with_what_graphviz_said():
    with pytest.raises(GraphError, match=r"Graphviz stopped with code 1 and said: .*DotError"):
        dot_process.render("digraph {", "svg", 10)


def test_the_graphviz_process_does_not_import_torch():
    code = f"import sys, {dot_process.__name__}; print('torch' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
