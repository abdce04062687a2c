"""What the evidence rests on: what was stated before, who was stopped when, how stable single runs are."""

from collections.abc import Iterator
from typing import Any

import polars as pl
from markupsafe import Markup

from lossassay.config import CONTROL_ARM
from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.tables import Cell, Table
from lossassay.reporting.words import (
    arm,
    averaged_over,
    metric_name,
    metric_title,
    primary_pairs,
    scope,
    with_unit,
)
from lossassay.study.folder.results import StudyResults

_RULES = {"fixed": "evidence.rule.fixed", "planned": "evidence.rule.planned", "anytime": "evidence.rule.anytime"}
_METHODS = {
    "t": "evidence.method.t",
    "sign_flip": "evidence.method.sign_flip",
    "folds": "evidence.method.folds",
    "sites": "evidence.method.sites",
}


def stated(results: StudyResults, m: Messages) -> list[tuple[str, str | Markup]]:
    """Return the rule of evidence as it was stated before the first run."""
    first = results.facts.get("registered") or {}
    if not first:
        return []
    metric, margin = first["metric"], first["margin"]
    shown = with_unit(m, metric, formatting.size_of_difference(metric, margin))
    return [
        (m.text("evidence.metric"), metric_title(m, metric)),
        (m.text("evidence.margin"), m("evidence.no_margin") if margin is None else f"±{shown}"),
        (m.text("evidence.scope_word"), _scope(first["scope"], results, m)),
        (m.text("evidence.compared"), _compared(first["compare"], m)),
        (m.text("evidence.alpha"), formatting.setting(first["alpha"])),
        (m.text("evidence.replicates"), _replicates(first, m)),
        *([(m.text("evidence.tuned"), first["tuning"])] if first.get("tuning") else []),
    ]


def _scope(named: str, results: StudyResults, m: Messages) -> Markup:
    now = scope(results)  # tells one training part from many, which the stated word does not
    return m(f"evidence.scope.{now if named == results.facts['scope'] else named}", over=averaged_over(results, m))


def _compared(reference: str, m: Messages) -> Markup:
    return m("evidence.all_pairs") if reference == "all" else m("evidence.against_reference", arm=arm(reference))


def _replicates(first: dict[str, Any], m: Messages) -> str | Markup:
    asked = first["replicates"]
    if isinstance(asked, dict):
        return m(f"evidence.range_{first['stopping']}", low=asked["min"], high=asked["max"])
    return formatting.count(asked)


def remarks(results: StudyResults, m: Messages) -> Iterator[Markup]:
    """Say how replicates were looked at, what it saved, and what the design could show."""
    facts, metric = results.facts, results.facts["primary_metric"]
    stopping = facts.get("stopping")
    if stopping:
        fields = {"min": stopping["min"], "max": stopping["max"], "looks": stopping["looks"]}
        yield m(_RULES[stopping["rule"]], **fields)
        if stopping["rule"] == "fixed":
            population = facts["scope"] == "population"
            yield m("evidence.method.population" if population else _METHODS[_method(results)])
    if facts.get("runs_saved"):
        used = [m("evidence.used_by", arm=arm(name), n=n) for name, n in facts["arms_stopped_at"].items()]
        yield m("evidence.used", arms=Markup(", ").join(used))
        yield m("evidence.saved", runs=m.counted("count.runs", facts["runs_saved"]))
    for change in facts.get("changes", ()):
        yield m("evidence.changed", change=change)
    if facts.get("exploratory"):
        yield m("evidence.exploratory")
    if facts.get("resolution") is not None:
        size = with_unit(m, metric, formatting.size_of_difference(metric, facts["resolution"]))
        yield m("evidence.resolution", size=size)
    if facts.get("smallest_margin_population") is not None:
        size = with_unit(m, metric, formatting.size_of_difference(metric, facts["smallest_margin_population"]))
        yield m("evidence.resolution_population", size=size, number=_tested(facts, m))


def _method(results: StudyResults) -> str:
    method, named = str(results.facts.get("method", "t")), scope(results)
    return named if method == "t" and named in _METHODS else method


def _tested(facts: dict[str, Any], m: Messages) -> str:
    return m.counted(_UNITS[facts.get("patient_unit", "image")], facts["patients"])


_UNITS = {"patient": "count.patients", "exam": "count.exams", "image": "count.images"}


def ranks(results: StudyResults, m: Messages) -> Table | None:
    """The order of arms, as far as the verdicts give one."""
    table = results.tables["ranks"]
    if len(table) < 2:
        return None
    of = len(table)
    rows: list[list[Cell]] = []
    for row in table.sort("rank_low", "rank_high", maintain_order=True).iter_rows(named=True):
        low, high = row["rank_low"], row["rank_high"]
        rank = m("evidence.rank_one", low=low, of=of) if low == high else m("evidence.rank", low=low, high=high, of=of)
        best = row["probability_best"]
        rows.append([arm(row["arm"]), rank, formatting.NOTHING if best is None else formatting.probability(best)])
    return Table(name="ranks", head=[m("word.arm"), m("evidence.ranks"), m("evidence.best")], rows=rows, text_columns=2)


def beside(results: StudyResults, m: Messages) -> Table | None:
    """The intervals for new patients by three methods, for every pair of the primary yardstick."""
    metric = results.facts["primary_metric"]
    table = results.tables["comparisons"]
    if table.is_empty():
        return None
    judged = primary_pairs(results).filter(pl.col("verdict") != "same function").select("arm_a", "arm_b")
    wanted = table.filter((pl.col("metric") == metric) & (pl.col("scope") == "population"))
    rows: list[list[Cell]] = []
    for row in judged.join(wanted, on=["arm_a", "arm_b"], how="inner", maintain_order="left").iter_rows(named=True):
        limits = [_limits(row, name, metric, m) for name in ("", "bootstrap_", "nadeau_bengio_")]
        rows.append([arm(row["arm_a"]), arm(row["arm_b"]), *limits])
    if not rows:
        return None
    heads = ("word.arm", "table.against", "evidence.population", "evidence.bootstrap", "evidence.corrected")
    return Table(name="comparisons", head=[m(key) for key in heads], rows=rows, text_columns=2)


def _limits(row: dict[str, Any], name: str, metric: str, m: Messages) -> Cell:
    low, high = row[f"{name}low"], row[f"{name}high"]
    if low is None or high is None:
        return formatting.NOTHING
    return m("table.limits", low=formatting.difference(metric, low), high=formatting.difference(metric, high))


def divergence(results: StudyResults, m: Messages) -> Table | None:
    """How often the runs of each arm diverged, with the exact interval: also where none did, it rules out much."""
    table = results.tables["divergence"]
    if table.is_empty():
        return None
    rows: list[list[Cell]] = [
        [
            arm(row["arm"]),
            formatting.count(row["diverged"]),
            formatting.count(row["runs"]),
            formatting.value("share", row["rate"]),
            m(
                "table.limits",
                low=formatting.bare_value("share", row["low"]),
                high=formatting.bare_value("share", row["high"]),
            ),
        ]
        for row in table.iter_rows(named=True)
    ]
    heads = ("word.arm", "evidence.diverged", "evidence.runs", "evidence.rate", "table.interval")
    return Table(name="divergence", head=[m(key) for key in heads], rows=rows)


def control(results: StudyResults, m: Messages) -> Markup | None:
    """Say how far the reference arm lies from itself."""
    table = results.tables["control"]
    if table.is_empty():
        return None
    metric = results.facts["primary_metric"]
    row = next((row for row in table.iter_rows(named=True) if row["metric"] == metric), None)
    if row is None or row["low"] is None:
        return None
    sizes = {name: formatting.size_of_difference(metric, row[name]) for name in ("sd_low", "sd_high")}
    again = m(
        f"evidence.control_{_control_again(results)}",
        arm=arm(results.facts["reference"]),
        number=m.counted("count.replicates", row["replicates"]),
    )
    differences = m(
        "evidence.control",
        metric=metric_name(m, metric),
        difference=with_unit(m, metric, formatting.difference(metric, row["difference"])),
        low=formatting.difference(metric, row["low"]),
        high=formatting.difference(metric, row["high"]),
        sd=with_unit(m, metric, formatting.size_of_difference(metric, row["sd"])),
        **sizes,
    )
    return Markup(" ").join((again, differences))


def _control_again(results: StudyResults) -> str:
    """Name what the A/A control did once more: all of it, or the training alone."""
    if results.study.tuning is None:
        return "trained"
    tuned = any(job["arm"] == CONTROL_ARM for job in results.plan.get("tuning", ()))
    return "tuned" if tuned else "with_settings"
