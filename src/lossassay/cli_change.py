"""The command `change`: what extracted features do over the visits of subjects."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lossassay.printing import print_json, print_table, say

_SHOWN = 10
_DETECTABLE = {  # by where the smallest detectable change comes from
    None: "No ten subjects have two images of one day, so the smallest detectable change is not known. Give features "
    "of repeated images with --repeatability.",
    "repeat images": "The smallest detectable change comes from two images of one day. Shares beyond count how many "
    "images a subject has on its first and last day.",
    "given repeats": "The smallest detectable change comes from --repeatability. Shares beyond take it as it is, "
    "whatever number of images a day has.",
}


def add_commands(app: typer.Typer) -> None:
    """Add `change` to the command line."""
    app.command()(change)


def change(
    features: Annotated[Path, typer.Argument(metavar="FEATURES", help="A table of `extract`: .parquet, .csv or .npz.")],
    time: Annotated[str, typer.Option(metavar="COLUMN", help="When an image was taken: dates, or numbers.")],
    subject: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Whose it is; default: group, the patient that extract knew.")
    ] = None,
    score: Annotated[str | None, typer.Option(metavar="COLUMN", help="A clinical score then.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="The table that has these columns, a line for each image; default: FEATURES.")
    ] = None,
    path_column: Annotated[str, typer.Option("--path-column", help="Of --table: the images.")] = "path",
    repeatability: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Features of subjects that did not change, two images of each.")
    ] = None,
    time_unit: Annotated[Literal["years", "days"], typer.Option("--time-unit", help="Of times in numbers.")] = "years",
    alpha: Annotated[float, typer.Option(help="Intervals are those at a level of 1 - alpha.")] = 0.05,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The table, .csv or .parquet; default: FEATURES-changes.csv.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Change of features per year, the smallest detectable change, and correlation with a clinical score."""
    from lossassay import api

    target = out or features.with_name(f"{features.stem}-changes.csv")
    found = api.change(
        features,
        target,
        columns=api.ChangeColumns(time=time, subject=subject, score=score, path=path_column, time_unit=time_unit),
        table=table,
        repeatability=repeatability,
        alpha=alpha,
    )
    if as_json:
        facts = {name: getattr(found, name) for name in ("images", "left_out", "subjects", "coefficient_from")}
        return print_json({"changes": str(target), **facts, "features": found.table.to_dicts()})
    _print_strongest(found)
    if found.left_out:
        say(f"{found.left_out} images have no subject or no time and are left out.")
    say(_DETECTABLE[found.coefficient_from])
    typer.echo(f"{target}: {len(found.table):,} features, {found.subjects:,} subjects with two visits or more")


def _print_strongest(found: Any) -> None:
    heads = {
        "feature": "feature",
        "change_per_year": "change per year",
        "interval": f"{100 * found.level:.4g} % interval",
        "change_in_coefficients": "in coefficients",
        "share_beyond": "share beyond",
        "score_correlation": "with score",
    }
    rows = [row | {"interval": _interval(row)} for row in found.strongest(_SHOWN).to_dicts()]
    columns = [name for name in heads if any(row[name] is not None for row in rows)]
    print_table(
        [heads[name] for name in columns],
        [[_cell(row[name]) for name in columns] for row in rows],
        title=f"Features that change most, {len(rows)} of {len(found.table):,}",
    )


def _interval(row: dict[str, Any]) -> str:
    return f"{_cell(row['change_per_year_low'])} to {_cell(row['change_per_year_high'])}"


def _cell(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return "none" if value is None else f"{value:.3g}"
