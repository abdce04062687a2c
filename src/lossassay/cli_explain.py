"""The command `explain`: heat maps of a run, and what they are worth."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lossassay.cli_run_choice import Arm, Device, Replicate, Run
from lossassay.printing import print_json, print_table, say_findings

Share = Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Of the occlusion, by the side of the image.")]

_IN_THE_TABLE = ("gain_over_random", "gain_over_moved", "likeness", "pointing_gain", "energy_gain")


def add_commands(app: typer.Typer) -> None:
    """Add `explain` to the command line."""
    app.command()(explain)


def explain(
    run: Run,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="New images: files, folders, tables; none: a gallery of test images."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, pictures, maps and tables.")] = Path(
        "explained"
    ),
    method: Annotated[
        list[str] | None,
        typer.Option(help="grad_cam (default), integrated_gradients or occlusion; may be given again."),
    ] = None,
    row: Annotated[list[int] | None, typer.Option(min=0, help="A row of the study; may be given again.")] = None,
    arm: Arm = None,
    replicate: Replicate = "median",
    of_class: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Class that maps are about; default: the predicted.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Of Grad-CAM; default: behind the last convolution.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of integrated gradients.")] = 32,
    window_share: Share = None,
    stride_share: Share = None,
    images_per_kind: Annotated[int, typer.Option("--per-kind", min=1, help="Images of each kind in the gallery.")] = 6,
    worth: Annotated[bool, typer.Option("--worth", help="Measure what the maps are worth; takes minutes.")] = False,
    worth_images: Annotated[int, typer.Option(min=1, help="Test images that maps are measured on.")] = 32,
    regions: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Boxes or masks of the study's images: does the map point there?"),
    ] = None,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Heat maps: where a run sees a class, with their worth (extra `explain`); exit code 1 if images are unreadable."""
    from lossassay import api
    from lossassay.biomarkers.heatmaps.maps import HeatmapOptions
    from lossassay.progress import StepsDisplay
    from lossassay.reporting.explain_page import as_data

    shares = {"window_share": window_share, "stride_share": stride_share}
    maps = HeatmapOptions(
        layer=layer, steps=steps, **{name: share for name, share in shares.items() if share is not None}
    )
    with StepsDisplay() as display:
        found = api.explain(
            run,
            images or (),
            out,
            rows=row or (),
            arm=arm,
            replicate=replicate,
            device=device,
            options=api.ExplainOptions(
                methods=tuple(dict.fromkeys(method or ("grad_cam",))),
                maps=maps,
                of_class=of_class,
                images_per_kind=images_per_kind,
                worth=worth,
                worth_images=worth_images,
                regions=regions,
            ),
            on_progress=display.on_progress,
        )
    if as_json:
        print_json(as_data(found) | {"page": str(out / "explain.html")})
    else:
        _print(found)
        typer.echo(str(out / "explain.html"))
    say_findings(found.findings, found.left_out)


def _print(found: Any) -> None:
    columns = ["image", "row", "kind", "label", "class", "probability"]
    rows = [
        [
            str(one.number),
            "" if one.row is None else str(one.row),
            one.kind,
            one.label or "",
            one.of_class,
            f"{one.probability:.3f}",
        ]
        for one in found.images
    ]
    run = found.run
    print_table(columns, rows, title=f"Maps of run {run['run']}, arm {run['arm']}, replicate {run['replicate'] + 1}")
    measured = [
        [
            one.method,
            one.what,
            one.name.replace("_", " ") + (f", down to {one.layer}" if one.layer else ""),
            f"{one.value.estimate:+.3f}",
            f"{one.value.low:+.3f} to {one.value.high:+.3f}",
            str(one.value.n),
        ]
        for one in found.measures
        if one.name in _IN_THE_TABLE
    ]
    if measured:
        print_table(
            ["map", "measure", "number", "mean", "95 % interval", "images"], measured, title="What they are worth"
        )
    for note in found.notes:
        typer.echo(f"- {note}")
