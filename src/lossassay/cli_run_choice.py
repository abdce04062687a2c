"""How the commands that use a run are told which; the same in `extract`, `predict`, `export` and `explain`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lossassay.printing import say

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="OUT/runs/ID, or an out folder: a run of its best arm on validation.")
]
Arm = Annotated[str | None, typer.Option(metavar="NAME", help="With an out folder: only runs of this arm.")]
Replicate = Annotated[
    str,
    typer.Option(metavar="WHICH", help="With an out folder: median or best on validation, or a number from 0."),
]
Device = Annotated[Literal["cpu", "cuda", "mps"], typer.Option(help="Where the network computes.")]


def say_run(found: Any) -> None:
    """Say which run was used, on standard error."""
    say(f"Run {found.run}: arm {found.arm}, replicate {found.replicate}")
