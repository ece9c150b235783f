"""A page with nothing but the graph component, for test_graph_component.py to drive."""

from __future__ import annotations

import streamlit as st

from pages.common.graph_component import graph_view
from ramiel_core.ir import Graph, OpNode
from ramiel_core.view import dag
from ramiel_core.view.layout import lay_out

HOSTILE = "<img src=x onerror=document.title='owned'>"


@st.cache_resource
def chain() -> Graph:
    names = (HOSTILE, *(f"op_{i}" for i in range(1, 200)))
    return Graph(
        tuple(OpNode(n, n, names[max(0, i - 1) : i], module=n) for i, n in enumerate(names))
    )


def main() -> None:
    graph = chain()
    names = tuple(graph.index)
    split = 100 if st.checkbox("two clusters") else len(names)
    clusters = {0: names[:split]} | ({1: names[split:]} if split < len(names) else {})
    drawing = dag.network(graph, clusters, names, lay_out(graph))
    st.write("clicked:", repr(graph_view(dag.payload(drawing), key="graph", height=500)))


if __name__ == "__main__":  # pytest imports every file in search of doctests
    main()
