"""The model card of a run, as Markdown and as one HTML page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lossassay.biomarkers.decisions.operating_points import RULES, OperatingPoint
from lossassay.biomarkers.model_card import CardFacts, Yardstick
from lossassay.errors import OutFolderError
from lossassay.reporting import formatting, palette
from lossassay.reporting.messages import Messages, load_messages
from lossassay.reporting.page import asset, templates
from lossassay.study.folder.whole_files import write_bytes


@dataclass(frozen=True, kw_only=True)
class CardTable:
    """A table of the card; as the macro `grid` wants it.

    Args:
        head: Titles of the columns.
        rows: Cells.
        text_columns: How many columns on the left hold text.
        name: None: the card refers to no file.
    """

    head: list[str]
    rows: list[list[str]]
    text_columns: int
    name: None = None


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the card."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    tables: list[CardTable] = field(default_factory=list)


def write_card(facts: CardFacts, beside: Path) -> tuple[Path, Path]:
    """Write the card beside a file, as ``NAME-model-card.md`` and ``.html``.

    Args:
        facts: What it says.
        beside: The file that it explains.

    Returns:
        Both paths.

    Raises:
        OutFolderError: If it cannot be written.
    """
    messages = load_messages()
    texts = {".md": card_as_markdown(facts, messages), ".html": card_as_html(facts, messages)}
    paths = []
    for suffix, text in texts.items():
        path = beside.with_name(f"{beside.stem}-model-card{suffix}")
        try:
            write_bytes(path, text.encode())
        except OSError as error:
            raise OutFolderError(
                f"The model card cannot be written to {path} ({error}). Expected a folder of your own."
            ) from error
        paths.append(path)
    return paths[0], paths[1]


def card_as_html(facts: CardFacts, m: Messages) -> str:
    """Return the card as a page that opens offline."""
    return (
        templates()
        .get_template("model_card.html.jinja")
        .render(
            m=m,
            title=m.text("card.title", arm=facts.arm, study=facts.study),
            subtitle=_subtitle(facts, m),
            sections=list(sections(facts, m)),
            style=asset("style.css"),
            light=Markup(palette.style_variables()),
            dark=Markup(palette.style_variables(dark=True)),
            version=facts.plan["lossassay_version"],
        )
    )


def card_as_markdown(facts: CardFacts, m: Messages) -> str:
    """Return the card as Markdown."""
    lines = [f"# {_plain(m.text('card.title', arm=facts.arm, study=facts.study))}", _subtitle(facts, m)]
    for section in sections(facts, m):
        lines.append(f"## {section.title}")
        lines += [_plain(one) for one in section.paragraphs]
        lines += [_table_as_markdown(table) for table in section.tables]
    return "\n\n".join(lines) + "\n"


def sections(facts: CardFacts, m: Messages) -> Iterator[Section]:
    """Yield what the card says, part by part.

    Args:
        facts: What is known.
        m: The sentences.
    """
    yield _use(facts, m)
    yield _data(facts, m)
    yield Section(
        title=m.text("card.section.preprocessing"),
        tables=[_settings(m, {name: _shown(value) for name, value in facts.preprocessing.items()})],
    )
    yield _training(facts, m)
    yield _yardsticks(facts, m)
    if facts.points:
        yield _points(facts, m)
    yield _findings(facts, m)
    yield _versions(facts, m)


def _use(facts: CardFacts, m: Messages) -> Section:
    names = ", ".join(facts.plan["data"]["class_names"])
    classes = "card.use.findings_known" if facts.plan["data"]["task"] == "multi_label" else "card.use.classes"
    return Section(
        title=m.text("card.section.use"),
        paragraphs=[
            m.text("card.use.not_medical"),
            m.text("card.use.purpose"),
            m.text(classes, classes=names),
            m.text("card.use.domain"),
        ],
    )


def _data(facts: CardFacts, m: Messages) -> Section:
    data = facts.plan["data"]
    rows = data["rows"]
    shape = " × ".join(str(side) for side in data["image_shape"])
    images, classes = m.counted("count.images", rows), m.counted("count.classes", len(data["class_names"]))
    train, validation, test = (f"{part:,}" for part in facts.parts)
    parts = "card.data.parts_fit" if facts.is_fit else "card.data.parts"
    groups = (
        m.text("card.data.no_groups")
        if data["groups"] is None
        else m.text("card.data.groups", groups=f"{data['groups']:,}")
    )
    head = [m.text("card.data.class_name"), m.text("card.data.images"), m.text("card.data.share")]
    counts = dict(zip(data["class_names"], data["class_counts"], strict=True))
    tables = [_counts(head, counts, rows)]
    if data["sources"]:
        tables.append(_counts([m.text("card.data.source"), *head[1:]], data["sources"], rows))
    return Section(
        title=m.text("card.section.data"),
        paragraphs=[
            m.text("card.data.rows", images=images, classes=classes, shape=shape),
            groups,
            m.text(parts, train=train, validation=validation, test=test),
        ],
        tables=tables,
    )


def _counts(head: list[str], counts: dict[str, int], total: int) -> CardTable:
    rows = [[name, f"{count:,}", formatting.value("share", count / total)] for name, count in counts.items()]
    return CardTable(head=head, rows=rows, text_columns=1)


def _training(facts: CardFacts, m: Messages) -> Section:
    training = {name: value for name, value in facts.arm_facts["training"].items() if name != "weights"}
    hyper = ", ".join(f"{name}={_shown(value)}" for name, value in facts.arm_facts["hyper_parameters"].items())
    calibration, engine = facts.run_facts["calibration"], facts.run_facts.get("engine") or facts.plan["engine"]
    said = {m.text("card.training.loss"): " ".join([facts.arm_facts["loss"], f"({hyper})" if hyper else ""]).strip()}
    said |= {name: _shown(value) for name, value in training.items() if name not in ("device", "threads", "precision")}
    said |= {
        m.text("card.training.parameters"): f"{facts.plan['model']['parameters']:,}",
        m.text("card.training.best_epoch"): f"{facts.run_facts['best_epoch']} / {facts.run_facts['epochs']}",
        m.text("card.training.calibration"): (
            m.text("card.training.calibration_none") if calibration is None else str(calibration["method"])
        ),
        m.text("card.training.engine"): f"{engine['device']}, {engine['precision']}, {engine['kernels']}",
    }
    return Section(title=m.text("card.section.training"), paragraphs=_tuning(facts, m), tables=[_settings(m, said)])


def _tuning(facts: CardFacts, m: Messages) -> list[str]:
    tuning = facts.tuning
    if tuning is None:
        return []
    chosen = ", ".join(f"{name}={_shown(value)}" for name, value in tuning.parameters.items())
    budget = m.text(
        "card.tuning.budget",
        trials=m.counted("count.trials", tuning.trials),
        epochs=m.counted("count.epochs", tuning.epochs),
        metric=m.text(f"metric.{tuning.metric}.name"),
    )
    own = "card.tuning.own" if tuning.trial == 0 else "card.tuning.chosen"
    return [m.text(f"card.tuning.{tuning.settings_from}"), budget, m.text(own, trial=tuning.trial, parameters=chosen)]


def _settings(m: Messages, said: dict[str, str]) -> CardTable:
    head = [m.text("card.training.setting"), m.text("card.training.value")]
    return CardTable(head=head, rows=[[name, value] for name, value in said.items()], text_columns=2)


def _yardsticks(facts: CardFacts, m: Messages) -> Section:
    level = formatting.value("share", facts.level)
    known = any(one.estimate is not None for one in facts.yardsticks)
    if facts.is_fit:
        expected = facts.expected_from
        said = m.text("card.yardsticks.fit_alone")
        said = said if expected is None else m.text("card.yardsticks.of_fit", study=expected, level=level)
    else:
        of_arm = m.text("card.yardsticks.of_arm", level=level)
        said = of_arm if known else m.text("card.yardsticks.unfinished")
    head = [m.text(f"card.yardsticks.{name}") for name in ("name", "of_run", "mean", "interval", "replicates")]
    rows = [_yardstick_row(one, m) for one in facts.yardsticks]
    tables = [CardTable(head=head, rows=rows, text_columns=1)] if rows else []
    return Section(title=m.text("card.section.yardsticks"), paragraphs=[said], tables=tables)


def _yardstick_row(one: Yardstick, m: Messages) -> list[str]:
    return [
        m.text(f"metric.{one.metric}.name"),
        formatting.value(one.metric, one.of_run),
        formatting.value(one.metric, one.estimate),
        _interval(one.metric, one.low, one.high),
        f"{one.replicates}" if one.replicates else formatting.NOTHING,
    ]


def _interval(metric: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return formatting.NOTHING
    return f"{formatting.bare_value(metric, low)} to {formatting.value(metric, high)}"


def _points(facts: CardFacts, m: Messages) -> Section:
    said = [m.text("card.points.how", **RULES)]
    if facts.parts[2] == 0:
        said.append(m.text("card.points.no_test"))
    names = ("threshold", "sensitivity", "specificity")
    head = [
        m.text("card.data.class_name"),
        m.text("card.points.rule"),
        *(m.text(f"card.points.{one}") for one in names),
    ]
    rows = [_point_row(one) for one in facts.points]
    return Section(
        title=m.text("card.section.points"),
        paragraphs=said,
        tables=[CardTable(head=head, rows=rows, text_columns=2)],
    )


def _point_row(one: OperatingPoint) -> list[str]:
    cells = [one.class_name, one.rule, f"{one.threshold:.4f}"]
    chosen_on = (one.validation_sensitivity, one.validation_specificity)
    for found, before in zip((one.sensitivity, one.specificity), chosen_on, strict=True):
        if found is None:
            cells.append(formatting.value("share", before))
        else:
            interval = _interval("share", found.low, found.high)
            cells.append(f"{formatting.value('share', found.estimate)} ({interval})")
    return cells


def _findings(facts: CardFacts, m: Messages) -> Section:
    title = m.text("card.section.findings")
    if not facts.findings:
        return Section(title=title, paragraphs=[m.text("card.findings.none")])
    head = [m.text(f"card.findings.{name}") for name in ("code", "severity", "message")]
    return Section(
        title=title, tables=[CardTable(head=head, rows=[list(one) for one in facts.findings], text_columns=3)]
    )


def _versions(facts: CardFacts, m: Messages) -> Section:
    environment = facts.plan["environment"]
    said = {
        m.text("card.versions.run"): facts.run,
        m.text("card.versions.data_digest"): facts.plan["data"]["digest"],
        m.text("card.versions.weights_digest"): facts.weights_digest,
        "python": environment["python"],
        **environment["packages"],
    }
    head = [m.text("card.versions.what"), m.text("card.versions.value")]
    rows = [[name, str(value)] for name, value in said.items()]
    return Section(title=m.text("card.section.versions"), tables=[CardTable(head=head, rows=rows, text_columns=2)])


def _subtitle(facts: CardFacts, m: Messages) -> str:
    if facts.is_fit:
        return m.text("card.subtitle_fit", run=facts.run)
    return m.text("card.subtitle", run=facts.run, replicate=facts.replicate)


def _shown(value: Any) -> str:
    """Write a setting as it stands in a study file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(one)}" for name, one in value.items()) or formatting.NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one) for one in value)
    return formatting.setting(value) if isinstance(value, int | float) else str(value)


def _plain(text: str) -> str:
    """Keep names with signs of Markdown as they are."""
    return "".join(f"\\{sign}" if sign in "\\`*_<>|#[]" else sign for sign in text)


def _table_as_markdown(table: CardTable) -> str:
    marks = ["-" if place < table.text_columns else "-:" for place in range(len(table.head))]
    rows = [table.head, marks, *([_plain(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
