"""The tables of a comparison of scores made elsewhere; one family of pairs for each data set and metric."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float

from lossassay import stats
from lossassay.stats.data_sets import FriedmanTest, RankGroups, friedman, nemenyi, wilcoxon_holm
from lossassay.stats.intervals import Array
from lossassay.study.folder.columns import TABLES, column_type

Method = Literal["t", "sign_flip"]
FEWEST_DATA_SETS = 3
MOST_FOR_FLIPS = 1_000  # replicates: with more, sign flips take minutes and t needs no help
_DRAWN = 10_000_000  # replicates drawn by the bootstrap in all: 80 MB
_COLUMNS = {
    "comparisons": ("dataset", *TABLES["comparisons"]),
    "arms": ("dataset", "arm", "metric", "estimate", "low", "high", "sd", "replicates"),
    "ranks": ("dataset", *TABLES["ranks"]),
}


@dataclass(frozen=True, kw_only=True)
class Family:
    """The pairs of one data set and metric: they share alpha.

    Args:
        dataset: Its name; None where the file names none.
        metric: One.
        systems: With a score there, in the order of the file.
        scores: One row per replicate, one column per system; nan where there is none.
        pairs: Columns that are compared.
    """

    dataset: str | None
    metric: str
    systems: tuple[str, ...]
    scores: Float[Array, "replicates systems"]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked; the fields are those of `compare.ScoreComparison`."""

    metric: str
    higher_is_better: bool
    margin: float | None
    alpha: float
    reference: str | None
    method: Method


@dataclass(frozen=True, kw_only=True)
class DataSets:
    """Systems compared over data sets; the unit is the data set.

    Args:
        systems: In the order of the columns of the tests.
        data_sets: Those in which every system has a score; the others are left out.
        scores: One row per data set, one number per system: the mean over the replicates that all systems have.
        friedman: Whether any system ranks higher.
        nemenyi: All pairs by mean ranks, with the critical difference.
        wilcoxon_holm: All pairs by signed ranks, with Holm's rule.
    """

    systems: tuple[str, ...]
    data_sets: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]
    friedman: FriedmanTest
    nemenyi: RankGroups
    wilcoxon_holm: RankGroups


def families_of(rows: pl.DataFrame, question: Question) -> Iterator[Family]:
    """Yield the judged metric first; data sets and systems in the order of the file."""
    names = rows["metric"].unique(maintain_order=True).to_list()
    systems = rows["system"].unique(maintain_order=True).to_list()
    for metric in sorted(names, key=lambda name: name != question.metric):
        own = rows.filter(pl.col("metric") == metric)
        for (dataset,), part in own.group_by(["dataset"], maintain_order=True):
            there = set(part["system"])
            ordered = tuple(name for name in systems if name in there)
            yield Family(
                dataset=dataset,
                metric=metric,
                systems=ordered,
                scores=_scores(part, ordered),
                pairs=tuple(_pairs(ordered, question.reference)),
            )


def _scores(part: pl.DataFrame, systems: tuple[str, ...]) -> Float[Array, "replicates systems"]:
    replicates = sorted(set(part["replicate"]))  # any order that does not depend on that of the rows
    row_of = {name: index for index, name in enumerate(replicates)}
    column_of = {name: index for index, name in enumerate(systems)}
    scores = np.full((len(replicates), len(systems)), np.nan)
    for replicate, system, value in part.select("replicate", "system", "value").iter_rows():
        scores[row_of[replicate], column_of[system]] = value
    return scores


def _pairs(systems: tuple[str, ...], reference: str | None) -> Iterator[tuple[int, int]]:
    if reference is None:
        yield from combinations(range(len(systems)), 2)
    elif reference in systems:
        place = systems.index(reference)
        yield from ((index, place) for index in range(len(systems)) if index != place)


def comparison_rows(family: Family, question: Question) -> Iterator[dict[str, Any]]:
    """Yield a row for each pair; words for the metric that is judged alone."""
    if not family.pairs:
        return
    by_t = stats.paired_differences(family.scores, family.pairs, alpha=question.alpha, family_size=len(family.pairs))
    by_flips = _by_flips(family, question)
    holm = stats.holm(np.array([found.p_value for found in by_t]))
    chosen = by_flips if by_flips and question.method == "sign_flip" else by_t
    for index, (a, b) in enumerate(family.pairs):
        found = chosen[index]
        smallest_margin = (found.high - found.low) / 2
        yield {
            "dataset": family.dataset,
            "metric": family.metric,
            "scope": "procedure",
            "arm_a": family.systems[a],
            "arm_b": family.systems[b],
            "difference": known(found.estimate),
            "low": known(found.low),
            "high": known(found.high),
            "p_adjusted": known(found.p_adjusted),
            "replicates": found.num_pairs,
            "method": found.method,
            "primary": family.metric == question.metric,
            "p_holm": known(float(holm[index])),
            "p_max_t": known(by_flips[index].p_adjusted) if by_flips else None,
            "smallest_margin": known(smallest_margin),
            **(_words(family, (a, b), found, question) if family.metric == question.metric else {}),
        }


def _by_flips(family: Family, question: Question) -> list[stats.PairedDifference]:
    """Return max-T where it decides, or is read beside t at a bearable cost; else nothing."""
    beside = family.metric == question.metric and len(family.scores) <= MOST_FOR_FLIPS
    if question.method == "sign_flip" or beside:
        return stats.max_t(family.scores, family.pairs, alpha=question.alpha)
    return []


def _words(family: Family, pair: tuple[int, int], found: stats.PairedDifference, question: Question) -> dict[str, Any]:
    word, reason = stats.verdict(
        found, margin=question.margin, same_function=False, higher_is_better=question.higher_is_better
    )
    codes = []
    if reason == "the interval lies inside the margin and leaves out 0":
        codes.append("below_margin")
    if reason in ("fewer than two replicates", "this method cannot decide with so few replicates"):
        codes.append("method_floor")
    if word == "undecided" and question.margin is not None and (found.high - found.low) / 2 >= question.margin:
        codes.append("margin_below_resolution")
    more = _more(family, pair, question) if word == "undecided" else None
    return {
        "verdict": word,
        "reason": reason,
        "more_low": None if more is None else more.low,
        "more_high": None if more is None else more.high,
        "more_patients": None if more is None else more.more_patients,
        "notes": ";".join(codes),
    }


def _more(family: Family, pair: tuple[int, int], question: Question) -> stats.MoreReplicates | None:
    own = family.scores[:, pair[0]] - family.scores[:, pair[1]]
    own = own[np.isfinite(own)]
    if len(own) < 2 or np.ptp(own) == 0:
        return None
    more = stats.more_replicates(
        estimate=float(own.mean()),
        sd=float(own.std(ddof=1)),
        replicates=len(own),
        alpha=question.alpha / len(family.pairs),
        margin=question.margin,
    )
    if question.method == "t":
        return more
    floor = stats.fewest_replicates("sign_flip_max_t", question.alpha, 1) - len(own)
    low, high = (None if value is None else max(value, floor) for value in (more.low, more.high))
    return replace(more, low=low, high=high)


def arm_rows(family: Family, question: Question) -> Iterator[dict[str, Any]]:
    """Yield a row for each system, with its t interval over replicates."""
    for system, values in zip(family.systems, family.scores.T, strict=True):
        found = stats.mean_interval(values, level=1 - question.alpha)
        yield {
            "dataset": family.dataset,
            "arm": system,
            "metric": family.metric,
            "estimate": found.estimate,
            "low": known(found.low),
            "high": known(found.high),
            "sd": known(found.sd),
            "replicates": found.replicates,
        }


def rank_rows(family: Family, question: Question, comparisons: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield for each system the ranks that no verdict contradicts, and how often it is best."""
    if not family.pairs:
        return
    own = comparisons.filter(pl.col("primary") & pl.col("dataset").eq_missing(pl.lit(family.dataset, dtype=pl.String)))
    words = [(*pair, word) for pair, word in zip(family.pairs, own["verdict"].to_list(), strict=True)]
    ranges = stats.rank_ranges(words, len(family.systems))
    draws = max(100, min(10_000, _DRAWN // len(family.scores)))
    best = stats.probability_best(family.scores, higher_is_better=question.higher_is_better, draws=draws)
    for index, system in enumerate(family.systems):
        yield {
            "dataset": family.dataset,
            "arm": system,
            "rank_low": ranges[index][0],
            "rank_high": ranges[index][1],
            "probability_best": known(float(best[index])),
        }


def over_data_sets(families: list[Family], question: Question) -> DataSets | None:
    """Return the tests over data sets; None where fewer than three have every system."""
    systems = tuple(dict.fromkeys(name for family in families for name in family.systems))
    complete = [family for family in families if len(family.systems) == len(systems)]
    used, means = [], []
    for family in complete:
        common = family.scores[np.isfinite(family.scores).all(axis=1)]
        if len(common):
            used.append(family.dataset or "")
            means.append([float(common[:, family.systems.index(name)].mean()) for name in systems])
    if len(used) < FEWEST_DATA_SETS:
        return None
    scores, higher = np.array(means), question.higher_is_better
    return DataSets(
        systems=systems,
        data_sets=tuple(used),
        scores=tuple(map(tuple, means)),
        friedman=friedman(scores, higher_is_better=higher),
        nemenyi=nemenyi(scores, alpha=question.alpha, higher_is_better=higher),
        wilcoxon_holm=wilcoxon_holm(scores, alpha=question.alpha, higher_is_better=higher),
    )


def frame_of(name: str, rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Build a table; where a row lacks a column, it is null there."""
    types = {column: _type(column) for column in _COLUMNS[name]}
    return pl.DataFrame(list(rows), schema=types)


def _type(column: str) -> pl.DataType:
    if column in ("replicates", "rank_low", "rank_high", "more_low", "more_high", "decided_at"):
        return pl.Int64()
    return pl.String() if column == "dataset" else column_type(column)


def known(value: float) -> float | None:
    """Return the number, or None if it is nan or infinite."""
    return value if isfinite(value) else None
