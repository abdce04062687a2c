"""Words that charts and text share: names of yardsticks, units, verdicts, arms."""

import re
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.study.folder.results import StudyResults

VERDICT_ORDER = ("better", "worse", "equivalent", "undecided", "same function")
_VERDICTS = {
    "better": "verdict.better",
    "worse": "verdict.worse",
    "equivalent": "verdict.equivalent",
    "undecided": "verdict.undecided",
    "same function": "verdict.same_function",
}


def arm_names(results: StudyResults) -> list[str]:
    """Return the arms in the order of the study file."""
    return [arm.name for arm in results.study.arms]


def arm(name: str) -> Markup:
    """Return an arm's name for the page: it may break after underscores, and stands out from the sentence."""
    return Markup('<span class="arm">{}</span>').format(breakable(name))


def breakable(name: str) -> Markup:
    """Return a long name that may break after underscores."""
    return Markup(re.sub("_(?=.)", "_<wbr>", str(escape(name))))


def metric_name(messages: Messages, metric: str) -> str:
    """Return the name of a yardstick as it stands within a sentence."""
    return messages.text(f"metric.{metric}.name")


def metric_title(messages: Messages, metric: str) -> str:
    """Return the name of a yardstick as it begins a line."""
    return capital(metric_name(messages, metric))


def capital(text: str) -> str:
    """Return a text with a capital first letter and the rest as it is."""
    return text[:1].upper() + text[1:]


def verdict_word(messages: Messages, verdict: str) -> str:
    """Return the word of a verdict in the page's language.

    Raises:
        KeyError: If it is none of the five.
    """
    return messages.text(_VERDICTS[verdict])


def unit_of_difference(messages: Messages, metric: str) -> str:
    """Return the unit in which differences of a yardstick are shown."""
    return messages.text("unit.points" if formatting.in_percent(metric) else "unit.own")


def with_unit(messages: Messages, metric: str, number: str) -> str:
    """Return a formatted difference with its unit where it has one of its own."""
    return messages.text("unit.with_points" if formatting.in_percent(metric) else "unit.alone", number=number)


def level(facts: dict[str, Any]) -> str:
    """Return the level of the intervals in percent, for example ``"95"``."""
    return f"{100 * (1 - facts['alpha']):.4g}"


_SCOPES_OF_KINDS = {"cross_validation": "folds", "leave_one_out": "sites"}


def scope(results: StudyResults) -> str:
    """Return for whom the verdicts hold.

    ``"procedure"``, ``"population"``, or ``"official"``: the population served by one training part, because the split
    was not drawn anew; ``"folds"`` of a cross-validation, or ``"sites"``: a new one, as each was left out in turn.
    """
    named = _SCOPES_OF_KINDS.get(results.study.data.split.kind, str(results.facts["scope"]))
    return "official" if named == "population" and not _split_is_drawn(results) else named


def averaged_over(results: StudyResults, messages: Messages) -> str:
    """Return what the replicates draw anew."""
    seeds = any(source != "split" for source in results.study.evidence.vary)
    if results.study.data.split.kind in _SCOPES_OF_KINDS:
        noun = _SCOPES_OF_KINDS[results.study.data.split.kind]
        return messages.text(f"over.{noun}_and_seeds" if seeds else f"over.{noun}")
    if _split_is_drawn(results):
        return messages.text("over.both" if seeds else "over.splits")
    return messages.text("over.seeds" if seeds else "over.nothing")


def _split_is_drawn(results: StudyResults) -> bool:
    official = results.facts.get("official_split") or results.study.data.split.official
    drawn = not official and results.study.data.split.kind != "time"
    return drawn and "split" in results.study.evidence.vary


def other_scope_rows(results: StudyResults) -> dict[tuple[str, str], dict[str, Any]]:
    """Return by pair the comparison of the primary yardstick in the scope that the verdicts are not about."""
    facts = results.facts
    return {
        (row["arm_a"], row["arm_b"]): row
        for row in results.tables["comparisons"].iter_rows(named=True)
        if row["metric"] == facts["primary_metric"] and row["scope"] != facts["scope"]
    }


def primary_pairs(results: StudyResults) -> pl.DataFrame:
    """Return the comparisons that carry a verdict, in the order better, worse, equivalent, undecided, same function."""
    table = results.tables["comparisons"]
    if table.is_empty():
        return table
    pairs = table.filter(pl.col("primary") & pl.col("verdict").is_not_null())
    ranks = pl.col("verdict").replace_strict(list(VERDICT_ORDER), range(len(VERDICT_ORDER)), return_dtype=pl.Int64)
    return pairs.sort(ranks, maintain_order=True)
