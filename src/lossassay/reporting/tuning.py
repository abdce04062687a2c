"""How the parameters of each arm were chosen, what it cost, and what it changed: sentences and tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from lossassay.config.schema import TuningConfig
from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.tables import Cell, Table
from lossassay.reporting.words import arm, arm_names, level, metric_name, unit_of_difference, verdict_word, with_unit
from lossassay.study.folder.results import StudyResults


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the section holds.

    Args:
        claim: What the verdicts are about.
        said: Budget, what changed, sensitivity, choices at an edge; sentence by sentence.
        verdicts: Without and with tuning.
        verdicts_text: How to read them.
        ranges: Over which each parameter of each arm was tuned.
        budget: What each arm spent.
        budget_text: How to read it.
    """

    claim: Markup
    said: list[Markup]
    verdicts: Table | None
    verdicts_text: Markup
    ranges: Table | None
    budget: Table | None
    budget_text: Markup


def section(results: StudyResults, m: Messages) -> Section | None:
    """Return the section; None where nothing was tuned."""
    tuning, facts = results.study.tuning, results.facts.get("tuning")
    if tuning is None or not facts:
        return None
    metric = results.facts["primary_metric"]
    return Section(
        claim=_claim(tuning, facts, m),
        said=[
            *_own_ranges(facts, m),
            *_budget_words(results, tuning, facts, m),
            *_changes(results, m),
            *_rates(results, facts, m),
            *_edges(facts, m),
        ],
        verdicts=_verdicts(results, m),
        verdicts_text=m("section.tuning.verdicts_text", unit=unit_of_difference(m, metric), level=level(results.facts)),
        ranges=_ranges(facts, m),
        budget=_budget(results, m),
        budget_text=m(
            "section.tuning.budget_text",
            metric=metric_name(m, metric),
            replicates=m.counted("count.replicates", facts["gain_replicates"]),
            level=level(results.facts),
        ),
    )


def terminal_line(results: StudyResults, m: Messages) -> str | None:
    """Return one line for the command line; None where nothing was tuned."""
    facts = results.facts.get("tuning")
    tuning = results.study.tuning if facts else None
    if tuning is None or not facts:
        return None
    fields = {"scope": m.text(f"tuning.scope.{tuning.scope}"), "trials": tuning.trials}
    if not facts["pairs_with_interval"]:
        return m.text("tuning.terminal_alone", **fields)
    counts = {"moved": facts["pairs_moved"], "pairs": facts["pairs_with_interval"], "changed": facts["pairs_changed"]}
    return m.text("tuning.terminal", **counts, **fields)


def _claim(tuning: TuningConfig, facts: dict[str, Any], m: Messages) -> Markup:
    share = formatting.value("share", tuning.share)
    return m(f"tuning.{tuning.scope}", parameters=", ".join(facts["parameters"]), share=share)


def _own_ranges(facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    """Say which arms have ranges of their own: more is known of them than of the others."""
    own = [row for row in facts.get("ranges", ()) if row["of_arm_alone"]]
    if own:
        named = [m("tuning.range_named", parameter=row["parameter"], arm=arm(row["arm"])) for row in own]
        yield m("tuning.own_ranges", ranges=Markup(", ").join(named))


def _ranges(facts: dict[str, Any], m: Messages) -> Table | None:
    """Return the ranges of every arm; None for folders from before they were stored."""
    rows = [
        [
            arm(row["arm"]),
            row["parameter"],
            _range(row, m),
            m(f"tuning.range_for.{'arm' if row['of_arm_alone'] else 'all'}"),
        ]
        for row in facts.get("ranges", ())
    ]
    if not rows:
        return None
    head = [m("word.arm"), *(m(f"tuning.range_head.{name}") for name in ("parameter", "range", "set_for"))]
    return Table(name="", head=head, rows=rows, text_columns=4)


def _range(row: dict[str, Any], m: Messages) -> Markup:
    if row["scale"] == "choices":
        return m("tuning.range.choices", choices=", ".join(map(str, row["choices"])))
    ends = {end: formatting.setting(row[end]) for end in ("low", "high")}
    return m(f"tuning.range.{row['scale']}", **ends)


def _budget_words(results: StudyResults, tuning: TuningConfig, facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    if facts["jobs_finished"] < facts["jobs_planned"]:
        yield m("tuning.missing", found=facts["jobs_finished"], planned=facts["jobs_planned"])
    points = m(f"tuning.points.{tuning.sampler}")
    parts = [m("tuning.budget", trials=tuning.trials, points=points, metric=metric_name(m, facts["metric"]))]
    own = {results.study.training_of(arm).epochs for arm in results.study.arms}
    epochs = m.counted("count.epochs", own.pop()) if len(own) == 1 else m("tuning.own_epochs")
    parts.append(m("tuning.halving" if tuning.pruning == "halving" else "tuning.no_pruning", epochs=epochs))
    low, high = facts["epochs_low"], facts["epochs_high"]
    if low is not None and low == high:
        parts.append(m("tuning.equal", epochs=m.counted("count.epochs", low)))
    elif low is not None:
        ends = {"low": formatting.count(low), "high": formatting.count(high)}
        key = "tuning.unequal" if facts["diverged"] and _even(results) else "tuning.uneven"
        parts.append(m(key, diverged=formatting.count(facts["diverged"]), **ends))
    yield Markup(" ").join(parts)
    if facts["jobs_finished"]:
        yield m("tuning.own", number=facts["own_settings_chosen"], of=facts["jobs_finished"])


def _even(results: StudyResults) -> bool:
    """Return whether all arms have as many jobs and epochs, so that diverged trials alone make their costs differ."""
    epochs = {results.study.training_of(arm).epochs for arm in results.study.arms}
    return len(epochs) == 1 and results.later("tuning_budget")["jobs"].n_unique() == 1


def _changes(results: StudyResults, m: Messages) -> Iterator[Markup]:
    """Say by how much tuning moved differences; words that differ are said beside it, never alone."""
    table = results.later("tuning_verdicts")
    if len(arm_names(results)) < 2:
        return
    if table.is_empty():
        yield from _nothing_to_compare(results, m)
        return
    metric = results.facts["primary_metric"]
    for row in table.iter_rows(named=True):
        if row["moved"] or row["changed"]:
            yield _change(row, metric, m)
    known, moved = int(table["shift_low"].is_not_null().sum()), int(table["moved"].sum())
    if not known:
        yield m("tuning.shift_unknown")
    elif not moved:
        yield m("tuning.none_moved", pairs=m.counted("count.differences", known))
    elif known > moved:
        yield m("tuning.others_not_moved", pairs=m.counted("count.differences", known - moved))


def _nothing_to_compare(results: StudyResults, m: Messages) -> Iterator[Markup]:
    """Say why no difference is there with and without tuning; nothing where all arms are one function."""
    words = results.tables["comparisons"].filter(primary=True)["verdict"]
    if results.study.tuning is not None and not results.study.tuning.untuned:
        yield m("tuning.no_untuned")
    elif (words != "same function").any():
        yield m("tuning.shift_unknown")


def _change(row: dict[str, Any], metric: str, m: Messages) -> Markup:
    words = {"before": verdict_word(m, row["untuned_verdict"]), "after": verdict_word(m, row["tuned_verdict"])}
    fields = {
        "a": arm(row["arm_a"]),
        "b": arm(row["arm_b"]),
        "shift": with_unit(m, metric, formatting.difference(metric, row["shift"])),
        "low": formatting.difference(metric, row["shift_low"]),
        "high": formatting.difference(metric, row["shift_high"]),
        "words": m("tuning.words" if row["changed"] else "tuning.same_word", **words),
    }
    if row["moved"]:
        return m("tuning.moved", **fields)
    return m("tuning.words_unknown" if row["shift_low"] is None else "tuning.words_alone", **fields)


def _rates(results: StudyResults, facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    if len(arm_names(results)) < 2:
        return
    said = {"epochs": m.counted("count.epochs", facts["common_epochs"]), "level": level(results.facts)}
    if not facts["rate_tuned"]:
        yield m("tuning.rate_fixed")
    elif not facts["rate_intervals"]:
        yield m("tuning.rate_no_interval")
    elif not facts["rate_changes"]:
        yield m("tuning.rate_unknown", **said)
    for change in facts["rate_changes"]:
        ranges = {f"rates_{side}": _rate_spans(change[f"{side}_better"], m) for side in ("a", "b")}
        yield m("tuning.rate_changes", a=arm(change["arm_a"]), b=arm(change["arm_b"]), **ranges, **said)


def _rate_spans(ranges: list[list[float]], m: Messages) -> Markup:
    ends = (tuple(formatting.significant(end, 2) for end in own) for own in ranges)
    return Markup(", ").join(m("tuning.rate_range", low=low, high=high) for low, high in ends)


def _edges(facts: dict[str, Any], m: Messages) -> Iterator[Markup]:
    for edge in facts["edges"]:
        yield m(
            "tuning.edge",
            arm=arm(edge["arm"]),
            parameter=edge["parameter"],
            end=m(f"check.{edge['end']}_end"),
            limit=formatting.setting(edge["limit"]),
            jobs=edge["jobs"],
            of=edge["of"],
        )


def _verdicts(results: StudyResults, m: Messages) -> Table | None:
    metric, rows = results.facts["primary_metric"], []
    for row in results.later("tuning_verdicts").iter_rows(named=True):
        cells: list[Cell] = [arm(row["arm_a"]), arm(row["arm_b"])]
        for side in ("untuned", "tuned"):
            cells += [verdict_word(m, row[f"{side}_verdict"]), _with_limits(metric, row, side, "difference", m)]
        rows.append([*cells, _with_limits(metric, row, "shift", "", m)])
    if not rows:
        return None
    head = [
        m("word.arm"),
        m("table.against"),
        m("tuning.without"),
        m("word.difference"),
        m("tuning.with"),
        m("word.difference"),
        m("tuning.shift"),
    ]
    return Table(name="tuning_verdicts", head=head, rows=rows, text_columns=2)


def _budget(results: StudyResults, m: Messages) -> Table | None:
    metric, rows = results.facts["primary_metric"], []
    counted = ("jobs", "trials", "finished", "pruned", "diverged", "epochs")
    for row in results.later("tuning_budget").iter_rows(named=True):
        cells: list[Cell] = [arm(row["arm"]), *(formatting.count(row[name]) for name in counted)]
        rows.append([*cells, formatting.duration(row["train_seconds"]), _with_limits(metric, row, "gain", "", m)])
    if not rows:
        return None
    head = [m("word.arm"), *(m(f"tuning.spent.{name}") for name in (*counted, "seconds", "gain"))]
    return Table(name="tuning_budget", head=head, rows=rows)


def _with_limits(metric: str, row: dict[str, Any], side: str, name: str, m: Messages) -> Markup | str:
    """Return a difference with its interval below it where it has one."""
    stored, low, high = row[f"{side}_{name}" if name else side], row[f"{side}_low"], row[f"{side}_high"]
    shown = formatting.difference(metric, stored)
    if low is None or high is None:
        return shown
    limits = m("table.limits", low=formatting.difference(metric, low), high=formatting.difference(metric, high))
    return Markup('{}<span class="gloss">{}</span>').format(shown, limits)
