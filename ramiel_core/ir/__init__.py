"""The records that pass along model -> graph -> plan -> program -> run -> report.

Data only: each record checks itself when it is built, so that no algorithm has to, and none
can be changed afterwards (use `dataclasses.replace`). Units stand in the names: `_ms` is
milliseconds, `_bytes` bytes. A file holds one noun of that line and knows only those before it.
"""

from ramiel_core.ir.graph import ITEM_BYTES, Graph, OpNode, TensorSpec, paths_of_weights
from ramiel_core.ir.job import AUTO, KERNELS, MOLDABLE, Configuration, Job, Parcel
from ramiel_core.ir.model import Inputs, Rewrites, Signature, TracedModel, WeightsFit
from ramiel_core.ir.plan import Plan, Point, Step
from ramiel_core.ir.program import (
    ALIGN_BYTES,
    CALLER,
    FRESH,
    Channel,
    Fresh,
    Layout,
    Place,
    Program,
    Recipe,
)
from ramiel_core.ir.report import Report
from ramiel_core.ir.run import Run
from ramiel_core.ir.timeline import Bar, BarKind, Timeline

__all__ = [
    "ALIGN_BYTES",
    "AUTO",
    "CALLER",
    "FRESH",
    "ITEM_BYTES",
    "KERNELS",
    "MOLDABLE",
    "Bar",
    "BarKind",
    "Channel",
    "Configuration",
    "Fresh",
    "Graph",
    "Inputs",
    "Job",
    "Layout",
    "OpNode",
    "Parcel",
    "Place",
    "Plan",
    "Point",
    "Program",
    "Recipe",
    "Report",
    "Rewrites",
    "Run",
    "Signature",
    "Step",
    "TensorSpec",
    "Timeline",
    "TracedModel",
    "WeightsFit",
    "paths_of_weights",
]
