"""A page with nothing but one graph, for benchmarks/graph_page.py to time.

Not beside that file: Streamlit looks for modules next to its script first, and would take
benchmarks/pages.py for the app's pages/.
"""

from __future__ import annotations

import streamlit as st

from benchmarks.graph_page import graph_of
from pages.common import kept, pictures
from pages.common.graph_component import graph_view

graph = graph_of(st.query_params["graph"])
plan = kept.plan_of(graph)
graph_view(pictures.picture(graph, dict(enumerate(plan.clusters))), key="graph", height=700)
