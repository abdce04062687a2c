"""What a reader has to know beside the tables of a comparison of scores, in sentences."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from lossassay import stats
from lossassay.data.names import first_few
from lossassay.study.scores.tables import FEWEST_DATA_SETS, MOST_FOR_FLIPS, DataSets, Family, Question

_SHOWN = 6  # pairs that a sentence names
_FEW = 6  # replicates: with fewer, an interval leans on the normal distribution
_SCOPE = (
    "Scope procedure: the verdicts hold for {these}, averaged over whatever differs between replicates. A file of "
    "scores holds no patients, so it says nothing about new ones. Replicates must be independent given the data (the "
    "folds of one cross-validation are not), and replicates of one name are taken as a pair."
)


def notes_of(
    question: Question, families: Sequence[Family], comparisons: pl.DataFrame, data_sets: DataSets | None
) -> Iterator[str]:
    """Yield the sentences.

    Args:
        question: What was asked.
        families: Of the metric that is judged.
        comparisons: The table.
        data_sets: Tests over data sets, if there are any.
    """
    yield _SCOPE.format(these="this data set" if len(families) == 1 else "these data sets")
    pairs = "all pairs" if question.reference is None else f"all pairs with {question.reference!r}"
    yield (
        f"Intervals of differences hold together for {pairs}{' of a data set' if len(families) > 1 else ''}; those of "
        "single systems hold one by one."
    )
    for family in families:
        yield from _family_notes(family, question)
    if len(families) > 1:
        yield (
            f"Each of the {len(families)} data sets is a family of its own: the chance of any false verdict is at most "
            f"{question.alpha:g} in each of them, not in all together."
        )
    judged = comparisons.filter(pl.col("primary"))
    yield from _margin_notes(question, families, judged)
    yield from _more_notes(judged)
    if len(families) >= FEWEST_DATA_SETS:
        yield from _data_set_notes(question, families, data_sets)


def _family_notes(family: Family, question: Question) -> Iterator[str]:
    if len(family.systems) < 2:
        yield f"{_where(family)}there is one system ({family.systems[0]!r}), so nothing is compared."
        return
    if not family.pairs:
        yield f"{_where(family)}the reference {question.reference!r} has no score, so nothing is compared."
        return
    there = np.isfinite(family.scores)
    if not there.all():
        yield _unequal(family)
    counts = [int((there[:, a] & there[:, b]).sum()) for a, b in family.pairs]
    if min(counts) < 2:
        few = [_pair(family, pair) for pair, count in zip(family.pairs, counts, strict=True) if count < 2]
        yield (
            f"{_where(family)}fewer than two replicates are shared by {first_few(few, _SHOWN)}: one replicate shows no "
            "spread, so the verdict is undecided whatever the difference."
        )
    if 2 <= min(counts) < _FEW and question.method == "t":
        yield (
            f"{_where(family)}a pair has {min(counts)} replicates: with so few, the t interval is only as good as the "
            "assumption that differences are normal. Six or more are sensible."
        )
    if max(counts) > MOST_FOR_FLIPS:
        yield (
            f"{_where(family)}there are {max(counts):,} replicates. A replicate is one training of every system; "
            "images or patients are none, and intervals over them would hold for something else."
        )
    floor = stats.floor_in_words(question.method, max(counts), question.alpha)
    if floor and max(counts) >= 2:
        yield f"{_where(family)}{floor}."
    yield from _without_spread(family)


def _unequal(family: Family) -> str:
    there = np.isfinite(family.scores)
    have = [f"{name} {count}" for name, count in zip(family.systems, there.sum(axis=0), strict=True)]
    pairs = [f"{_pair(family, (a, b))} {int((there[:, a] & there[:, b]).sum())}" for a, b in family.pairs]
    return (
        f"{_where(family)}the systems do not have the same replicates (number of each: {first_few(have, _SHOWN)}). "
        f"Each pair is compared over those that both have: {first_few(pairs, _SHOWN)}. If a run is missing because it "
        "failed, this favours its system."
    )


def _without_spread(family: Family) -> Iterator[str]:
    """Name pairs whose differences are one number: a t interval would have no width."""
    same: list[str] = []
    shifted: list[str] = []
    for a, b in family.pairs:
        own = family.scores[:, a] - family.scores[:, b]
        own = own[np.isfinite(own)]
        rounding = 1e-12 * float(np.nanmax(np.abs(family.scores[:, [a, b]])))
        if len(own) >= 2 and np.ptp(own) <= rounding:
            (same if np.abs(own).max() <= rounding else shifted).append(_pair(family, (a, b)))
    if same:
        yield (
            f"{_where(family)}equal scores in every replicate: {first_few(same, _SHOWN)}. Are these different systems, "
            "or were scores copied? A file of scores cannot show that two systems are the same function."
        )
    if shifted:
        yield (
            f"{_where(family)}the difference is the same number in every replicate: {first_few(shifted, _SHOWN)}. "
            "There is no spread to estimate. The interval follows from how rare another difference would have to be."
        )


def _margin_notes(question: Question, families: Sequence[Family], judged: pl.DataFrame) -> Iterator[str]:
    widest = judged["smallest_margin"].max()
    if not isinstance(widest, float):
        return
    if question.margin is None:
        yield (
            "No margin was stated, so nothing can be called equivalent. A margin is the smallest difference that "
            "matters to you, chosen before the scores are seen. The smallest that every pair of this file could show "
            f"is {widest:.3g}."
        )
        return
    needed = judged.filter(pl.col("verdict") == "undecided")["smallest_margin"].max()
    if isinstance(needed, float) and needed >= question.margin:
        yield (
            f"The margin of {question.margin:g} is smaller than what every undecided pair of this file could show "
            f"({needed:.3g}): they could not become equivalent. More replicates would help."
        )
    spread = max(float(np.ptp(family.scores[np.isfinite(family.scores)])) for family in families)
    if 0 < spread < question.margin:
        yield f"The margin of {question.margin:g} is wider than all scores lie apart ({spread:.3g}). Is its unit right?"


def _more_notes(judged: pl.DataFrame) -> Iterator[str]:
    open_pairs = judged.filter(pl.col("more_patients").is_not_null())
    needs = []
    for row in open_pairs.iter_rows(named=True):
        where = "" if row["dataset"] is None else f" in {row['dataset']!r}"
        needs.append(f"{row['arm_a']} – {row['arm_b']}{where} {_range(row['more_low'], row['more_high'])}")
    if needs:
        yield (
            "About how many more replicates would decide what is undecided, if the differences stay where they are: "
            f"{first_few(needs, _SHOWN)}. Another look at this file with more replicates in it errs more often than "
            "alpha says, and is exploratory; a file of new replicates alone is not."
        )


def _data_set_notes(question: Question, families: Sequence[Family], found: DataSets | None) -> Iterator[str]:
    if found is None:
        yield (
            f"There are no tests over data sets: fewer than {FEWEST_DATA_SETS} have a replicate that all systems have."
        )
        return
    names = {family.dataset for family in families}
    left_out = sorted(name for name in names - set(found.data_sets) if name is not None)
    used = len(found.data_sets)
    yield (
        f"The tests over data sets take one number per data set and system, the mean over the replicates that all "
        f"systems have, and generalise to data sets like these {used}"
        + (f" (left out, as a system is missing: {first_few(left_out, _SHOWN)})." if left_out else ".")
    )
    pairs = len(found.wilcoxon_holm.differences)
    needed = stats.fewest_replicates("sign_flip_holm", question.alpha, pairs)
    if used < needed:
        yield (
            f"With {used} data sets, signed ranks with Holm's rule over {pairs} pair{'s' if pairs > 1 else ''} cannot "
            f"show any difference, however large: {needed} data sets could."
        )
    if used < 10:
        yield "Nemenyi's critical difference is made for ten data sets or more; read it with care."


def _range(low: int | None, high: int | None) -> str:
    if low is None:
        return "10,000 or more"
    return f"{low:,}" if low == high else f"{low:,} " + ("or more" if high is None else f"to {high:,}")


def _where(family: Family) -> str:
    return "" if family.dataset is None else f"Data set {family.dataset!r}: "


def _pair(family: Family, pair: tuple[int, int]) -> str:
    return f"{family.systems[pair[0]]} – {family.systems[pair[1]]}"
