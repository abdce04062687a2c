"""The commands about losses: the catalogue, one loss in full, losses for a data set, checks of a loss of one's own."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lossassay.errors import LossassayError, LossInputError, OutFolderError, UnknownNameError
from lossassay.printing import print_json, print_table, say

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Task = Literal["single_label", "ordinal", "multi_label"]

_GRAPH_WIDTH = 64
_TEXT_WIDTH = 100


def add_commands(app: typer.Typer) -> None:
    """Add `losses` and `check-loss` to the command line."""
    app.command()(losses)
    app.command("check-loss")(check_loss)


def losses(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One loss in full, with its curve.")] = None,
    task: Annotated[Task | None, typer.Option(help="Only losses that can train it.")] = None,
    suggest: Annotated[str | None, typer.Option(metavar="PATH", help="Propose arms for these data.")] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With NAME: draw value and gradient, .svg or .png.")
    ] = None,
    write_docs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page for each loss, with its drawing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The catalogue of losses: formula, paper, defaults, the same elsewhere, what each is proven by."""
    _refuse_mixtures(name, task, suggest, chart, write_docs)
    if suggest is not None:
        return _suggest(suggest, as_json)
    if write_docs is not None:
        from lossassay.reporting.loss_pages import write_pages

        pages = write_pages(write_docs)
        return print_json({"pages": [str(page) for page in pages]}) if as_json else typer.echo(str(pages[0]))
    if name is not None:
        return _one(name, chart, as_json)
    from lossassay.catalogue.facts import loss_facts
    from lossassay.catalogue.losses import LOSSES

    chosen = [loss_facts(key) for key, spec in LOSSES.items() if task is None or spec.trains(task)]
    if as_json:
        return print_json(chosen)
    _list(chosen)


def check_loss(
    name: Annotated[str, typer.Argument(metavar="module:function", help="A loss of your own, or of the catalogue.")],
    classes: Annotated[int, typer.Option(min=2, help="How many classes to try it with.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Which properties of a loss hold; exit code 1 if one does not that applies."""
    from lossassay import api

    found = api.check_loss(name, num_classes=classes)
    if as_json:
        print_json([{"name": one.name, "holds": one.holds, "detail": one.detail} for one in found])
    else:
        words = {True: "yes", False: "NO", None: "does not apply"}
        rows = [[one.name, words[one.holds], one.detail] for one in found]
        print_table(["property", "holds", "seen"], rows, title=f"{name}, {classes} classes")
    if any(one.holds is False for one in found):
        raise typer.Exit(1)


def _refuse_mixtures(
    name: str | None, task: str | None, suggest: str | None, chart: Path | None, write_docs: Path | None
) -> None:
    """Say which options do not go together."""
    ways = {"NAME": name, "--suggest": suggest, "--write-docs": write_docs}
    given = [way for way, value in ways.items() if value is not None]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} cannot be used together; give one of them.")
    if task is not None and given:
        raise typer.BadParameter(f"--task is for the list and cannot be used with {given[0]}.")
    if chart is not None and name is None:
        raise typer.BadParameter("--chart draws one loss: lossassay losses NAME --chart FILE.svg")
    if chart is not None and chart.suffix.lower() not in (".svg", ".png"):
        raise typer.BadParameter(f"--chart writes .svg or .png, got {chart.name!r}.")


def _list(chosen: list[dict[str, Any]]) -> None:
    from lossassay.catalogue.facts import proof_in_words

    families = dict.fromkeys(facts["family"] for facts in chosen)
    for family in families:
        rows = [
            [facts["name"], ", ".join(facts["tasks"]).replace("_", " "), facts["when"], proof_in_words(facts["name"])]
            for facts in chosen
            if facts["family"] == family
        ]
        print_table(["loss", "tasks", "when", "proven by"], rows, title=family)
    typer.echo(
        f"{len(chosen)} losses in {len(families)} families. One in full: lossassay losses NAME. "
        "For your data: lossassay losses --suggest PATH"
    )


def _one(name: str, chart: Path | None, as_json: bool) -> None:
    from lossassay.catalogue.facts import loss_facts

    try:
        facts = loss_facts(name)
    except LossassayError:
        raise
    except Exception as error:  # whatever a stranger's module may raise when it is imported
        raise UnknownNameError(f"The loss {name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if as_json:
        print_json([facts])
    else:
        for line in _in_full(facts):
            typer.echo(line)
    if chart is None and as_json:
        return
    drawn = _curve(facts["name"])
    if not as_json:
        _draw(drawn)
    if chart is not None:
        _write_chart(chart, facts, drawn)


def _curve(name: str) -> Any:
    from lossassay.catalogue.own_losses import is_own
    from lossassay.losses.curves import curve

    try:
        return curve(name)
    except Exception as error:
        if isinstance(error, LossassayError) or not is_own(name):
            raise
        raise LossInputError(
            f"{name} cannot be drawn: {type(error).__name__}: {error}. `lossassay check-loss {name}` says more."
        ) from error


def _in_full(facts: Mapping[str, Any]) -> list[str]:
    from lossassay.catalogue.facts import identity_in_words, proof_in_words

    lines = [f"{facts['name']}: {facts['title']}", "", f"  {facts['formula']}", "", facts["when"], ""]
    words = {
        "paper": facts["paper"],
        "family": facts["family"],
        "tasks": ", ".join(facts["tasks"]).replace("_", " "),
        "labels": "class indices [B]" if facts["labels"] == "integer" else "rows, one number per class [B K]",
        "head, link": f"{facts['head']}, {facts['link']}".replace("_", " "),
        "meant as": facts["output"],
        "needs": ", ".join(facts["inputs"]),
        "of a batch": "exists only for a batch" if facts["kind"] == "batch" else "",
        "aliases": ", ".join(facts["aliases"]),
        "variant of": facts["variant_of"] or "",
        "proven by": proof_in_words(facts["name"]) + (f" ({facts['oracle']})" if facts["proof"] else ""),
    }
    lines += [f"{key:>12}  {value}" for key, value in words.items() if value]
    for title, entries in (
        ("Hyper-parameters", facts["hyper_parameters"]),
        ("Where it is another loss", [identity_in_words(identity) for identity in facts["equals"]]),
        ("The same elsewhere", [f"{library}: {code}" for library, code in facts["elsewhere"].items()]),
        ("Where libraries differ", [facts["differs"]] if facts["differs"] else []),
    ):
        if entries:
            lines += ["", title]
            lines += [
                line
                for entry in entries
                for line in textwrap.wrap(entry, _TEXT_WIDTH, initial_indent="  ", subsequent_indent="    ")
            ]
    return lines


def _draw(drawn: Any) -> None:
    from lossassay.reporting.terminal import drawn_line

    plain = not _can_print("\u28ff\u2524\u2514\u2500\u2502")
    place = drawn.place.tolist()
    for title, numbers, height in (("value", drawn.value, 11), ("gradient of the value", drawn.gradient, 9)):
        typer.echo("")
        for line in drawn_line(
            place,
            numbers.tolist(),
            x_title=drawn.axis,
            y_title=title,
            width=_GRAPH_WIDTH,
            height=height,
            plain=plain,
        ):
            typer.echo(line)
    if drawn.note:
        typer.echo(f"\nDrawn for {drawn.note}.")


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _write_chart(target: Path, facts: Mapping[str, Any], drawn: Any) -> None:
    from lossassay.reporting.charts.loss_curve import as_png, loss_chart

    svg = loss_chart(
        drawn.place.tolist(),
        drawn.value.tolist(),
        drawn.gradient.tolist(),
        title=facts["title"],
        axis=drawn.axis,
        note=drawn.note,
    )
    try:
        if target.suffix.lower() == ".png":
            target.write_bytes(as_png(svg))
        else:
            target.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise OutFolderError(
            f"{target} cannot be written: {error.strerror}. Name a file in a folder that is there."
        ) from error
    say(f"Chart: {target}")


def _suggest(path: str, as_json: bool) -> None:
    from lossassay import api

    facts, found = api.suggest_losses(path)
    if as_json:
        entries = [{"loss": s.loss, "hyper_parameters": dict(s.hyper_parameters), "reason": s.reason} for s in found]
        counts = dict(zip(facts.class_names, facts.counts, strict=True))
        return print_json({"task": facts.task, "images": facts.images, "counts": counts, "suggestions": entries})
    typer.echo(api.as_arms(facts, found))
