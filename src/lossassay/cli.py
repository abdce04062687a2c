"""The command line: talks to people. Data go to standard output, messages to standard error; nothing is ever asked.

Exit codes: 0 done; 1 findings, or runs that failed; 2 wrong usage or bad input; 130 stopped by Ctrl-C, 143 by SIGTERM.
Each command is one call of the public function of the same name; torch and the rest are imported inside them.
"""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lossassay import cli_biomarkers, cli_change, cli_explain, cli_export, cli_schema, cli_track, cli_use
from lossassay.cli_losses import AsJson, add_commands
from lossassay.cli_stop import end_on_sigterm, exit_code
from lossassay.cli_track import Experiment, Mlflow, TablesOnly, TensorBoard, trackers_of
from lossassay.errors import LossassayError, UnfinishedError
from lossassay.printing import print_json as _json
from lossassay.printing import print_table as _table
from lossassay.printing import say as _say

app = typer.Typer(
    help="Which loss should I train my medical image classifier with? Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option("--out", help="Out folder; made if it is not there.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Training processes at once; changes no result.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse (exit code 2) a design that cannot succeed.")]
Accept = Annotated[
    list[str] | None,
    typer.Option("--accept", metavar="CODE", help="Go on despite this finding of the audit; the report says so."),
]
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="A study file.")]
DataPath = Annotated[str, typer.Argument(metavar="PATH", help="Class folders, a table, an .npz file, or digits.")]


def main() -> None:
    """Run the command line; errors for people become one message and exit code 2."""
    end_on_sigterm()
    sys.path.insert(0, "")  # a user's own module:function lies in the working folder, here as in the workers
    try:
        app()
    except LossassayError as error:
        _say(f"Error: {error}")
        sys.exit(2)


@app.command()
def demo(out: Out = Path("demo-study"), workers: Workers = None, as_json: AsJson = False) -> None:
    """A full study on handwritten digits that ship with scikit-learn, then the path of its report."""
    from lossassay import api

    _finish(api.demo, out, workers, as_json)


@app.command()
def run(
    study: StudyFile,
    out: Out,
    workers: Workers = None,
    strict: Strict = False,
    accept: Accept = None,
    executor: Annotated[str, typer.Option(metavar="local|ray", help="Where runs are computed.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="With ray: auto, HOST:PORT or ray://HOST:PORT; default: this machine alone.")
    ] = None,
    transfer: Annotated[
        str, typer.Option(metavar="auto|shared|object-store", help="With ray: how data and results travel.")
    ] = "auto",
    gpu_share: Annotated[float, typer.Option(help="With ray on CUDA: the share of one GPU for each run.")] = 1.0,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Leave when other processes train all that is left; the last one reports.")
    ] = False,
    mlflow: Mlflow = None,
    experiment: Experiment = None,
    tensorboard: TensorBoard = None,
    tables_only: TablesOnly = False,
    as_json: AsJson = False,
) -> None:
    """Plan, train, analyse, report; a second call goes on where the first stopped, or shares the work with it."""
    trackers = trackers_of(mlflow, experiment, tensorboard, tables_only)
    from lossassay import api

    place = api.Executor(kind=executor, address=address, transfer=transfer, gpu_share=gpu_share)

    def work(**options: Any) -> Any:
        told = {"wait": not no_wait, "executor": place, "trackers": trackers, **options}
        return api.run(study, strict=strict, accept=accept or (), **told)

    try:
        _finish(work, out, workers, as_json)
    except UnfinishedError as left:
        _say(f"Done here. {left}")


@app.command()
def paper(
    which: Annotated[Literal["symbols", "cxr"], typer.Argument(metavar="symbols|cxr", help="The set.")],
    data: Annotated[str, typer.Option("--data", metavar="PATH", help="The images.")],
    out: Annotated[Path | None, typer.Option("--out", help="Out folder; default: paper-SET.")] = None,
    replicates: Annotated[int, typer.Option(min=1, help="The paper has 1; the noise floor needs 2 or more.")] = 1,
    image_size: Annotated[int | None, typer.Option(min=32, help="px; default: the paper's 400 or 300.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the paper's 100 for cxr; 5 for symbols.")] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """The paper's study (Seo and Cho), with its own numbers beside ours."""
    from lossassay import api

    def work(**options: Any) -> Any:
        return api.paper(which, data, replicates=replicates, image_size=image_size, epochs=epochs, **options)

    results = _finish(work, out or Path(f"paper-{which}"), workers, as_json, answers=False)
    if not as_json:
        table = results.stored.facts["paper"]
        _table(table["columns"], table["rows"], title=table["title"])
        for note in table["notes"]:
            typer.echo(f"- {note}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An out folder.")], as_json: AsJson = False
) -> None:
    """Analyse and draw again from what is stored; nothing is trained."""
    from lossassay import api

    results = api.report(folder)
    _path("report", results.folder / "report.html", as_json)


@app.command()
def plan(
    study: StudyFile,
    workers: Workers = None,
    spread: Annotated[
        float | None, typer.Option(help="Spread (sd) of paired differences in the primary metric, if you know it.")
    ] = None,
    earlier: Annotated[Path | None, typer.Option(metavar="DIR", help="An out folder to take the spread from.")] = None,
    pilot: Annotated[
        int | None, typer.Option(min=2, help="Train this many replicates for the spread, untuned; they never count.")
    ] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """List the runs of a study with expected time, memory and disk, and what its design can show."""
    from lossassay import api

    with _display() as display:
        planned = api.plan(
            study,
            workers=workers,
            spread=spread,
            earlier=earlier,
            pilot=pilot,
            strict=strict,
            progress=display.progress,
        )
    runs = planned.plan.runs
    if as_json:
        return _json(
            {
                "runs": [_run_line(run) for run in runs],
                "cost": planned.cost.__dict__,
                "outlook": asdict(planned.outlook),
            }
        )
    _table(
        ["run", "replicate", "arm", "train", "validation", "test"],
        [[run.id, str(run.replicate), run.arm, *_part_sizes(planned.plan, run.replicate)] for run in runs],
        title=f"{'up to ' if planned.plan.study.evidence.sequential else ''}{len(runs)} runs of "
        f"{planned.plan.study.name!r}",
    )
    for line in api.plan_in_words(planned):
        typer.echo(line)


@app.command()
def compare(
    scores: Annotated[
        Path,
        typer.Argument(metavar="SCORES.csv", help="CSV, TSV, Parquet: system, dataset, replicate, metric, value."),
    ],
    metric: Annotated[str | None, typer.Option(help="The metric to judge; default: the first in the file.")] = None,
    margin: Annotated[float | None, typer.Option(help="The smallest difference that matters.")] = None,
    alpha: Annotated[float, typer.Option(help="Chance of any false verdict in a data set.")] = 0.05,
    reference: Annotated[str | None, typer.Option(help="Compare with this system alone; default: all pairs.")] = None,
    better: Annotated[Literal["high", "low"] | None, typer.Option(help="For a metric of your own.")] = None,
    method: Annotated[Literal["t", "sign_flip"], typer.Option(help="Paired t, or max-T sign flips.")] = "t",
    diagram: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw the critical-difference diagram here (3 or more data sets)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verdicts for scores made elsewhere, paired by replicate; scope is always procedure."""
    from lossassay import api
    from lossassay.study.scores.words import in_tables

    found = api.compare(
        scores, metric=metric, margin=margin, alpha=alpha, reference=reference, better=better, method=method
    )
    if diagram is not None:
        _say(f"Diagram: {api.critical_difference(found, diagram)}")
    if as_json:
        return _json(found.as_data())
    for table in in_tables(found):
        _table(table.columns, table.rows, title=table.title)
    for note in found.notes:
        _say(f"- {note}")


@app.command()
def new(
    path: DataPath,
    out: Annotated[Path, typer.Option("--out", help="The file to write; never overwritten.")] = Path("study.toml"),
    as_json: AsJson = False,
) -> None:
    """Look at the data and write a commented study file."""
    from lossassay import api

    with _display() as display:
        written = api.new(path, out, progress=display.progress)
    _say(f"Written. Read it, set the margin, then: lossassay run {shlex.quote(str(written))} --out results")
    _path("study", written, as_json)


@app.command()
def audit(
    path: DataPath,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; default: audit.html, none with --json.")
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="File names in page and JSON too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is in the data, and what is wrong with it; exit code 1 on issues. A study file may stand for its data."""
    from lossassay import api
    from lossassay.study.auditing.store import as_plain_data

    page = out or (None if as_json else Path("audit.html"))
    with _display() as display:
        found = api.audit(path, page, names=names, progress=display.progress)
    if as_json:
        _json(as_plain_data(found, names=names))
    else:
        _findings(found)
        typer.echo(f"\nPage: {page.resolve() if page else ''}")
    if found.counted("issue"):
        raise typer.Exit(1)


def _findings(found: Any) -> None:
    typer.echo(f"{found.facts['images']:,} readable images, {len(found.facts['class_names'])} classes")
    for finding in found.findings:
        typer.echo(f"\n[{finding.severity}] {finding.code}: {finding.message}\n  {finding.advice}")
        for name in finding.paths[:10]:
            typer.echo(f"    {name}")
        if len(finding.paths) > 10:
            typer.echo(f"    and {len(finding.paths) - 10} more (all of them: --json --names)")


add_commands(app)
cli_biomarkers.add_commands(app)
cli_use.add_commands(app)
cli_explain.add_commands(app)
cli_change.add_commands(app)
cli_export.add_commands(app)
cli_schema.add_commands(app)
cli_track.add_commands(app)

cache_app = typer.Typer(help="Decoded images that are kept for the next study.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")


@cache_app.command("show")
def cache_show(as_json: AsJson = False) -> None:
    """List what the cache holds, and its limit."""
    from lossassay import api

    entries = api.cache_entries()
    if as_json:
        return _json(entries.to_dicts())
    _table(entries.columns, [[str(value) for value in row] for row in entries.rows()], title=f"{len(entries)} entries")


@cache_app.command("clear")
def cache_clear(as_json: AsJson = False) -> None:
    """Delete every decoded image; studies decode again when they need to."""
    from lossassay import api

    freed_bytes = api.clear_cache()
    if as_json:
        return _json({"freed_bytes": freed_bytes})
    typer.echo(f"{freed_bytes / 2**20:,.1f} MiB freed")


@contextmanager
def _display() -> Iterator[Any]:
    """Show progress; Ctrl-C ends with a message that says how to go on (typer would end without one)."""
    from lossassay.progress import StudyDisplay

    try:
        with StudyDisplay() as display:
            yield display
    except KeyboardInterrupt as stop:
        _say(
            "\nStopped. Every finished run and every finished epoch is kept: give the same command again to go on:\n"
            f"  lossassay {shlex.join(sys.argv[1:])}"
        )
        raise typer.Exit(exit_code(stop)) from None


def _finish(work: Any, out: Path, workers: int | None, as_json: bool, *, answers: bool = True) -> Any:
    """Run a study with its display, then print its answers and the path of its report."""
    with _display() as display:
        results = work(out=out, workers=workers, progress=display.progress)
    for message in results.stored.facts["failures"]:
        _say(f"Failed: {message}")
    if as_json:
        _json({"comparisons": results.comparisons.to_dicts(), "report": str(results.folder / "report.html")})
    elif answers:
        _answers(results)
    if not as_json:
        typer.echo(f"Report: {results.folder / 'report.html'}")
    if results.stored.facts["failures"]:
        raise typer.Exit(1)
    return results


def _answers(results: Any) -> None:
    primary = results.comparisons.filter(results.comparisons["primary"])
    rows = [
        [
            row["arm_a"],
            row["arm_b"],
            _number(row["difference"]),
            f"{_number(row['low'])} to {_number(row['high'])}",
            row["verdict"],
        ]
        for row in primary.iter_rows(named=True)
    ]
    facts = results.stored.facts
    metric = facts["primary_metric"].replace("_", " ")
    reached = facts["stopping"]["reached"]
    title = f"Differences in {metric}, a minus b; {reached} replicates, scope {facts['scope']}"
    if rows:
        level = f"{100 * (1 - facts['alpha']):g} % interval"
        _table(["arm a", "arm b", "difference", level, "verdict"], rows, title=title)
    arms = results.arms.filter(results.arms["metric"] == facts["primary_metric"])
    _table(
        ["arm", metric, "interval"],
        [
            [row["arm"], _unsigned(row["estimate"]), f"{_unsigned(row['low'])} to {_unsigned(row['high'])}"]
            for row in arms.iter_rows(named=True)
        ],
        title="Arms",
    )
    from lossassay.reporting.messages import load_messages
    from lossassay.reporting.tuning import terminal_line

    if line := terminal_line(results.stored, load_messages()):
        typer.echo(line)
    failed = results.table("checks").filter(results.table("checks")["status"] == "failed")["code"].to_list()
    if failed:
        typer.echo(f"Checks to look at in the report: {', '.join(failed)}")


def _number(value: float | None) -> str:
    return " none" if value is None else f"{value:+.4f}"


def _unsigned(value: float | None) -> str:
    """Write a yardstick: no plus, but a minus where it is below 0, as a kappa can be."""
    return _number(value).strip().removeprefix("+")


def _run_line(run: Any) -> dict[str, Any]:
    return {"id": run.id, "arm": run.arm, "replicate": run.replicate, "seeds": run.spec.seeds.as_dict()}


def _part_sizes(planned: Any, replicate: int) -> list[str]:
    own = planned.splits[replicate]
    return [f"{len(part):,}" for part in (own.train, own.validation, own.test)]


def _path(noun: str, path: Path, as_json: bool) -> None:
    if as_json:
        return _json({noun: str(path)})
    typer.echo(str(path))
