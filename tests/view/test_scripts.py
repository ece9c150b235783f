"""Scripts of the components that need no page: the query language, what all views begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chromium import MISSING, ROOT, WHY_SKIPPED, browser

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING, reason=WHY_SKIPPED)]


@pytest.fixture(scope="module")
def window() -> Iterator[object]:
    with browser() as chromium:
        yield chromium.new_page()


@pytest.fixture
def page(window) -> object:
    """An empty one, which remembers nothing of the test before."""
    window.goto("about:blank")
    return window


def script(*names: str) -> str:
    return "\n".join((ROOT / "assets" / name).read_text() for name in names)


QUERIES = {
    "conv": [0, 2],
    '"conv2d"': [0, 2],
    "op:relu": [1],
    "-op:relu": [0, 2],
    "name:b module:inner": [1],
    "cluster:1": [2],
    "cluster>=0": [0, 1, 2],
    "worker:7": [],
    "cp:true": [0, 2],
    "cp:false": [1],
    "cost>1ms": [1, 2],
    "cost>1000us cost<0.0025s": [1],
    "cost:3": [2],
    "cost > 1 ms": [1, 2],
    "-cost > 1000 us op : conv": [0],
    'name: "b"': [1],
    "slack=0 conv": [0, 2],
    "": [0, 1, 2],
}
WRONG = {
    "colour:red": "There is no field “colour”; use name, op, module, cluster,",
    "cost>": "Say what cost should be, such as cost>1ms.",
    "cost>many": "cost needs a number, such as cost>1ms.",
    "cost>1.2.3": "cost needs a number, such as cost>1ms.",
    "cost>1min": "cost is counted in s, ms, us, not in “min”.",
    "op>conv": "op is not a number; write op:cat.",
    "cp:maybe": "cp is true or false: is it on the critical path?",
    "cluster:one": "cluster needs a number, such as cluster:3.",
    "error>5%": "There is no error yet; measure the operators on this host first.",
}
FACTS = {
    "name": ["a", "b", "c"],
    "op": ["conv2d", "relu", "conv2d"],
    "module": ["outer", "outer.inner", "outer"],
    "values": {"cost": [1, 2, 3], "slack": [0, 1, 0], "send": [0, 0, 0]},
    "unit": "ms",
    "critical": [0, 2],
}
PAINT = {"cluster": [0, 0, 1], "worker": [0, 1, 1]}


def test_the_query_language(page):
    page.add_script_tag(content=script("graph/query.js"))
    ask = """([text, facts, paint]) => {
        try { return [0, 1, 2].filter(parseQuery(text, facts, paint)); }
        catch (error) { if (error instanceof QueryError) return error.message; throw error; }
    }"""

    found = {text: page.evaluate(ask, [text, FACTS, PAINT]) for text in QUERIES}
    said = {text: page.evaluate(ask, [text, FACTS, PAINT]) for text in WRONG}

    assert found == QUERIES
    for text, sentence in WRONG.items():
        assert str(said[text]).startswith(sentence), text


OVERTAKEN = """async () => {
    const said = [];
    class View {
        constructor() { said.push("made"); }
        show({ name }) { said.push(name); }
        close() { said.push("closed"); }
    }
    const parentElement = document.createElement("div");
    parentElement.append(document.createElement("section"));
    document.body.append(parentElement);
    const draw = shownBy(View, "section", ({ name }) => [name]);
    const run = (name) => draw({ parentElement, data: { name }, setStateValue() {} });
    const turn = () => new Promise((done) => setTimeout(done));
    for (const name of ["first", "second", "third", "fourth", "never"]) put(name, 1);
    run("first"); // Streamlit keeps the end of the newest run that nothing has overtaken
    await turn();
    run("second")(); // overtaken, and ended before the newer begins
    run("third");
    await turn();
    const endLate = run("never"); // overtaken, and ended afterwards
    const endLast = run("fourth");
    endLate();
    await turn();
    parentElement.remove();
    endLast();
    run("never")(); // begun before its element went, and ended at once
    await turn();
    return said;
}"""


def test_only_the_end_of_its_element_closes_a_view(page):
    page.add_script_tag(content=script("shared/shelf.js", "shared/leaving.js", "shared/shown.js"))

    assert page.evaluate(OVERTAKEN) == ["made", "first", "third", "fourth", "closed"]
