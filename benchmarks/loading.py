"""Does loading a model double its weights?  `python -m benchmarks.loading [--megabytes M]`.

Peak memory against the size of the weights, for each kind of file that has some.

Each way of loading runs in a process of its own, since a peak is for ever; TorchScript is opened in
another one, which counts as well. Counted is memory that nobody but this process can give back:
pages of a mapped file, which the kernel drops when it needs room, are not. What torch and onnx take
before anything is loaded is left out of the last column: 1.0 there means that the weights exist
once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.internal import encoder, wire_format
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9  # field numbers of onnx.proto
SIDE = 4096  # of each square weight, 64 MiB as float32
IMPORTS = "imports alone"
OF_MODELS = {
    "describe": "pipeline.describe(name)",
    "graph": "pipeline.graph_of(name)",
    "warnings": "pipeline.weight_warnings(name)",
    "weights": "kept = pipeline.traced(name, device='cpu')",
    "parcel of a launcher": "kept = pipeline.parcel_of(pipeline.traced(name, device='cpu'))",
}
OF_WEIGHTS = {
    "how they fit": "pipeline.weights_fit('squeezenet1_0', name)",
    "weights": "kept = put(chain(name), Path(name), 'chain')",
}
OF_ARCHIVES = {
    "opened after consent": (
        "kept = pipeline.traced(client.open_trusted(name, ['1x4096']), device='cpu')"
    ),
}
WAYS: Mapping[str, Mapping[str, str]] = {  # of loading a file, by its name
    "inside.onnx": OF_MODELS,
    "beside.onnx": OF_MODELS,
    "weights.safetensors": OF_WEIGHTS,
    "weights.pth": OF_WEIGHTS,
    "script.pt": OF_ARCHIVES,
}
MEASURED = """
import threading, time
from pathlib import Path
import psutil
from benchmarks.loading import chain
from ramiel_core import client, pipeline
from ramiel_core.model.weights import put

own, peak, ended = psutil.Process(), 0, threading.Event()

def watch():
    global peak
    while True:
        held = 0
        for process in (own, *own.children(recursive=True)):
            try:
                said = Path(f"/proc/{process.pid}/status").read_text()
                held = max(held, int(said.partition("RssAnon:")[2].split()[0]))
            except (OSError, IndexError):
                pass  # it has just ended
        peak = max(peak, held)
        if ended.wait(0.003):
            return

watcher = threading.Thread(target=watch)
watcher.start()
try:
    WAY
finally:
    ended.set()
    watcher.join()
print(peak)
"""


def write(path: Path, megabytes: int) -> None:
    """A file of so many megabytes of weights: a chain of matrix products."""
    count = max(1, round(megabytes * 2**20 / (SIDE * SIDE * 4)))
    if path.suffix == ".onnx":
        _write_onnx(path, count, inside=path.stem == "inside")
        return
    made = nn.Sequential(*(_product() for _ in range(count)))
    if path.suffix == ".safetensors":
        save_file(made.state_dict(), path)
    elif path.suffix == ".pth":
        torch.save(made.state_dict(), path)
    else:
        torch.jit.script(made.eval()).save(str(path))


def _product() -> nn.Linear:
    return nn.utils.skip_init(nn.Linear, SIDE, SIDE, bias=False)


def chain(weights: str) -> nn.Module:
    """The model that a file of weights is of."""
    count = round(Path(weights).stat().st_size / (SIDE * SIDE * 4))
    return nn.Sequential(*(_product() for _ in range(count))).eval()


def _write_onnx(path: Path, count: int, *, inside: bool) -> None:
    numbers = np.random.default_rng(0).standard_normal(SIDE * SIDE, np.float32).tobytes()
    # Written piece by piece: protobuf itself took eight times the file's size to write it.
    names = ["x", *(f"v{i}" for i in range(1, count)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(count)]
    heads = [
        TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[SIDE, SIDE])
        for i in range(count)
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIDE])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "large", [given], [made])
    model = onnx.ModelProto(ir_version=10, opset_import=[helper.make_opsetid("", 18)])
    if not inside:
        _write_beside(path, model, graph, heads, numbers)
        return
    starts = [head.SerializeToString() + _head(RAW_DATA, len(numbers)) for head in heads]
    weights = [_head(INITIALIZER, len(start) + len(numbers)) + start for start in starts]
    packed = graph.SerializeToString()
    size = len(packed) + sum(map(len, weights)) + count * len(numbers)
    with path.open("wb") as file:
        file.write(model.SerializeToString() + _head(GRAPH, size) + packed)
        for weight in weights:
            file.write(weight)
            file.write(numbers)


def _write_beside(
    path: Path,
    model: onnx.ModelProto,
    graph: onnx.GraphProto,
    heads: list[TensorProto],
    numbers: bytes,
) -> None:
    """A small file, and one beside it with the numbers of all weights."""
    with path.with_suffix(".bin").open("wb") as file:
        for head in heads:
            head.data_location = TensorProto.EXTERNAL
            told = {"location": f"{path.stem}.bin", "offset": file.tell(), "length": len(numbers)}
            for key, value in told.items():
                head.external_data.add(key=key, value=str(value))
            file.write(numbers)
    graph.initializer.extend(heads)
    model.graph.CopyFrom(graph)
    path.write_bytes(model.SerializeToString())


def _head(field: int, size: int) -> bytes:
    """Tag and length of a field of bytes, as protobuf writes them."""
    return encoder.TagBytes(field, wire_format.WIRETYPE_LENGTH_DELIMITED) + _varint(size)


def _varint(number: int) -> bytes:
    pieces: list[bytes] = []
    encoder._EncodeVarint(pieces.append, number)  # noqa: SLF001 - it has no public name
    return b"".join(pieces)


def peak_bytes(way: str, path: Path) -> int:
    """Largest memory of a process that loads the file in this way, and of those it starts."""
    code = f"name = {str(path)!r}\n{MEASURED.replace('WAY', textwrap.indent(way, '    ').strip())}"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(done.stdout.splitlines()[-1]) * 1024


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="of weights")
    parser.add_argument("--of", nargs="*", choices=WAYS, default=list(WAYS), help="files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = peak_bytes("pass", Path(folder))
        print(f"{IMPORTS}: {before / 1e6:,.0f} MB")
        for kind in options.of:
            path = Path(folder) / kind
            write(path, options.megabytes)
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            print(f"{kind}: {size / 1e6:,.0f} MB")
            for label, way in WAYS[kind].items():
                peak = peak_bytes(way, path)
                print(f"  {label:22} peak {peak / 1e6:6,.0f} MB, {(peak - before) / size:5.2f} x")
            for file in Path(folder).iterdir():
                file.unlink()


if __name__ == "__main__":
    main()
