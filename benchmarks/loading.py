"""Does loading an ONNX file double its weights?  `python -m benchmarks.loading [--megabytes M]`.

Peak resident memory against the file's size.

Each way of loading runs in a process of its own, since a peak is for ever. What torch and onnx
take before anything is loaded is measured as well, and left out of the last column: 1.0 there
means that the weights exist once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.internal import encoder, wire_format
from onnx import TensorProto, helper

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9  # field numbers of onnx.proto
SIDE = 4096  # of each square weight, 64 MiB as float32
WAYS = {
    "imports alone": "",
    "describe": "pipeline.describe(name)",
    "graph": "pipeline.graph_of(name)",
    "warnings": "pipeline.weight_warnings(name)",
    "weights": "kept = pipeline.traced(name, device='cpu')",
    "parcel of a launcher": "kept = pipeline.parcel_of(pipeline.traced(name, device='cpu'))",
}


def write(path: Path, megabytes: int) -> None:
    """A file of so many megabytes: a chain of matrix products, its weights inside."""
    count = max(1, round(megabytes * 2**20 / (SIDE * SIDE * 4)))
    numbers = np.random.default_rng(0).standard_normal(SIDE * SIDE, np.float32).tobytes()
    # Written piece by piece: protobuf itself took eight times the file's size to write it.
    names = ["x", *(f"v{i}" for i in range(1, count)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(count)]
    heads = [
        TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[SIDE, SIDE])
        for i in range(count)
    ]
    starts = [head.SerializeToString() + _head(RAW_DATA, len(numbers)) for head in heads]
    weights = [_head(INITIALIZER, len(start) + len(numbers)) + start for start in starts]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIDE])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "large", [given], [made]).SerializeToString()
    model = onnx.ModelProto(ir_version=10, opset_import=[helper.make_opsetid("", 18)])
    size = len(graph) + sum(map(len, weights)) + count * len(numbers)
    with path.open("wb") as file:
        file.write(model.SerializeToString() + _head(GRAPH, size) + graph)
        for weight in weights:
            file.write(weight)
            file.write(numbers)


def _head(field: int, size: int) -> bytes:
    """Tag and length of a field of bytes, as protobuf writes them."""
    return encoder.TagBytes(field, wire_format.WIRETYPE_LENGTH_DELIMITED) + _varint(size)


def _varint(number: int) -> bytes:
    pieces: list[bytes] = []
    encoder._EncodeVarint(pieces.append, number)  # noqa: SLF001 - it has no public name
    return b"".join(pieces)


def peak_bytes(way: str, path: Path) -> int:
    """Largest resident memory of a process that loads the file in this way."""
    code = f"name = {str(path)!r}\nfrom ramiel_core import pipeline\n{WAYS[way]}\n"
    # Not getrusage: its peak is inherited from whoever started the process.
    said = f"{code}print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    done = subprocess.run(
        [sys.executable, "-c", said], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(done.stdout.splitlines()[-1]) * 1024


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="of weights")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        write(path, options.megabytes)
        size = path.stat().st_size
        print(f"file: {size / 1e6:,.0f} MB")
        before = 0
        for way in WAYS:
            peak = peak_bytes(way, path)
            before = before or peak
            print(f"{way:22} peak {peak / 1e6:6,.0f} MB, added {(peak - before) / size:5.2f} x")


if __name__ == "__main__":
    main()
