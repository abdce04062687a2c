"""A comparison of scores as rows of text, for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log10
from typing import Any

import polars as pl

from lossassay.study.scores.compare import ScoreComparison


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table that only has to be printed."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def in_tables(found: ScoreComparison) -> list[TextTable]:
    """Return the verdicts, the systems and, where there are several data sets, the tests over them."""
    tables = [_verdicts(found), _systems(found), *_over_data_sets(found)]
    return [table for table in tables if table.rows]


def _verdicts(found: ScoreComparison) -> TextTable:
    judged = found.comparisons.filter(pl.col("primary"))
    form = "+" + _form(judged["smallest_margin"].drop_nulls())
    several = _several(found)
    rows = []
    for row in judged.iter_rows(named=True):
        cells = [row["arm_a"], row["arm_b"], _number(row["difference"], form), _interval(row, form)]
        rows.append([*_name(row, several), *cells, row["verdict"], str(row["replicates"])])
    margin = "no margin" if found.margin is None else f"margin {found.margin:g}"
    return TextTable(
        title=f"{found.metric}, {'high' if found.higher_is_better else 'low'} is better; scope {found.scope}; {margin}",
        columns=[*_head(several), "a", "b", "a minus b", f"{_level(found)} interval", "verdict", "n"],
        rows=rows,
    )


def _systems(found: ScoreComparison) -> TextTable:
    own = found.arms.filter(pl.col("metric") == found.metric)
    form = _form(((own["high"] - own["low"]) / 2).drop_nulls())
    ranks = {(row["dataset"], row["arm"]): row for row in found.ranks.iter_rows(named=True)}
    several = _several(found)
    rows = []
    for row in own.iter_rows(named=True):
        rank = ranks.get((row["dataset"], row["arm"]))
        cells = [row["arm"], _number(row["estimate"], form), _interval(row, form)]
        rows.append([*_name(row, several), *cells, str(row["replicates"]), _ranks(rank)])
    columns = ["system", "mean", f"{_level(found)} interval of each", "n", "rank"]
    return TextTable(title=f"Systems, {found.metric}", columns=[*_head(several), *columns], rows=rows)


def _over_data_sets(found: ScoreComparison) -> list[TextTable]:
    tests = found.data_sets
    if tests is None:
        return []
    ranks = TextTable(
        title="Mean ranks",
        columns=["system", "mean rank"],
        rows=[[name, f"{rank:.2f}"] for name, rank in zip(tests.systems, tests.nemenyi.mean_ranks, strict=True)],
    )
    critical = tests.nemenyi.critical_difference
    pairs = TextTable(
        title=f"Over {len(tests.data_sets)} data sets: p of any difference {tests.friedman.f_p_value:.3g} (Friedman, F "
        f"of Iman and Davenport); by mean ranks (Nemenyi, critical difference {critical:.2f}); by signed ranks "
        "(Wilcoxon, p by Holm's rule)",
        columns=["a", "b", "mean ranks, a minus b", "by mean ranks", "p of signed ranks", "by signed ranks"],
        rows=[
            [
                tests.systems[ranked.a],
                tests.systems[ranked.b],
                f"{ranked.estimate:+.2f}",
                _differ(ranked.different),
                f"{signed.p_adjusted:.3g}",
                _differ(signed.different),
            ]
            for ranked, signed in zip(tests.nemenyi.differences, tests.wilcoxon_holm.differences, strict=True)
        ],
    )
    return [ranks, pairs]


def _form(widths: Iterable[float]) -> str:
    """Return how numbers are written so that two digits of the narrowest interval show."""
    narrowest = min((width for width in widths if width > 0), default=0.01)
    digits = 1 - floor(log10(narrowest))
    return ".3e" if digits > 9 or digits < -6 else f".{max(0, digits)}f"


def _several(found: ScoreComparison) -> bool:
    return found.arms["dataset"].n_unique() > 1


def _head(several: bool) -> list[str]:
    return ["data set"] if several else []


def _name(row: dict[str, Any], several: bool) -> list[str]:
    return [row["dataset"]] if several else []


def _level(found: ScoreComparison) -> str:
    return f"{100 * (1 - found.alpha):g} %"


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def _interval(row: dict[str, Any], form: str) -> str:
    if row["low"] is None or row["high"] is None:
        return "none"
    return f"{format(row['low'], form)} to {format(row['high'], form)}"


def _ranks(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    low, high = row["rank_low"], row["rank_high"]
    return str(low) if low == high else f"{low} to {high}"


def _differ(different: bool) -> str:
    return "different" if different else "undecided"
