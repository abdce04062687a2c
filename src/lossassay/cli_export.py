"""The command `export`: a run written out for use elsewhere."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from lossassay.cli_losses import AsJson
from lossassay.cli_run_choice import Arm, Replicate, Run
from lossassay.printing import print_json, print_table, say


def add_commands(app: typer.Typer) -> None:
    """Add `export` to the command line."""
    app.command()(export)


def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write.")],
    format: Annotated[
        Literal["onnx", "torch", "safetensors", "all"], typer.Option(help="What to write; all: what is possible.")
    ] = "all",
    arm: Arm = None,
    replicate: Replicate = "median",
    as_json: AsJson = False,
) -> None:
    """Write a run as ONNX, torch program, or weights with code; each is checked on images of the test part."""
    from lossassay import api

    found = api.export(run, out, format=format, arm=arm, replicate=replicate)
    for reason in found.left_out:
        say(f"Left out: {reason}")
    if as_json:
        return print_json(asdict(found))
    print_table(
        ["format", "features", "scores", "probabilities"],
        [
            [one.format, *(f"{number:.1e}" for number in (one.features, one.scores, one.probabilities))]
            for one in found.parity
        ],
        title=f"Largest differences over {found.parity[0].images} images of the test part",
    )
    typer.echo(f"Written: {found.folder} ({', '.join(found.files)})")
