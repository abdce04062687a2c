"""The commands that use a run: its features, its predictions, and the last training of one arm."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lossassay.cli_run_choice import Arm, Device, Replicate, Run, say_run
from lossassay.printing import print_json, print_table, say_findings

Images = Annotated[
    str, typer.Argument(metavar="PATH", help="A folder, a table, one image, an .npz file, DICOM files, or digits.")
]
Augment = Annotated[int, typer.Option(min=1, help="Average over so many views of each image; 1: the image itself.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Images at once; default: 32 on a processor, else 256.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that decode; changes no result.")]
Accept = Annotated[
    list[str] | None, typer.Option("--accept", metavar="CODE", help="Go on despite this finding of the audit.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def add_commands(app: typer.Typer) -> None:
    """Add `extract`, `predict` and `fit` to the command line."""
    app.command()(extract)
    app.command()(predict)
    app.command()(fit)


def extract(
    run: Run,
    path: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table: .parquet, .csv or .npz.")],
    arm: Arm = None,
    replicate: Replicate = "median",
    layer: Annotated[str, typer.Option(help="Whose output is taken; maps are averaged over positions.")] = "features",
    augment: Augment = 1,
    per_patient: Annotated[
        bool, typer.Option("--per-patient", help="Also a table with a row for each patient.")
    ] = False,
    batch_size: BatchSize = None,
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="bf16: faster on some machines, about three digits.")
    ] = "fp32",
    device: Device = "cpu",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Features and probabilities of images, with a model card beside them; exit code 1 if some are unreadable."""
    from lossassay import api

    with _display() as display:
        found = api.extract(
            run,
            path,
            out,
            arm=arm,
            replicate=replicate,
            layer=layer,
            augment=augment,
            per_patient=per_patient,
            batch_size=batch_size,
            precision=precision,
            device=device,
            workers=workers,
            on_decoding=partial(display.on_progress, "Decoding images"),
            on_progress=partial(display.on_progress, "Extracting features"),
        )
    say_run(found)
    card = out.with_name(f"{out.stem}-model-card.html")
    if as_json:
        print_json(
            {
                "run": found.run,
                "features": str(found.path),
                "patients": None if found.patients_path is None else str(found.patients_path),
                "model_card": str(card),
                "images": found.images,
                "columns": found.features,
                "left_out": found.left_out,
                "findings": _findings_as_data(found.findings),
            }
        )
    else:
        typer.echo(f"{found.path}: {found.images:,} images, {found.features:,} features")
        if found.patients_path is not None:
            typer.echo(f"{found.patients_path}: {found.patients:,} patients")
        typer.echo(f"Model card: {card}")
    say_findings(found.findings, found.left_out)


def predict(
    run: Run,
    path: Images,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The table: .csv, .parquet or .npz.")] = None,
    arm: Arm = None,
    replicate: Replicate = "median",
    augment: Augment = 1,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Calibrated probabilities and decisions; exit code 1 if some images are unreadable. Not a medical device."""
    from lossassay import api

    with _display() as display:
        found = api.predict(
            run,
            path,
            out,
            arm=arm,
            replicate=replicate,
            augment=augment,
            batch_size=batch_size,
            device=device,
            workers=workers,
            on_decoding=partial(display.on_progress, "Decoding images"),
            on_progress=partial(display.on_progress, "Predicting"),
        )
    say_run(found)
    if as_json:
        print_json(_prediction_as_data(found))
    elif out is None:
        typer.echo(found.table.write_csv(), nl=False)
    else:
        typer.echo(f"{out}: {len(found.table):,} predictions")
        _print_points(found)
    say_findings(found.findings, found.left_out)


def fit(
    study: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="A study file.")],
    arm: Annotated[str, typer.Option(help="The arm to train; tuned as the study tunes it.")],
    out: Annotated[Path, typer.Option("--out", help="Out folder, new or empty.")],
    keep_test: Annotated[bool, typer.Option("--keep-test", help="Keep the test part of the first replicate.")] = False,
    study_out: Annotated[
        Path | None, typer.Option("--study-out", metavar="DIR", help="Out folder of the study: what to expect.")
    ] = None,
    accept: Accept = None,
    as_json: AsJson = False,
) -> None:
    """Train one arm once more on all data, for extract, predict and export."""
    from lossassay import api
    from lossassay.progress import StudyDisplay

    with StudyDisplay() as display:
        folder = api.fit(
            study,
            arm,
            out,
            keep_test=keep_test,
            study_out=study_out,
            accept=accept or (),
            progress=display.progress,
        )
    card = out / "fit-model-card.html"
    if as_json:
        return print_json({"run": str(folder), "model_card": str(card)})
    typer.echo(f"Run: {folder}")
    typer.echo(f"Model card: {card}")


def _display() -> AbstractContextManager[Any]:
    from lossassay.progress import StepsDisplay

    return StepsDisplay(lines=False)


def _findings_as_data(findings: Sequence[Any]) -> list[dict[str, str]]:
    return [{"code": one.code, "severity": one.severity, "message": one.message} for one in findings]


def _prediction_as_data(found: Any) -> dict[str, Any]:
    from lossassay.biomarkers.decisions.operating_points import as_table

    return {
        "run": found.run,
        "predictions": found.table.to_dicts(),
        "operating_points": as_table(found.points).to_dicts(),
        "left_out": found.left_out,
        "findings": _findings_as_data(found.findings),
    }


def _print_points(found: Any) -> None:
    rows = []
    for one in found.points:
        shares = [
            "no test part" if share is None else f"{share.estimate:.3f} ({share.low:.3f} to {share.high:.3f})"
            for share in (one.sensitivity, one.specificity)
        ]
        rows.append([one.class_name, one.rule, f"{one.threshold:.4f}", *shares])
    title = "Operating points: chosen on the validation part, judged on the test part (exact 95 % intervals)"
    print_table(["class", "rule", "threshold", "sensitivity", "specificity"], rows, title=title)
