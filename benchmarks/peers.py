"""Is Ramiel as fast as the best thing a user could pick?  `python -m benchmarks.peers`.

Every contender has a process of its own; they take turns, some inferences each and in an order
drawn anew in each round, so that whatever disturbs the host disturbs all of them, and each turn
begins when the one before has stopped spinning. A ratio is the median of those of all rounds.
`--models googlenet,bert_like --peers eager,onnxruntime --out peers.json`.
`--read peers.json …` prints the README's table from what was written, one file or several.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Child, Contender, ContenderError
from benchmarks.models import NAMES
from benchmarks.recipes import ALONE, PEERS, READ_ONNX, TORCH_NATIVE
from ramiel_core.bootstrap import paired_ratio
from ramiel_core.run import host
from ramiel_core.words import plural

CONTENDERS = (*PEERS, *ALONE)
HUGE = {"nasnetalarge": 11, "pnasnet5large": 11}  # at most so many rounds: half a second each
CHOOSING_ROUNDS = 5
"""Of all contenders, for the number of threads: a neighbour took one core for as long as three
rounds of OpenVINO alone lasted, which so ran MobileNet with one thread, 0.97 ms, for two's 0.6."""
BUILD_LIMIT_S = 300.0  # inductor takes longer over NASNet on two busy cores
TOLD = (("ramiel_torch", "torch"), ("ramiel_auto", "all"))  # in the README: who, against whom
VERSIONS = ("torch", "onnxruntime", "openvino")
LIBRARIES = ("onnx", "onnxruntime", "openvino", "timm")


def main() -> None:
    """Compare, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=_names(NAMES), default=NAMES)
    parser.add_argument("--peers", type=_names(CONTENDERS), default=CONTENDERS)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cache", type=Path, help="keep exported models and kernels here")
    parser.add_argument("--build-limit", type=float, default=BUILD_LIMIT_S, metavar="SECONDS")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="time nothing")
    parser.add_argument("--neighbours", action="store_true", help="also time each one alone")
    options = parser.parse_args()
    if options.read:
        print("\n".join(readme([json.loads(file.read_text()) for file in options.read])))
        return
    # As Ctrl-C would, so that children and the temporary folder go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    records = []
    with ExitStack() as stack:
        cache = options.cache or Path(
            stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        )
        cache.mkdir(parents=True, exist_ok=True)
        for model in options.models:
            contenders = [
                Child(name, cache.resolve(), options.build_limit) for name in options.peers
            ]
            needs_export = bool(set(options.peers) & set(READ_ONNX))
            notes = _export(model, cache) if needs_export else {}
            repeats = min(options.repeats, HUGE.get(model, options.repeats))
            record = compare(model, contenders, repeats, neighbours=options.neighbours)
            records.append(record | notes)
            print(_line(record), flush=True)
            if options.out:  # after each model: an hour's work is not lost to the last one
                told = {"host": facts(), "records": records}
                options.out.write_text(json.dumps(told, indent=1))
    print_table(records)


def _names(known: Sequence[str]) -> Any:
    def parse(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(",") if part.strip())
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}.")
        return found

    return parse


def _export(model: str, cache: Path) -> dict[str, Any]:
    """Write the ONNX file once, and check it against eager."""
    if (cache / f"{model}.onnx").exists():
        return {"export": {"note": "kept from an earlier run"}}
    child = Child("export", cache.resolve(), BUILD_LIMIT_S)
    try:
        child.start(model)
        return {"export": dict(child.ready())}
    except ContenderError as error:
        return {"export": {"failed": str(error)}}  # its readers will say that there is no file
    finally:
        child.stop()


def compare(
    model: str, contenders: Sequence[Contender], repeats: int, *, neighbours: bool = False
) -> dict[str, Any]:
    """Let contenders take turns at one model.

    Parameters
    ----------
    model : str
    contenders : sequence of Contender
        Not started. One that fails is left out from then on, with its reason.
    repeats : int
        Rounds; in each, every contender says how long an inference takes in a loop of them.
    neighbours : bool
        Time each one alone too, while the others sleep: a ratio away from 1 says that turns
        disturb each other.
    """
    found: dict[str, dict[str, Any]] = {c.name: {"times_ms": []} for c in contenders}
    load = os.getloadavg()[0]
    try:
        draw = random.Random(0)  # noqa: S311 - not a secret
        running = _start_all(model, contenders, found, draw)
        for _ in range(repeats):
            for contender in draw.sample(running, len(running)):
                try:
                    time_ms = contender.infer()
                    contender.settle()
                except ContenderError as error:
                    found[contender.name]["failed"] = str(error)
                    running.remove(contender)
                    continue
                found[contender.name]["times_ms"].append(time_ms)
        for contender in running if neighbours else ():
            times = []
            for _ in range(repeats):
                times.append(contender.infer())
                contender.settle()
            found[contender.name]["alone_ms"] = statistics.median(times)
    finally:
        for contender in contenders:
            contender.stop()
    for record in found.values():
        if record["times_ms"] and "failed" not in record:
            record["median_ms"] = statistics.median(record["times_ms"])
    return {
        "model": model,
        "repeats": repeats,
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "contenders": found,
        "ratios": ratios(found),
    }


def _start_all(
    model: str,
    contenders: Sequence[Contender],
    found: Mapping[str, dict[str, Any]],
    draw: random.Random,
) -> list[Contender]:
    """Build side by side those that do not mind, then the others one by one; choose threads."""
    running: list[Contender] = []
    together = [c for c in contenders if not c.alone]
    for batch in (together, *([c] for c in contenders if c.alone)):
        for contender in batch:
            contender.start(model)
        running += _managing(batch, lambda contender: contender.ready(), found)
    for _ in range(CHOOSING_ROUNDS):  # only now that nobody builds any more
        running = _managing(draw.sample(running, len(running)), _choose, found)
    return running


def _choose(contender: Contender) -> Mapping[str, Any]:
    facts = contender.choose()
    contender.settle()
    return facts


def _managing(
    contenders: Sequence[Contender],
    step: Callable[[Contender], Mapping[str, Any]],
    found: Mapping[str, dict[str, Any]],
) -> list[Contender]:
    """Those that manage a step, what they said of it noted; the others end with their reason."""
    managed = []
    for contender in contenders:
        try:
            found[contender.name].update(step(contender))
            managed.append(contender)
        except ContenderError as error:
            found[contender.name]["failed"] = str(error)
            contender.stop()
    return managed


def ratios(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What multiple of Ramiel's time the best peer takes, among torch's and among all."""
    timed = {name: r["times_ms"] for name, r in found.items() if "median_ms" in r}
    result: dict[str, Any] = {}
    for ours in (name for name in timed if name.startswith("ramiel")):
        for label, among in (("torch", TORCH_NATIVE), ("all", PEERS)):
            rivals = [name for name in timed if name in among]
            if not rivals:
                continue
            paired = {name: paired_ratio(timed[name], timed[ours]) for name in rivals}
            best = min(paired, key=paired.__getitem__)
            ratio, interval = paired[best]
            result[f"{ours} / {label}"] = {"best": best, "ratio": ratio, "ci": list(interval)}
    return result


def readme(written: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The README's table in Markdown, a line at a time, of what runs with `--out` wrote."""
    records = [record for run in written for record in run["records"]]
    cores = written[-1]["host"]["cores"]
    titles = ("best of torch, ms", "Ramiel by torch, ms", "ratio (95 %)")
    titles += ("best of all, ms", "Ramiel `auto`, ms", "ratio (95 %)")
    yield f"| model | {' | '.join(titles)} |"
    yield f"|{' --- |' * (1 + len(titles))}"
    for record in records:
        cells = [record["model"]]
        for ours, against in TOLD:
            found, own = record["ratios"][f"{ours} / {against}"], record["contenders"][ours]
            best = record["contenders"][found["best"]]
            low, high = found["ci"]
            threads = best.get("threads", cores)
            fewer = f" ({plural(threads, 'thread')})" if threads != cores else ""
            cells.append(f"{found['best']} {best['median_ms']:.1f}{fewer}")
            cells.append(f"{own['median_ms']:.1f} ({own['note']})")
            cells.append(f"**{found['ratio']:.2f}** ({low:.2f}–{high:.2f})")
        yield f"| {' | '.join(cells)} |"
    means = []
    for ours, against in TOLD:
        ratios = [record["ratios"][f"{ours} / {against}"]["ratio"] for record in records]
        means.append(f"{statistics.geometric_mean(ratios):.3f} against {against}")
    told = written[-1]["host"]
    rounds = sorted({record["repeats"] for record in records})
    yield ""
    yield (
        f"Geometric means {' and '.join(means)}. {told['processor']}, {told['cores']} cores, load "
        f"{told['load_1min']}; {', '.join(f'{name} {told[name]}' for name in VERSIONS)}; "
        f"{rounds[0]} to {rounds[-1]} rounds."
    )


def facts() -> dict[str, Any]:
    """The host, and versions of everything that was compared."""
    versions = {}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {**host.facts(), **versions, "at": time.strftime("%Y-%m-%d %H:%M:%S")}


def _line(record: Mapping[str, Any]) -> str:
    parts = [
        f"{name} {r['median_ms']:.2f}" if "median_ms" in r else f"{name} FAILED ({r['failed']})"
        for name, r in record["contenders"].items()
    ]
    return f"{record['model']}: {', '.join(parts)}"


def print_table(records: Sequence[Mapping[str, Any]]) -> None:
    """Median ms of each contender; failures below, each with its reason."""
    names = list(dict.fromkeys(name for r in records for name in r["contenders"]))
    labels = list(dict.fromkeys(label for r in records for label in r["ratios"]))
    told = facts()
    host_line = f"{told['processor']}, {told['cores']} cores, load {told['load_1min']}"
    table = Table(title=f"Median ms at batch 1; {host_line}", title_justify="left")
    for column in ("model", *names, *(f"best / {label}" for label in labels)):
        table.add_column(column, justify="left" if column == "model" else "right")
    failures = []
    for record in records:
        medians = {n: r["median_ms"] for n, r in record["contenders"].items() if "median_ms" in r}
        fastest = min(medians.values(), default=0.0)
        cells = [record["model"]]
        for name in names:
            if name in medians:
                text = f"{medians[name]:.2f}"
                cells.append(f"[bold]{text}[/]" if medians[name] == fastest else text)
            else:
                cells.append("failed")
                why = record["contenders"].get(name, {}).get("failed", "not run")
                failures.append(f"{record['model']}, {name}: {why}")
        for label in labels:
            found = record["ratios"].get(label)
            cells.append(
                f"{found['ratio']:.2f} ({found['ci'][0]:.2f}-{found['ci'][1]:.2f})" if found else ""
            )
        table.add_row(*cells)
    console = Console(width=max(200, Console().width))
    console.print(table)
    for label in labels:
        found = [r["ratios"][label]["ratio"] for r in records if label in r["ratios"]]
        console.print(f"best / {label}: geometric mean {statistics.geometric_mean(found):.3f}")
    for failure in failures:
        console.print(failure, markup=False)


if __name__ == "__main__":
    main()
