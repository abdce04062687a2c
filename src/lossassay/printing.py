"""How the commands print: data to standard output, as a table or as JSON; messages to standard error."""

import json
from collections.abc import Sequence
from typing import Any

import typer


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str) -> None:
    """Print a table that fits the width of the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title.replace("[", "\\["), title_justify="left", box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell).replace("[", "\\[") for cell in row))
    Console().print(table)


def print_json(value: Any) -> None:
    """Print plain data for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def say(message: str) -> None:
    """Print a message for people."""
    typer.echo(message, err=True)


def say_findings(findings: Sequence[Any], left_out: int) -> None:
    """Say what came up while images were read, with the files that cannot be read; exit code 1 if there are some."""
    for one in findings:
        say(f"{one.code}: {one.message} {one.advice}")
        if one.severity == "issue":
            for path in one.paths:
                say(f"  {path}")
    if left_out:
        raise typer.Exit(1)
