"""The reference of the losses as pages: an index by family, and for each loss a page with its drawing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lossassay.catalogue.facts import identity_in_words, loss_facts, proof_in_words
from lossassay.catalogue.losses import FAMILY_OF, LOSSES
from lossassay.catalogue.parameters import Parameter
from lossassay.errors import OutFolderError
from lossassay.reporting.charts.loss_curve import loss_chart

INDEX = "README.md"
_FIGURES = "figures"

_INTRODUCTION = """\
# Losses

{count} losses, written from the catalogue by `lossassay losses --write-docs docs/losses`. Every loss takes raw scores
and labels and returns one number per example; the mean over examples is the only reduction that a study uses.

Notation: z are the scores of one example, p = softmax(z), s = sigmoid(z), y the index of the true class, t its row
(one-hot, soft or multi-hot), K the number of classes, n the class counts and π their shares. *Proven by* says what the
tests compute: an *oracle* is an independent value, equal in value and gradient; *identities* are points at which the
loss is another one.

In the terminal: `lossassay losses focal` prints a page with its curve, `lossassay losses --suggest PATH` proposes
losses for your data.
"""

_OWN = """\
## A loss of your own

A study takes `loss = "my_module:my_loss"`, or a name that an installed package adds in the entry-point group
`lossassay.losses`. The function takes scores [B K] and class indices [B] and returns one number per example [B]; its
keyword-only arguments with a number as default are its hyper-parameters. To say otherwise (rows as labels, findings,
another last layer, a loss of the batch) it carries a `LossSpec` in an attribute `spec`.
`lossassay check-loss my_module:my_loss` shows which of the properties hold that are tested here.
"""

_TASKS = {"single_label": "single labels", "ordinal": "grades", "multi_label": "findings"}
_LABELS = {"integer": "class indices, [B]", "dense": "rows with one number per class, [B K]"}
_OUTPUTS = {
    "probability": "probabilities of the classes",
    "score": "decisions; its probabilities are calibrated on the validation part first",
    "rank": "an order only, of examples or of findings; probabilities are calibrated on the validation part first",
}
_BOUNDED = {
    True: "a surely wrong answer costs little more than a wrong one",
    "false_alarms": "a sure false alarm costs little more than a false alarm; a missed finding costs without end",
}
_INPUTS = {
    "class_counts": "images of each class in the training part",
    "epoch": "the number of the epoch",
    "epochs": "the number of epochs in all",
    "features": "what the last layer is given",
    "head_weight": "weights of the last layer",
    "centres": "a learnt point for each class",
    "rows": "row numbers of the examples",
}


def write_pages(folder: Path) -> list[Path]:
    """Write the index, a page for each loss and its drawing; return the paths of the pages, the index first.

    Args:
        folder: Made if it is not there.

    Raises:
        OutFolderError: If the folder cannot be written.
    """
    try:
        (folder / _FIGURES).mkdir(parents=True, exist_ok=True)
        for name in LOSSES:
            (folder / _FIGURES / f"{name}.svg").write_text(figure(name), encoding="utf-8")
        texts = pages()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutFolderError(f"{folder} cannot be written: {error.strerror}. Name another folder.") from error
    return [folder / name for name in texts]


def pages() -> dict[str, str]:
    """Return the text of every page by file name, the index first."""
    return {INDEX: _index(), **{f"{name}.md": _page(loss_facts(name)) for name in LOSSES}}


def figure(name: str) -> str:
    """Return the drawing of a loss as SVG."""
    from lossassay.losses.curves import curve

    drawn = curve(name)
    return loss_chart(
        drawn.place.tolist(),
        drawn.value.tolist(),
        drawn.gradient.tolist(),
        title=LOSSES[name].title,
        axis=drawn.axis,
        note=drawn.note,
    )


def _index() -> str:
    lines = [_INTRODUCTION.format(count=len(LOSSES))]
    for family in dict.fromkeys(FAMILY_OF.values()):
        names = [name for name in LOSSES if FAMILY_OF[name] == family]
        rows = [
            [f"[`{name}`]({name}.md)", _tasks(LOSSES[name].tasks), LOSSES[name].when, proof_in_words(name)]
            for name in names
        ]
        lines += [f"## {family}", "", *_table(["loss", "trains", "when", "proven by"], rows), ""]
    return "\n".join([*lines, _OWN])


def _page(facts: Mapping[str, Any]) -> str:
    name = facts["name"]
    lines = [
        f"# `{name}`: {facts['title']}",
        "",
        facts["when"],
        "",
        "```math",
        facts["formula"],
        "```",
        "",
        f"Paper: {facts['paper']}.",
        "",
        f"![Value and gradient of {facts['title']}]({_FIGURES}/{name}.svg)",
        "",
        *_table(["property", "here"], _properties(facts)),
        "",
        *_parameters(LOSSES[name].hyper_parameters),
        *_section("Where it is another loss", _identities(facts)),
        *_section("The same elsewhere", _elsewhere(facts["elsewhere"])),
        *_section("Where libraries differ", [facts["differs"]] if facts["differs"] else []),
        *_section("What the tests found", _proof(facts)),
        f"[All losses]({INDEX})",
        "",
    ]
    return "\n".join(lines)


def _properties(facts: Mapping[str, Any]) -> list[list[str]]:
    low = facts["low"]
    rows = [
        ["family", facts["family"]],
        ["trains", _tasks(facts["tasks"])],
        ["labels", _LABELS[facts["labels"]]],
        ["returns", "one number per example" if facts["kind"] == "example" else "shares of a batch's value"],
        ["smallest value", "no limit" if low is None else f"{low:g}"],
        ["last layer", f"`{facts['head']}`"],
        ["link", f"`{facts['link']}`"],
        ["scores are meant as", _OUTPUTS[facts["output"]]],
    ]
    if facts["bounded"]:
        rows.append(["bounded", _BOUNDED[facts["bounded"]]])
    if facts["inputs"]:
        rows.append(["also needs", "; ".join(f"`{name}`: {_INPUTS[name]}" for name in facts["inputs"])])
    if facts["variant_of"]:
        rows.append(["variant of", _link(facts["variant_of"])])
    if facts["aliases"]:
        rows.append(["aliases", ", ".join(f"`{alias}`" for alias in facts["aliases"])])
    return rows


def _parameters(parameters: Mapping[str, Parameter]) -> list[str]:
    if not parameters:
        return []
    rows = [
        [f"`{name}`", _default(parameter.default), parameter.range, parameter.meaning, f"the {parameter.of}"]
        for name, parameter in parameters.items()
    ]
    return _section("Hyper-parameters", _table(["name", "default", "range", "meaning", "of"], rows))


def _default(value: Any) -> str:
    return "none" if value is None else f"`{value}`"


def _identities(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"- {identity_in_words(identity).replace(identity['other'], _link(identity['other']), 1)}"
        for identity in facts["equals"]
    ]


def _elsewhere(elsewhere: Mapping[str, str]) -> list[str]:
    return [line for library, code in elsewhere.items() for line in (f"- {library}: `{code}`",)]


def _proof(facts: Mapping[str, Any]) -> list[str]:
    if not facts["proof"]:
        return ["Nothing is proven yet."]
    rows = [[check.replace("_", " "), status] for check, status in facts["proof"].items()]
    return [f"Oracle: {facts['oracle']}.", "", *_table(["check", "outcome at the defaults"], rows)]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if lines else []


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (columns, ["-"] * len(columns), *cells)]


def _tasks(tasks: Sequence[str]) -> str:
    return ", ".join(_TASKS[task] for task in tasks)


def _link(name: str) -> str:
    return f"[`{name}`]({name}.md)"
