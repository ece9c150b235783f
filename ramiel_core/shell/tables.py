"""What commands print for people: tables, and how far a job is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

NAMED = 3  # operators in a table, before it says "..."


def progress() -> Progress:
    """Bars on standard error, so that the output itself can be piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=Console(stderr=True))


def summary(found: dict[str, Any], planner: str | None, outlook: str) -> None:
    """Print what `pipeline.summary` found, and what else is known of the model."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{found['model']} ({found['cost_model']} costs)", show_header=False)
    unit = "" if found["cost_model"] == "unit" else " ms"
    path = found["critical_path"]
    with_sends = f"{found['parallelism_send']:.2f} when every edge pays its send"
    parallelism = f"{found['parallelism']:.2f} ({with_sends})"
    rows = [
        ("operators", f"{found['operators']}"),
        ("parameters", f"{found['parameters']:,}"),
        ("clusters", f"{found['clusters_linear']} linear, {found['clusters_merged']} merged"),
        ("T1, one worker", f"{found['t1_ms']:.4g}{unit}"),
        ("T∞, critical path", f"{found['tinf_ms']:.4g}{unit}"),
        ("parallelism T1/T∞", parallelism),
        ("critical path", f"{len(path)} operators: {path[0]} … {path[-1]}"),
    ]
    if planner:
        workers = "1 worker" if found["workers"] == 1 else f"{found['workers']} workers"
        proved = f"; proved: not below {found['proved_ms']:.4g}" if found["proved_ms"] else ""
        said = f"{found['predicted_ms']:.4g}{unit} on {workers}{proved}"
        rows.append((f"plan by {planner}", said))
    taken = {
        "removed_constants": "folded",
        "removed_repeats": "repeats",
        "removed_dead": "dead",
        "split": "split",
        "cloned": "cloned",
    }
    if fit := found.get("weights"):
        rows.append(("weights", "\n".join(fit["said"])))
    rows += [(text, _listed(list(found[key]))) for key, text in taken.items() if found[key]]
    if sizes := found.get("dimensions"):
        said = ", ".join(f"{name}={size}" for name, size in sizes.items())
        rows.append(("dynamic dimensions", f"{said} (others: --dim NAME=SIZE)"))
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(outlook)


def _listed(operators: list[str]) -> str:
    more = " …" if len(operators) > NAMED else ""
    return f"{len(operators)}: {', '.join(operators[:NAMED])}{more}"


def standings(found: dict[str, Any]) -> None:
    """Print how configurations stood in a tuning, the fastest first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    host = found["host"]
    table = Table(
        title=f"{found['model']} on {host['processor']}, {host['cores']} cores, "
        f"load {host['load_1min']}",
        caption="Milliseconds. × fastest: against the winner in the same rounds, which counts: the "
        "host's speed changes between rounds. Off by: how far outputs are from eager's, of the "
        "largest; MB: of all workers, shared pages once.",
        box=box.SIMPLE_HEAD,
    )
    for title in ("configuration", "predicted", "median", "× fastest", "off by", "MB"):
        table.add_column(title, justify="left" if title == "configuration" else "right")
    for row in found["standings"]:
        if row["state"] not in ("failed", "skipped"):
            against = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
            off = f"{row['max_difference']:.1g}" if row["max_difference"] else "0"
            timed = _ms(row["predicted_ms"]), _ms(row["median_ms"])
            table.add_row(row["label"], *timed, against, off, f"{row['memory_bytes'] / 1e6:.0f}")
    console = Console()
    console.print(table)
    _print_weights(console, found)
    for said in found["out"]:
        console.print(said, markup=False)
    console.print(" → ".join(f"{step['choice']} {step['ms']:.1f} ms" for step in found["steps"]))


def _print_weights(console: Console, record: dict[str, Any]) -> None:
    if fit := record.get("weights"):
        console.print(" ".join(fit["said"]), markup=False)


def _equal(record: dict[str, Any]) -> str:
    """Whether outputs were always the model's, and within which tolerance they may differ."""
    if not record["equal"]:
        return "[red]NO[/]"
    asked = (run for run in record["runs"] if run["label"] in ("sequential", "parallel"))
    tolerance = max(run["tolerance"] for run in asked)
    return f"to {tolerance:g}" if tolerance else "yes"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def benchmarks(records: list[dict[str, Any]]) -> None:
    """Print the records of benchmarks, a row for each, with their verdicts."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    host = records[0]["host"]
    table = Table(
        title=f"{host['processor']}, {host['cores']} cores, load {host['load_1min']}, "
        f"torch {host['torch']}",
        caption="Medians: sequential, parallel, predicted; speedup with its 95 % interval; "
        "equal: outputs, bit for bit, or within what kernels that round otherwise may differ; MB: "
        "of all workers, shared pages once.",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    titles = "model", "workers", "seq ms", "par ms", "pred ms", "speedup", "bound", "equal", "MB"
    for title in titles:
        table.add_column(title, justify="left" if title == "model" else "right", no_wrap=True)
    for r in records:
        low, high = r["speedup_ci"]
        parallel = next(run for run in r["runs"] if run["label"] == "parallel")
        table.add_row(
            r["model"],
            f"{r['workers']}×{r['threads']}",
            f"{r['sequential_ms']:.1f}",
            f"{r['parallel_ms']:.1f}",
            f"{r['predicted_ms']:.1f}",
            f"{r['speedup']:.2f} ({low:.2f}–{high:.2f})",
            f"{r['bound']:.2f}",
            _equal(r),
            f"{parallel['memory_bytes'] / 1e6:.0f}",
        )
    console = Console()
    console.print(table)
    for r in records:
        console.print(f"[bold]{r['model']}[/]: {r['verdict']}")
        _print_weights(console, r)
        if check := r.get("import_check"):
            against = check.get("error") or f"{check['max_difference']:.1g} of the largest output"
            console.print(f"Import against ONNX Runtime: {against}.")
