"""The command that assesses the features of a finished study."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from lossassay.cli_losses import AsJson
from lossassay.printing import print_json, print_table, say


def add_commands(app: typer.Typer) -> None:
    """Add `biomarkers` to the command line."""
    app.command()(biomarkers)


def biomarkers(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An out folder.")],
    criterion: Annotated[
        str | None, typer.Option(help="Carries the verdict; default: the study's, or repeatability.")
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option("--probe", metavar="COLUMN", help="Labels that were not trained on; may be given again."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; default: as many as pay. Changes no result.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Which loss leaves the better features behind: repeatability, separation, transfer and more, with intervals."""
    from lossassay import api
    from lossassay.progress import StudyDisplay

    with StudyDisplay() as display:
        results = api.biomarkers(
            folder, _settings(folder, criterion, probe), workers=workers, progress=display.progress
        )
    stored = results.stored
    if as_json:
        comparisons = stored.later("biomarker_comparisons").to_dicts()
        page = str(results.folder / "report.html")
        return print_json({"facts": stored.biomarkers, "comparisons": comparisons, "report": page})
    facts = stored.biomarkers or {}
    arms = stored.later("biomarkers").filter(criterion=facts["criterion"])
    print_table(
        ["arm", facts["criterion"], "interval"],
        [[row["arm"], _number(row["estimate"]), _interval(row)] for row in arms.iter_rows(named=True)],
        title=f"Features, {facts['criterion']}; {facts['replicates']} replicates",
    )
    best = facts["best_biomarkers"]
    word = "Best biomarkers" if best["shown"] else "Undecided; the highest mean has"
    typer.echo(f"{word}: {best['arm']}")
    for words in _left_out(facts):
        say(words)
    typer.echo(f"Report: {results.folder / 'report.html'}")


def _left_out(facts: dict[str, Any]) -> Iterator[str]:
    """Yield what has no features, and what of the baseline could not be made."""
    if facts["runs_diverged"]:
        by_arm = ", ".join(f"{arm} {count}" for arm, count in facts["diverged_by_arm"].items())
        yield f"{facts['runs_diverged']} diverged runs have no features and are left out (by arm: {by_arm})."
    if facts["baseline"] == "no_scikit_image":
        yield 'No classical baseline: it needs scikit-image. Install it with: pip install "lossassay[preprocess]".'
    if facts["baseline"] == "first_order":
        yield "The classical baseline of volumes has first-order features alone; co-occurrence is made for flat images."


def _settings(folder: Path, criterion: str | None, probe: list[str] | None) -> Any:
    """Return the study's settings with what the command line says otherwise; None: the study's own."""
    if criterion is None and not probe:
        return None
    from lossassay.config import load_study
    from lossassay.config.schema import BiomarkersConfig
    from lossassay.study.folder.results import read_plan

    read_plan(folder)  # says so if this is no out folder
    own = (load_study(folder / "study.toml").biomarkers or BiomarkersConfig()).model_dump()
    if criterion is not None:
        own |= {"criterion": criterion, "margin": None}  # a margin is in the unit of the criterion it was stated for
    if probe:
        own["probes"] = probe
    return BiomarkersConfig.model_validate(own)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _interval(row: dict[str, Any]) -> str:
    return f"{_number(row['low'])} to {_number(row['high'])}"
