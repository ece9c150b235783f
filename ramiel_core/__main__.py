"""`python -m ramiel_core`: the same engine as the app's, for a shell."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ramiel_core.errors import ModelError, PlanError, RamielError
from ramiel_core.ir import AUTO, KERNELS, Job, Rewrites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.progress import Progress

BAD_INPUT = 2
FAILED = 1
NAMED = 3  # operators in a table, before it says "..."


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence; `--help` has the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"ramiel: {message}. See `{self.prog} --help`.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 for a failed run, 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except (ModelError, PlanError) as error:
        print(f"ramiel: {error}", file=sys.stderr)
        return BAD_INPUT
    except RamielError as error:
        print(f"ramiel: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("ramiel: cancelled; its workers have ended.", file=sys.stderr)
        return 130
    return code


_PLANNER_HELP = (
    "ramiel (default), merging, linear, linear-anew, dsc, sarkar, heft, cpop, or exact for small "
    "graphs"
)

_REWRITES = {
    "fold-constants": "what depends on weights alone is computed once, before planning",
    "drop-dead": "what nobody reads is left out",
    "clone": "workers repeat cheap operators where that is predicted to be faster than waiting",
}


_MODEL_HELP = "a torchvision classification model, such as googlenet, or an ONNX file"


def _named(model: str, options: argparse.Namespace) -> str:
    """A model's name, checked, with the sizes that were asked for."""
    from ramiel_core import client, pipeline

    sizes = dict(pipeline.size(text) for text in options.dim)
    if options.trust and client.needs_trust(model):
        model = client.open_trusted(model, options.input)
    name = pipeline.with_sizes(pipeline.resolve(model), sizes)
    if sizes:
        pipeline.graph_of(name)  # which refuses a size that does not fit
    return name


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m ramiel_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    analyze = commands.add_parser("analyze", help="operators, clusters, T1, T∞, critical path")
    analyze.add_argument("model", help=_MODEL_HELP)
    analyze.add_argument("--cost", choices=("unit", "flops", "measured"), default="flops")
    analyze.add_argument("--planner", metavar="NAME", help=_PLANNER_HELP)
    _add_rewrites(analyze)
    analyze.add_argument("--refresh", action="store_true", help="measure costs anew")
    analyze.add_argument("--json", action="store_true", help="print JSON")
    analyze.set_defaults(command=_analyze)

    bench = commands.add_parser("bench", help="sequential against parallel, in turn")
    bench.add_argument("models", nargs="*", metavar="MODEL", help="default: the five of the README")
    bench.add_argument("--workers", type=int, metavar="K", help="default: as many as pay")
    bench.add_argument("--threads", type=int, default=1, metavar="T", help="inside each operator")
    bench.add_argument("--repeats", type=int, default=30, metavar="R")
    bench.add_argument("--signals", choices=("fast", "queue"), default="fast")
    bench.add_argument("--kernels", choices=(*KERNELS, AUTO), default="eager")
    bench.add_argument("--planner", default="ramiel", metavar="NAME")
    bench.add_argument("--runtime", choices=("processes", "threads"), default="processes")
    _add_rewrites(bench)
    bench.add_argument("--out", type=Path, default=Path("results.json"), metavar="FILE")
    bench.add_argument("--trace", type=Path, metavar="FILE", help="timelines, for ui.perfetto.dev")
    bench.add_argument("--html", type=Path, metavar="FILE", help="a report that opens off line")
    bench.set_defaults(command=_bench)

    tune = commands.add_parser("tune", help="find the fastest configuration on this host")
    tune.add_argument("model", help=_MODEL_HELP)
    tune.add_argument("--budget", type=float, default=60.0, metavar="SECONDS")
    tune.add_argument("--json", action="store_true", help="print JSON")
    tune.set_defaults(command=_tune)

    emit = commands.add_parser("emit", help="write the generated program")
    emit.add_argument("model", help=_MODEL_HELP)
    emit.add_argument("--out", type=Path, required=True, metavar="DIR")
    emit.add_argument("--workers", type=int, metavar="K", help="default: the natural fixpoint")
    emit.add_argument("--cost", choices=("unit", "flops", "measured"), default="flops")
    emit.add_argument("--planner", metavar="NAME", help=_PLANNER_HELP)
    _add_rewrites(emit)
    emit.set_defaults(command=_emit)

    for command in (analyze, bench, tune, emit):
        command.add_argument(
            "--dim",
            action="append",
            default=[],
            metavar="NAME=SIZE",
            help="size of a dynamic dimension of an ONNX file; default: 1, or by its name",
        )
        command.add_argument(
            "--trust",
            action="store_true",
            help="load a .pt2 or TorchScript file although loading executes code that it may hold, "
            "with all that your account may do; limited in memory and time, in its own process",
        )
        command.add_argument(
            "--input",
            action="append",
            default=[],
            metavar="SHAPE",
            help="shape of an input of such a file: 1x3x224x224, or 1x64:int64; one for each",
        )

    for command in (analyze, bench, tune):
        command.add_argument(
            "--weights",
            default="",
            metavar="FILE",
            help="a .safetensors file or a state dict (.pth, .pt) for the model; default: random",
        )
        command.add_argument(
            "--partial-weights",
            action="store_true",
            help="load what fits of them: the rest stays random",
        )

    models = commands.add_parser("models", help="every model by name")
    models.set_defaults(command=lambda _: _models())

    launch = commands.add_parser("launch")  # what `bench` and the app start; not for people
    launch.add_argument("folder", type=Path)
    launch.set_defaults(command=_launch)
    return parser


def _add_rewrites(command: argparse.ArgumentParser) -> None:
    for name, text in _REWRITES.items():
        switch = argparse.BooleanOptionalAction
        command.add_argument(f"--{name}", action=switch, default=name != "clone", help=text)


def _rewrites_of(options: argparse.Namespace) -> Rewrites:
    return Rewrites(options.fold_constants, options.drop_dead)


def _analyze(options: argparse.Namespace) -> int:
    from ramiel_core import client, pipeline

    planner, rewrites = pipeline.planner_named(options.planner), _rewrites_of(options)
    model = _named(options.model, options)
    weights = _fitted(model, options)
    graph = pipeline.graph_of(model, rewrites=rewrites)
    if options.cost == "measured" and (options.refresh or not pipeline.is_measured(graph)):
        job = Job(model, task="profile", **asdict(rewrites))
        for _ in client.finish(client.start(job)):
            pass
    graph = pipeline.weigh(graph, options.cost)
    plan = pipeline.plan_of(graph, planner=planner)
    if options.clone:
        graph, plan = pipeline.with_clones(graph, plan)
    found = pipeline.summary(graph, plan) | weights
    if sizes := pipeline.dimensions_of(model):
        found["dimensions"] = sizes
    if warnings := pipeline.weight_warnings(model):
        found["warnings"] = warnings
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _print_summary(found, options.planner, pipeline.outlook(graph))
        for warning in found.get("warnings", ()):
            print(f"Warning: {warning}")
    return 0


def _fitted(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """How the weights that were asked for fit; as JSON also where they are then refused."""
    from ramiel_core import pipeline

    asked = _weights_of(options)
    if not asked["weights"]:
        return {}
    fit = pipeline.weights_fit(model, asked["weights"])
    found = {"weights": pipeline.weights_record(fit)}
    if why := pipeline.weights_problem(fit, partial=asked["partial_weights"]):
        if options.json:
            print(json.dumps(found, indent=2))
        raise ModelError(why)
    return found


def _weights_of(options: argparse.Namespace) -> dict[str, Any]:
    if options.partial_weights and not options.weights:
        raise ModelError("--partial-weights is about a file: name it by --weights FILE.")
    return {"weights": options.weights, "partial_weights": options.partial_weights}


def _bench(options: argparse.Namespace) -> int:
    from ramiel_core import outcomes, pipeline

    fields = ("kernels", "planner", "runtime", "workers", "threads", "repeats", "signals", "clone")
    settings = {name: getattr(options, name) for name in fields} | asdict(_rewrites_of(options))
    settings |= _weights_of(options)
    models = [_named(name, options) for name in options.models] or list(pipeline.FIVE)
    if options.weights and len(models) > 1:
        raise ModelError("weights are of one model: name the one that --weights belongs to.")
    jobs = [Job(model, **settings) for model in models]  # all are checked before the first starts
    records: list[dict[str, Any]] = []
    with _progress() as progress:
        for job in jobs:
            records.append(_bench_one(job, progress))
            options.out.write_text(json.dumps(records, indent=1) + "\n")
            if options.trace:
                trace = outcomes.trace_of(*records)
                options.trace.write_text(json.dumps(trace) + "\n")
            if options.html:
                options.html.write_text(outcomes.html_of(*records))
    _print_table(records)
    written = (options.out, options.trace, options.html)
    print(f"Written to {' and '.join(map(str, filter(None, written)))}.")
    return 0 if all(record["equal"] for record in records) else FAILED


def _bench_one(job: Job, progress: Progress) -> dict[str, Any]:
    from ramiel_core import client

    bar = progress.add_task(f"{job.model}: starting", total=job.repeats)
    for event in client.finish(client.start(job)):
        if event["kind"] == "stage":
            progress.update(bar, description=f"{job.model}: {event['text']}")
        elif event["kind"] == "queued":
            progress.update(bar, description=f"{job.model}: waiting for another benchmark")
        elif event["kind"] == "planned":
            for warning in event["warnings"]:
                progress.console.print(f"[yellow]{job.model}: {warning}[/]")
        elif event["kind"] == "progress":
            progress.update(bar, completed=event["done"])
        elif event["kind"] == "report":
            progress.update(bar, description=f"{job.model}: done")
            found: dict[str, Any] = event["record"]
            return found
    raise RamielError(f"the benchmark of {job.model} was cancelled; start it again.")


def _tune(options: argparse.Namespace) -> int:
    from ramiel_core import client

    model = _named(options.model, options)
    job = Job(model, task="tune", budget_s=options.budget, **_weights_of(options))
    found: dict[str, Any] = {}
    with _progress() as progress:
        bar = progress.add_task(f"{job.model}: starting", total=None)
        for event in client.finish(client.start(job)):
            if event["kind"] == "stage":
                progress.update(bar, description=f"{job.model}: {event['text']}")
            elif event["kind"] == "standings":
                rows = event["rows"]
                waiting = sum(row["state"] in ("waiting", "measuring") for row in rows)
                progress.update(bar, total=len(rows), completed=len(rows) - waiting)
            elif event["kind"] == "tuned":
                found = event["record"]
    if not found:
        raise RamielError(f"the tuning of {job.model} was cancelled; start it again.")
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _print_standings(found)
    return 0


def _emit(options: argparse.Namespace) -> int:
    from ramiel_core import pipeline

    planner = pipeline.planner_named(options.planner)
    model = _named(options.model, options)
    graph = pipeline.graph_of(model, cost=options.cost, rewrites=_rewrites_of(options))
    parallel = graph, pipeline.plan_of(graph, options.workers, planner)
    if options.clone:
        parallel = pipeline.with_clones(*parallel)
    plans = {"parallel.py": parallel, "sequential.py": (graph, pipeline.plan_of(graph, 1))}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, made in plans.items():
        path = options.out / name
        path.write_text(pipeline.program_of(*made).source)
        print(path)
    return 0


def _models() -> int:
    from ramiel_core.model import zoo

    for family, names in zoo.families().items():
        print(f"{family}: {', '.join(names)}")
    return 0


def _launch(options: argparse.Namespace) -> int:
    from ramiel_core.run import jobs

    with jobs.host_to_itself(options.folder):
        # Only now: it imports torch, which would take a core from the job that is timed meanwhile.
        from ramiel_core import launcher

        return launcher.launch(options.folder)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=Console(stderr=True))


def _print_summary(found: dict[str, Any], planner: str | None, outlook: str) -> None:
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
    taken = {"removed_constants": "folded", "removed_dead": "dead", "cloned": "cloned"}
    if fit := found.get("weights"):
        rows.append(("weights", "\n".join(fit["said"])))
    rows += [(text, _listed(found[key])) for key, text in taken.items() if found[key]]
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


def _print_standings(found: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    host = found["host"]
    table = Table(
        title=f"{found['model']} on {host['processor']}, {host['cores']} cores, "
        f"load {host['load_1min']}",
        caption="Milliseconds. × fastest: against the winner in the same rounds, which counts: the "
        "host's speed changes between rounds.",
        box=box.SIMPLE_HEAD,
    )
    for title in ("configuration", "predicted", "median", "× fastest"):
        table.add_column(title, justify="left" if title == "configuration" else "right")
    for row in found["standings"]:
        if row["state"] != "failed":
            against = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
            table.add_row(row["label"], _ms(row["predicted_ms"]), _ms(row["median_ms"]), against)
    console = Console()
    console.print(table)
    _print_weights(console, found)
    for row in found["standings"]:
        if row["state"] == "failed":
            console.print(f"{row['label']} is out: {row['reason']}")
    console.print(" → ".join(f"{step['choice']} {step['ms']:.1f} ms" for step in found["steps"]))


def _print_weights(console: Console, record: dict[str, Any]) -> None:
    if fit := record.get("weights"):
        console.print(" ".join(fit["said"]), markup=False)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _print_table(records: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    host = records[0]["host"]
    table = Table(
        title=f"{host['processor']}, {host['cores']} cores, load {host['load_1min']}, "
        f"torch {host['torch']}",
        caption="Medians: sequential, parallel, predicted; speedup with its 95 % interval; "
        "equal: outputs, bit for bit.",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for title in ("model", "workers", "seq ms", "par ms", "pred ms", "speedup", "bound", "equal"):
        table.add_column(title, justify="left" if title == "model" else "right", no_wrap=True)
    for r in records:
        low, high = r["speedup_ci"]
        table.add_row(
            r["model"],
            f"{r['workers']}×{r['threads']}",
            f"{r['sequential_ms']:.1f}",
            f"{r['parallel_ms']:.1f}",
            f"{r['predicted_ms']:.1f}",
            f"{r['speedup']:.2f} ({low:.2f}–{high:.2f})",
            f"{r['bound']:.2f}",
            "yes" if r["equal"] else "[red]NO[/]",
        )
    console = Console()
    console.print(table)
    for r in records:
        console.print(f"[bold]{r['model']}[/]: {r['verdict']}")
        _print_weights(console, r)
        if check := r.get("import_check"):
            against = check.get("error") or f"{check['max_difference']:.1g} of the largest output"
            console.print(f"Import against ONNX Runtime: {against}.")


if __name__ == "__main__":
    sys.exit(main())
