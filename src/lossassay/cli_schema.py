"""The command `schema`: the study file described for editors."""

from pathlib import Path
from typing import Annotated

import typer

from lossassay.cli_losses import AsJson
from lossassay.printing import print_json, say


def add_commands(app: typer.Typer) -> None:
    """Add `schema` to the command line."""
    app.command()(schema)


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it here in place of printing it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The JSON schema of study.toml, for editors that complete and check while you type."""
    from lossassay import api

    found = api.schema(out)
    if out is None:
        return print_json(found)
    if as_json:
        return print_json({"schema": str(out)})
    typer.echo(str(out))
    say(f"First line of a study file beside it: #:schema ./{out.name}")
