"""Tables of the page: stored numbers as formatted cells."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from markupsafe import Markup

from lossassay.catalogue.arm_losses import spec_of
from lossassay.catalogue.compound import COMPOUND, in_words
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import arm, arm_names, breakable, metric_name, metric_title, with_unit
from lossassay.study.folder.results import StudyResults

Cell = str | Markup


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as the page draws it.

    Args:
        name: Stem of the file in tables/ that holds it in full, or an empty text.
        head: Labels of the columns.
        rows: Cells.
        text_columns: How many columns, from the left, hold words; the rest hold numbers.
    """

    name: str
    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    text_columns: int = 1


def yardsticks(results: StudyResults, m: Messages) -> Table | None:
    """Every yardstick (row) of every arm (column), the best mean of each marked, the arms' own losses last."""
    table, names = results.tables["arms"], arm_names(results)
    if table.is_empty():
        return None
    found = {(row["metric"], row["arm"]): row for row in table.iter_rows(named=True)}
    metrics = [name for name in YARDSTICKS if any((name, arm_name) in found for arm_name in names)]
    metrics.sort(key=lambda name: name != results.facts["primary_metric"])
    rows = [_yardstick_row(metric, names, found, m) for metric in metrics]
    own = [_own_loss(found.get(("own_loss", name)), m) for name in names]
    rows.append([_named(m("table.own_loss"), m("table.own_loss_gloss")), *own])
    return Table(name="arms", head=[m("table.yardstick"), *map(arm, names)], rows=rows)


def _yardstick_row(metric: str, names: list[str], found: dict[tuple[str, str], Any], m: Messages) -> list[Cell]:
    entries = [found.get((metric, name)) for name in names]
    estimates = [entry["estimate"] for entry in entries if entry and entry["estimate"] is not None]
    best = (max if YARDSTICKS[metric].best == "high" else min)(estimates, default=None)
    arrow = m("table.higher" if YARDSTICKS[metric].best == "high" else "table.lower")
    title = Markup('{} <span class="arrow">{}</span>').format(metric_title(m, metric), arrow)
    return [_named(title, m(f"metric.{metric}.gloss")), *(_estimate(metric, entry, best, m) for entry in entries)]


def _named(title: Markup, gloss: Markup) -> Markup:
    return Markup('{}<span class="gloss">{}</span>').format(title, gloss)


def _estimate(metric: str, entry: dict[str, Any] | None, best: float | None, m: Messages) -> Cell:
    if entry is None or entry["estimate"] is None:
        return formatting.NOTHING
    shown = Markup("{}").format(formatting.value(metric, entry["estimate"]))
    if entry["estimate"] == best:
        shown = Markup('<strong class="best" title="{}">{}</strong>').format(m("table.best"), shown)
    return shown + _limits(metric, entry, m)


def _limits(metric: str, entry: dict[str, Any], m: Messages) -> Markup:
    if entry["low"] is None or entry["high"] is None:
        return Markup("")
    low, high = formatting.bare_value(metric, entry["low"]), formatting.bare_value(metric, entry["high"])
    return Markup('<span class="limits">{}</span>').format(m("table.limits", low=low, high=high))


def _own_loss(entry: dict[str, Any] | None, m: Messages) -> Cell:
    if entry is None or entry["estimate"] is None:
        return formatting.NOTHING
    return Markup("{}{}").format(formatting.value("own_loss", entry["estimate"]), _limits("own_loss", entry, m))


def per_class(results: StudyResults, m: Messages) -> list[tuple[Markup, Table]]:
    """One table per measure: classes as rows, arms as columns."""
    table, names = results.tables["per_class"], arm_names(results)
    if table.is_empty():
        return []
    found = {(row["metric"], row["class"], row["arm"]): row for row in table.iter_rows(named=True)}
    classes = table["class"].unique(maintain_order=True).to_list()
    tables = []
    for metric in table["metric"].unique(maintain_order=True):
        rows = [
            [breakable(name), *(_estimate(metric, found.get((metric, name, arm_name)), None, m) for arm_name in names)]
            for name in classes
        ]
        title = m("section.evaluation.per_class", metric=metric_title(m, metric), gloss=m(f"metric.{metric}.gloss"))
        tables.append((title, Table(name="per_class", head=[m("word.class"), *map(arm, names)], rows=rows)))
    return tables


def classes(results: StudyResults, m: Messages) -> Table | None:
    """How many images each class has."""
    data = results.plan.get("data", {})
    names, counts = data.get("class_names"), data.get("class_counts")
    if not names or not counts:
        return None
    rows = [[breakable(name), formatting.count(number)] for name, number in zip(names, counts, strict=True)]
    return Table(name="", head=[m("word.class"), m("word.images")], rows=rows)


def parts(results: StudyResults, m: Messages) -> Table | None:
    """Sizes of the training, validation and test part of each replicate."""
    found = results.plan.get("data", {}).get("parts")
    if not found:
        return None
    head = [m("word.replicate"), m("word.training_part"), m("word.validation_part"), m("word.test_part")]
    rows = [
        [
            formatting.count(part["replicate"]),
            *(formatting.count(part[name]) for name in ("train", "validation", "test")),
        ]
        for part in found
    ]
    return Table(name="", head=head, rows=rows)


def arms(results: StudyResults, m: Messages) -> Table:
    """What each arm is: loss, options, labels, what it trains with otherwise, size of its gradient."""
    scales = {row["arm"]: row for row in results.tables["gradient_scales"].iter_rows(named=True)}
    words = ("word.arm", "word.loss", "table.options", "word.labels", "word.probabilities", "table.gradient")
    rows = [_arm_row(entry, scales.get(entry.name), m) for entry in results.study.arms]
    return Table(name="gradient_scales", head=[m(word) for word in words], rows=rows, text_columns=5)


_MEANT = {"probability": "word.of_the_loss", "score": "word.temperature", "rank": "word.platt"}


def _arm_row(entry: Any, scale: dict[str, Any] | None, m: Messages) -> list[Cell]:
    spec = spec_of(entry.loss, entry.hyper_parameters)
    options = {name: entry.hyper_parameters.get(name, option.default) for name, option in spec.hyper_parameters.items()}
    if entry.loss == COMPOUND:
        options = {"terms": in_words(entry.hyper_parameters["terms"])}
    settings = ", ".join(f"{name} = {value}" for name, value in {**options, **entry.training}.items())
    labels = m("word.integer_labels" if spec.encoding == "integer" else "word.dense_labels")
    ratio = scale["ratio_to_smallest"] if scale else None
    gradient = m("table.times", number=formatting.significant(ratio)) if ratio is not None else formatting.NOTHING
    shown = settings or formatting.NOTHING
    return [arm(entry.name), spec.title, shown, labels, m(_MEANT[spec.output]), gradient]


def identities(results: StudyResults, m: Messages) -> list[Markup]:
    """Say which pairs of arms are one function or a multiple of one another."""
    sentences = {
        "same function": "identity.same_function",
        "same loss, other training": "identity.same_loss",
        "proportional": "identity.proportional",
    }
    return [
        m(
            sentences[row["relation"]],
            a=arm(row["arm_a"]),
            b=arm(row["arm_b"]),
            factor=formatting.significant(row["factor"], 4),
        )
        for row in results.tables["identities"].iter_rows(named=True)
        if row["relation"] in sentences
    ]


def costs(results: StudyResults, m: Messages) -> Table | None:
    """Time, memory and label bytes of each arm."""
    table = results.tables["costs"]
    if table.is_empty():
        return None
    head = [
        m("word.arm"),
        m("cost.epoch"),
        m("cost.run"),
        m("cost.images_per_second"),
        m("cost.peak_memory"),
        m("cost.label_bytes"),
    ]
    rows = [
        [
            arm(row["arm"]),
            formatting.duration(row["epoch_seconds"]),
            formatting.duration(row["train_seconds"]),
            formatting.significant(row["images_per_second"]),
            formatting.size_in_bytes(row["peak_memory_bytes"]),
            formatting.significant(row["label_bytes_per_image"]),
        ]
        for row in table.iter_rows(named=True)
    ]
    return Table(name="costs", head=head, rows=rows)


def noise_floor(results: StudyResults, m: Messages) -> Table | None:
    """Quantiles of the difference between two single runs of one arm, in the primary yardstick."""
    metric, table = results.facts["primary_metric"], results.tables["noise_floor"]
    rows = table if table.is_empty() else table.filter(pl.col("metric") == metric, pl.col("median").is_not_null())
    if rows.is_empty():
        return None
    head = [m("word.arm"), m("word.median"), m("word.p95"), m("word.largest"), m("word.run_pairs")]
    cells = [
        [
            arm(row["arm"]),
            *(formatting.size_of_difference(metric, row[name]) for name in ("median", "p95", "largest")),
            formatting.count(row["pairs"]),
        ]
        for row in rows.iter_rows(named=True)
    ]
    return Table(name="noise_floor", head=head, rows=cells)


def noise_in_words(results: StudyResults, m: Messages) -> Markup | None:
    """Say how large the noise is, for the first arm that shows it."""
    metric = results.facts["primary_metric"]
    for row in results.tables["noise_floor"].iter_rows(named=True):
        if row["metric"] == metric and row["median"] is not None:
            sizes = {
                name: with_unit(m, metric, formatting.size_of_difference(metric, row[name]))
                for name in ("median", "p95")
            }
            return m("section.noise.measured", arm=arm(row["arm"]), metric=metric_name(m, metric), **sizes)
    return None


def label_memory(results: StudyResults, m: Messages) -> Table | None:
    """Bytes of integer and one-hot labels at several class counts."""
    table = results.tables["label_memory"]
    if table.is_empty():
        return None
    head = [m("word.classes"), m("word.integer_labels"), m("word.dense_labels"), m("cost.ratio")]
    rows = [
        [
            formatting.count(row["classes"]),
            formatting.size_in_bytes(row["integer_bytes"]),
            formatting.size_in_bytes(row["dense_bytes"]),
            m("table.times", number=formatting.count(row["ratio"])),
        ]
        for row in table.iter_rows(named=True)
    ]
    return Table(name="label_memory", head=head, rows=rows)


def replicates(results: StudyResults, m: Messages) -> Table | None:
    """Seeds and digests of each replicate; all arms share them."""
    seeds = {run["replicate"]: run.get("seeds", {}) for run in results.plan.get("runs", ())}
    runs = results.tables["runs"]
    if not seeds or runs.is_empty():
        return None
    names = list(dict.fromkeys(name for own in seeds.values() for name in own))
    head = [m("word.replicate"), *(m(f"seed.{name}") for name in names), m("seed.init_digest"), m("seed.order_digest")]
    digests = {column: _distinct(runs, column) for column in ("init_digest", "order_digest")}
    rows = [
        [
            formatting.count(replicate),
            *(str(own.get(name, formatting.NOTHING)) for name in names),
            *(found.get(replicate) or formatting.NOTHING for found in digests.values()),
        ]
        for replicate, own in sorted(seeds.items())
    ]
    return Table(name="runs", head=head, rows=rows)


def _distinct(runs: pl.DataFrame, column: str) -> dict[int, str]:
    """Return the first letters of what the runs of each replicate have, each once."""
    found = runs.group_by("replicate").agg(pl.col(column).drop_nulls().unique(maintain_order=True))
    return {replicate: ", ".join(digest[:8] for digest in digests) for replicate, digests in found.iter_rows()}


def paper(results: StudyResults) -> Table | None:
    """The paper's numbers beside ours, as stored."""
    stored = results.facts.get("paper")
    return None if not stored else Table(name="", head=stored["columns"], rows=stored["rows"])
