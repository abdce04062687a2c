"""The command `track`, and the same options for `run`: stored runs sent to MLflow or TensorBoard."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from lossassay.cli_losses import AsJson
from lossassay.printing import print_json

Mlflow = Annotated[
    str | None,
    typer.Option("--mlflow", metavar="URI", help="MLflow: http://HOST:PORT, or sqlite:///FILE.db (extra mlflow)."),
]
Experiment = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="In MLflow; default: the study's name.")
]
TensorBoard = Annotated[
    Path | None, typer.Option("--tensorboard", metavar="DIR", help="Folder of event files (extra tensorboard).")
]
TablesOnly = Annotated[
    bool, typer.Option("--tables-only", help="Send no report.html to MLflow: it shows small images of the data.")
]


def add_commands(app: typer.Typer) -> None:
    """Add `track` to the command line."""
    app.command()(track)


def track(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="An out folder.")],
    mlflow: Mlflow = None,
    experiment: Experiment = None,
    tensorboard: TensorBoard = None,
    tables_only: TablesOnly = False,
    as_json: AsJson = False,
) -> None:
    """Send the stored runs of a study to MLflow or TensorBoard; what is there already is not sent twice."""
    trackers = trackers_of(mlflow, experiment, tensorboard, tables_only)
    if trackers is None:
        raise typer.BadParameter("Nowhere to send the runs to. Give --mlflow URI, --tensorboard DIR, or both.")
    from lossassay import api

    sent = api.track(folder, trackers)
    if as_json:
        return print_json([asdict(one) for one in sent])
    for one in sent:
        runs = "1 run" if one.added == 1 else f"{one.added} runs"
        typer.echo(f"{one.tracker} ({one.place}): {runs} added, {one.there} already there")


def trackers_of(mlflow: str | None, experiment: str | None, tensorboard: Path | None, tables_only: bool) -> Any:
    """Return where to send runs to, or None where no tracker was named."""
    if mlflow is None and (experiment is not None or tables_only):
        option = "--experiment" if experiment is not None else "--tables-only"
        raise typer.BadParameter(f"{option} is for MLflow. Give --mlflow URI too, or leave it out.")
    if mlflow is None and tensorboard is None:
        return None
    from lossassay import api

    return api.Trackers(mlflow=mlflow, experiment=experiment, tensorboard=tensorboard, with_report=not tables_only)
