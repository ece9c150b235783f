"""Long graphs are cut, placed section by section, and stacked into one drawing."""

from __future__ import annotations

import itertools

import pytest

from ramiel_core.ir import Graph
from ramiel_core.view import dot_process
from ramiel_core.view.layout import BOX_HEIGHT, BOX_WIDTH, Layout, lay_out
from ramiel_core.view.sections import FEW, MOST, Section, sections

CELLS = 180


def cells(skip: int) -> Graph:
    """Cells of five operators in a row, each reading the one before it and one further up."""
    lines = ["stem:1"]
    ends = ["stem"] * skip
    for i in range(CELLS):
        lines += [f"a{i}:1<{ends[-1]}", f"b{i}:1<a{i}", f"c{i}:1<{ends[-skip]}", f"d{i}:1<c{i}"]
        lines.append(f"e{i}:1<b{i},d{i}")
        ends.append(f"e{i}")
    return Graph.parse(" ".join(lines))


def cut(graph: Graph) -> list[Section]:
    return sections(list(graph.index), graph.edges)


@pytest.fixture(scope="module", params=[1, 3])
def long_graph(request: pytest.FixtureRequest) -> Graph:
    return cells(request.param)


@pytest.fixture(scope="module")
def stacked(long_graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAMIEL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return lay_out(long_graph)


def test_a_section_ends_where_the_fewest_values_cross(long_graph: Graph):
    parts = cut(long_graph)

    assert [name for part in parts for name in part.names] == list(long_graph.index)
    assert len(parts) == 3
    assert all(len(part.names) <= MOST for part in parts)
    for above, below in itertools.pairwise(parts):
        assert above.leaving == below.entering
        assert above.names[-1].startswith("e")  # the join of a cell
    assert not parts[0].entering
    assert not parts[-1].leaving


def test_every_edge_is_inside_one_section_or_read_from_another(long_graph: Graph):
    parts = cut(long_graph)

    inside = [edge for part in parts for edge in part.edges]
    across = [edge for part in parts for edge in part.read]
    assert sorted(inside + across) == sorted(long_graph.edges)
    assert all(a in part.entering for part in parts for a, _ in part.read)


def test_a_value_read_far_below_passes_through_every_section_between():
    chain = [f"n{i}:1<n{i - 1}" for i in range(1, 3 * MOST)]
    graph = Graph.parse(" ".join(["n0:1", *chain, f"last:1<n{3 * MOST - 1},n5"]))

    assert [part.entering[:1] for part in cut(graph)[1:]] == [("n5",)] * (len(cut(graph)) - 1)


def test_a_graph_that_nowhere_few_values_cross_stays_whole():
    rows = [[f"r{row}_{i}" for i in range(FEW + 1)] for row in range(MOST // FEW)]
    nodes = [f"{name}:1" for name in rows[0]]
    for above, row in itertools.pairwise(rows):
        nodes += [f"{name}:1<{','.join(above)}" for name in row]

    assert len(cut(Graph.parse(" ".join(nodes)))) == 1


def test_stacked_sections_do_not_overlap(stacked: Layout):
    boxes = sorted(stacked.positions.values())
    for i, (x, y) in enumerate(boxes):
        near = itertools.takewhile(lambda other, x=x: other[0] - x < BOX_WIDTH, boxes[i + 1 :])
        assert all(abs(other[1] - y) >= BOX_HEIGHT for other in near)


def touches(box: tuple[float, float], at: tuple[float, float]) -> bool:
    """Whether a point lies on a box, but for the half px that Graphviz leaves."""
    return abs(at[0] - box[0]) <= BOX_WIDTH / 2 + 1 and abs(at[1] - box[1]) <= BOX_HEIGHT / 2 + 1


def test_every_route_leads_down_from_its_producer_to_its_reader(long_graph: Graph, stacked: Layout):
    assert set(stacked.routes) == set(long_graph.edges)
    for (a, b), route in stacked.routes.items():
        assert len(route) % 3 == 1
        assert touches(stacked.positions[a], route[0])
        assert touches(stacked.positions[b], route[-1])
        assert route[0][1] >= stacked.positions[a][1]
        assert route[-1][1] <= stacked.positions[b][1]


def test_sections_of_the_same_shape_are_placed_once(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    render_each = dot_process.render_each

    def counted(dots, picture, time_limit_s):
        asked.append(len(dots))
        return render_each(dots, picture, time_limit_s)

    monkeypatch.setattr(dot_process, "render_each", counted)
    chain = Graph.parse("n0:1 " + " ".join(f"n{i}:1<n{i - 1}" for i in range(1, 4 * MOST)))

    lay_out(chain)

    assert asked == [3]  # the first, those between, the last
