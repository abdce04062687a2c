"""Yardsticks of many re-weighted samples at once: what a bootstrap over patients computes thousands of times.

The rows of a replicate are sorted, counted and grouped once; each set of weights then costs a sparse matrix product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy.sparse import coo_array
from scipy.stats import rankdata

from lossassay.catalogue.loss_spec import Task
from lossassay.errors import DataError
from lossassay.metrics.decisions import grade_gaps
from lossassay.metrics.influence import influence
from lossassay.metrics.ranks import above_thresholds
from lossassay.metrics.shapes import Array, Labels, Probabilities, check_shapes, is_known, is_true, ratio
from lossassay.metrics.table import yardsticks

Weights = Float[Array, "patients draws"]
PerDraw = Float[Array, " draws"]
PerArm = Float[Array, "arms draws"]
Sums = Float[Array, "rows draws"]

_BLOCK = 8  # rows that are summed up one after the other


@dataclass(frozen=True, kw_only=True)
class TestedRows:
    """The test part of one replicate and what each arm said about it.

    Args:
        patients: Of each row, any integers [N].
        labels: Class indices [N], or 0 and 1 [N K].
        probabilities: [N K] of each arm; None where the arm has no run in this replicate.
    """

    patients: Int[Array, " rows"]
    labels: Labels
    probabilities: Sequence[Probabilities | None]


@dataclass(frozen=True, kw_only=True)
class WeightedYardstick:
    """A yardstick as a function of the weights of patients.

    Args:
        num_patients: Distinct patients tested in any replicate: the rows of the weights.
        of_replicates: For each replicate, values [arms draws] from weights.
    """

    num_patients: int
    of_replicates: list[Callable[[Weights], PerArm]]

    def __call__(self, weights: Weights) -> Float[Array, "replicates arms draws"]:
        """Return the yardstick of each replicate and arm, with every row counted as often as its patient weighs.

        Args:
            weights: 0 or more, of each patient in each draw; the patients in rising order of their numbers.

        Returns:
            Values, nan where undefined: classes without weight are left out of macro means, as in ``yardsticks``.
        """
        return np.array([score(weights) for score in self.of_replicates])


def weighted_yardstick(metric: str, replicates: Sequence[TestedRows], *, task: Task) -> WeightedYardstick:
    """Prepare a yardstick for many sets of weights.

    Args:
        metric: A name of the catalogue of yardsticks, but not ``"ece"``: its bins would move with the weights.
        replicates: One or more, all with the same arms in the same order.
        task: What the labels are.

    Raises:
        DataError: If the yardstick cannot be weighted, or shapes or ranges do not fit.
    """
    prepare = _PREPARE[task].get(metric)
    if prepare is None:
        known = ", ".join(sorted(_PREPARE[task]))
        raise DataError(
            f"The yardstick {metric!r} cannot be re-weighted for {task.replace('_', '-')} data. Choose one of: {known}."
        )
    names = np.unique(np.concatenate([np.zeros(0, dtype=int), *(rows.patients for rows in replicates)]))
    prepared = []
    for rows in replicates:
        patients = np.searchsorted(names, rows.patients)
        arms: list[_Rows | None] = []
        for probabilities in rows.probabilities:
            if probabilities is None or not is_known(rows.labels, probabilities.shape[1]).all():
                arms.append(None)
                continue
            check_shapes(rows.labels, probabilities, task)
            arms.append(_Rows(patients, len(names), rows.labels, probabilities))
        prepared.append(_of_known(arms, prepare))
    return WeightedYardstick(num_patients=len(names), of_replicates=prepared)


@dataclass(frozen=True)
class _Rows:
    patients: Int[Array, " rows"]  # places among all patients
    num_patients: int
    labels: Labels
    probabilities: Probabilities

    def sums_by(self, group: Int[Array, " rows"], num_groups: int, among: Bool[Array, " rows"] | None = None) -> Any:
        """Return the sparse matrix that sums the weights of the rows of each group."""
        patients = self.patients if among is None else self.patients[among]
        group = group if among is None else group[among]
        return _sums_by(group, patients, shape=(num_groups, self.num_patients))


def _sums_by(group: Int[Array, " rows"], patients: Int[Array, " rows"], *, shape: tuple[int, int]) -> Any:
    ones = np.ones(len(group), dtype=np.float32)  # whole numbers: float32 sums them exactly up to 2^24
    return coo_array((ones, (group, patients)), shape=shape).tocsr()


def _of_known(arms: Sequence[_Rows | None], prepare: "_PrepareArms") -> Callable[[Weights], PerArm]:
    """Return the values of all arms of a replicate; nan for those without a run, or without all labels."""
    known = [arm for arm, rows in enumerate(arms) if rows is not None]
    score_known = prepare([rows for rows in arms if rows is not None]) if known else None

    def score(weights: Weights) -> PerArm:
        found = np.full((len(arms), weights.shape[1]), np.nan)
        if score_known is not None:
            found[known] = score_known(weights)
        return found

    return score


def _one_by_one(prepare: "_PrepareArm", arms: Sequence[_Rows]) -> Callable[[Weights], PerArm]:
    scores = [prepare(rows) for rows in arms]
    return lambda weights: np.stack([score(weights) for score in scores])


def _mean_of_defined(values: Float[Array, "classes draws"]) -> PerDraw:
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))


# --- means over rows -------------------------------------------------------------------------------------------------


def _mean(metric: str, task: Task, rows: _Rows) -> Callable[[Weights], PerDraw]:
    value = yardsticks(rows.labels, rows.probabilities, task=task)[metric]
    of_rows = influence(metric, rows.labels, rows.probabilities, task=task) + value  # of a mean: the rows' own values
    sums = np.bincount(rows.patients, of_rows, minlength=rows.num_patients)
    counts = np.bincount(rows.patients, minlength=rows.num_patients).astype(float)
    tested = np.flatnonzero(counts)
    both = np.stack([sums[tested], counts[tested]])

    def score(weights: Weights) -> PerDraw:
        total, count = both @ weights[tested].astype(float)
        return ratio(total, count)

    return score


# --- decisions -------------------------------------------------------------------------------------------------------

Confusion = Float[Array, "true predicted draws"]


def _decisions(finish: Callable[[Confusion], PerDraw], arms: Sequence[_Rows]) -> Callable[[Weights], PerArm]:
    """All arms of a replicate in one matrix product: a row for each true class, predicted class and arm."""
    num_classes = arms[0].probabilities.shape[1]
    cells = [rows.labels.astype(np.int64) * num_classes + rows.probabilities.argmax(axis=1) for rows in arms]
    place = np.concatenate([cell * len(arms) + arm for arm, cell in enumerate(cells)])
    patients = np.tile(arms[0].patients, len(arms))
    matrix = _sums_by(place, patients, shape=(num_classes**2 * len(arms), arms[0].num_patients))

    def score(weights: Weights) -> PerArm:
        confusion = (matrix @ weights).reshape(num_classes, num_classes, -1).astype(float)
        return finish(confusion).reshape(len(arms), -1)

    return score


def _right(confusion: Confusion) -> Float[Array, "classes draws"]:
    return np.asarray(np.einsum("kkd->kd", confusion))


def _accuracy(confusion: Confusion) -> PerDraw:
    return ratio(_right(confusion).sum(axis=0), confusion.sum(axis=(0, 1)))


def _balanced_accuracy(confusion: Confusion) -> PerDraw:
    return _mean_of_defined(ratio(_right(confusion), confusion.sum(axis=1)))


def _macro_f1(confusion: Confusion) -> PerDraw:
    said_and_there = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.asarray(np.nan_to_num(ratio(2 * _right(confusion), said_and_there)).mean(axis=0))


def _matthews_correlation(confusion: Confusion) -> PerDraw:
    said, there, total = confusion.sum(axis=0), confusion.sum(axis=1), confusion.sum(axis=(0, 1))
    spread_said, spread_there = (total**2 - np.square(counts).sum(axis=0) for counts in (said, there))
    covariance = _right(confusion).sum(axis=0) * total - (said * there).sum(axis=0)
    found = ratio(covariance, np.sqrt(spread_said) * np.sqrt(spread_there))
    return np.where((spread_said == 0) & (spread_there > 0), 0.0, found)


def _cohen_kappa(confusion: Confusion) -> PerDraw:
    said, there, total = confusion.sum(axis=0), confusion.sum(axis=1), confusion.sum(axis=(0, 1))
    by_chance = (said * there).sum(axis=0)
    return ratio(_right(confusion).sum(axis=0) * total - by_chance, total**2 - by_chance)


def _quadratic_weighted_kappa(confusion: Confusion) -> PerDraw:
    cost = np.square(grade_gaps(len(confusion)))
    said, there, total = confusion.sum(axis=0), confusion.sum(axis=1), confusion.sum(axis=(0, 1))
    by_chance = ratio(np.einsum("td,tp,pd->d", there, cost, said), total)
    return np.asarray(1 - ratio(np.einsum("tp,tpd->d", cost, confusion), by_chance))


def _mean_absolute_grade_error(confusion: Confusion) -> PerDraw:
    off = np.einsum("tp,tpd->d", grade_gaps(len(confusion)), confusion)
    return ratio(off, confusion.sum(axis=(0, 1)))


def _macro_f1_of_labels(rows: _Rows) -> Callable[[Weights], PerDraw]:
    truth, said = is_true(rows.labels, rows.probabilities.shape[1]), rows.probabilities > 0.5
    twice = 2 * (truth & said)
    counts = np.concatenate([twice, truth.astype(int) + said], axis=1)
    sums = np.stack([np.bincount(rows.patients, column, minlength=rows.num_patients) for column in counts.T])

    def score(weights: Weights) -> PerDraw:
        right, whole = np.split(sums @ weights, 2)
        return np.asarray(np.nan_to_num(ratio(right, whole)).mean(axis=0))

    return score


# --- ranks -----------------------------------------------------------------------------------------------------------


def _macro(of_class: Callable[..., Callable[[Weights], PerDraw]], rows: _Rows) -> Callable[[Weights], PerDraw]:
    truth, scores = is_true(rows.labels, rows.probabilities.shape[1]), rows.probabilities
    classes = range(scores.shape[1])
    if rows.labels.ndim == 1 and len(classes) == 2 and _mirrored(scores[:, 0], scores[:, 1]):
        classes = range(1)
    parts = [of_class(rows, truth[:, k], scores[:, k]) for k in classes]

    def score(weights: Weights) -> PerDraw:
        return _mean_of_defined(np.stack([part(weights) for part in parts]))

    return score


def _mirrored(first: Real[Array, " rows"], second: Real[Array, " rows"]) -> bool:
    """Return whether one orders the rows exactly as the other does from the other end: then both AUROCs are one."""
    return bool((rankdata(first) == rankdata(-second)).all())


def _auroc(rows: _Rows, truth: Bool[Array, " rows"], scores: Real[Array, " rows"]) -> Callable[[Weights], PerDraw]:
    """Sum over runs of positives the weight of the negatives below, and half of those in a tie.

    The rows in order of their scores are cut into segments of negatives followed by positives; a tie of both kinds is
    a segment of its own.
    """
    order = np.argsort(scores, kind="stable")
    group = np.cumsum(np.append(True, np.diff(scores[order]) != 0)) - 1 if len(order) else order
    positive, negative = (np.bincount(group, kind[order]) > 0 for kind in (truth, ~truth))
    tied = positive & negative
    starts = tied | np.append(True, tied[:-1] | (positive[:-1] & negative[1:]))[: len(tied)]
    segment_of_group = np.cumsum(starts) - 1
    num_segments = -(-(int(starts.sum()) + 1) // _BLOCK) * _BLOCK
    segment = np.empty(len(order), dtype=np.int64)
    segment[order] = segment_of_group[group]
    matrix = rows.sums_by(np.where(truth, num_segments, 0) + segment, 2 * num_segments)
    return partial(_auroc_of_segments, matrix, segment_of_group[tied])


def _auroc_of_segments(matrix: Any, tied: Int[Array, " ties"], weights: Weights) -> PerDraw:
    sums = matrix @ weights
    negatives, positives = sums[: len(sums) // 2], sums[len(sums) // 2 :]
    in_tie = np.einsum("sd,sd->d", negatives[tied], positives[tied], dtype=float) if len(tied) else 0.0
    ordered, all_pairs = _ordered_pairs(negatives, positives)
    return ratio(ordered - in_tie / 2, all_pairs)


def _ordered_pairs(first: Sums, second: Sums) -> tuple[PerDraw, PerDraw]:
    """Return the sums of first[t] * second[s] over rows t <= s, and over all; overwrites ``first``.

    Cumulative sums by blocks of rows, then of the blocks, and so on: in numpy faster than one long cumulative sum.
    """
    total = np.zeros(first.shape[1])
    while True:
        blocks, others = first.reshape(-1, _BLOCK, first.shape[1]), second.reshape(-1, _BLOCK, first.shape[1])
        for place in range(1, _BLOCK):
            blocks[:, place] += blocks[:, place - 1]
        total += np.einsum("sd,sd->d", first, second)
        if len(blocks) == 1:
            return total, blocks[0, -1] * others[0].sum(axis=0, dtype=float)
        size = -(-(len(blocks) + 1) // _BLOCK) * _BLOCK
        before, after = np.zeros((2, size, first.shape[1]), dtype=first.dtype)
        before[1 : len(blocks) + 1] = blocks[:, -1]
        others.sum(axis=1, out=after[: len(blocks)])
        first, second = before, after


def _average_precision(
    rows: _Rows, truth: Bool[Array, " rows"], scores: Real[Array, " rows"]
) -> Callable[[Weights], PerDraw]:
    """Sum over thresholds the weight of their positives times the precision there."""
    thresholds = np.unique(scores[truth])[::-1]
    at = len(thresholds) - np.searchsorted(thresholds[::-1], scores, side="right")  # the first that the row passes
    everything = rows.sums_by(at, len(thresholds), at < len(thresholds))
    positives = rows.sums_by(at, len(thresholds), truth)

    def score(weights: Weights) -> PerDraw:
        here, above = positives @ weights, everything @ weights
        found = here.copy()
        for place in range(1, len(thresholds)):
            found[place] += found[place - 1]
            above[place] += above[place - 1]
        precision = np.divide(found, above, out=np.zeros_like(found), where=above > 0)
        return ratio(np.einsum("sd,sd->d", here, precision, dtype=float), here.sum(axis=0, dtype=float))

    return score


def _of_thresholds(rows: _Rows) -> Callable[[Weights], PerDraw]:
    """Macro AUROC over the thresholds between grades."""
    truth, above = above_thresholds(rows.labels, rows.probabilities)
    return _macro(_auroc, replace(rows, labels=truth.astype(float), probabilities=above))


_PrepareArm = Callable[[_Rows], Callable[[Weights], PerDraw]]
_PrepareArms = Callable[[Sequence[_Rows]], Callable[[Weights], PerArm]]


def _each(prepare: _PrepareArm) -> _PrepareArms:
    return partial(_one_by_one, prepare)


_SINGLE_LABEL: dict[str, _PrepareArms] = {
    "accuracy": partial(_decisions, _accuracy),
    "balanced_accuracy": partial(_decisions, _balanced_accuracy),
    "macro_f1": partial(_decisions, _macro_f1),
    "matthews_correlation": partial(_decisions, _matthews_correlation),
    "cohen_kappa": partial(_decisions, _cohen_kappa),
    "macro_auroc": _each(partial(_macro, _auroc)),
    "nll": _each(partial(_mean, "nll", "single_label")),
    "brier": _each(partial(_mean, "brier", "single_label")),
}

_PREPARE: dict[Task, dict[str, _PrepareArms]] = {
    "single_label": _SINGLE_LABEL,
    "ordinal": {
        **_SINGLE_LABEL,
        "quadratic_weighted_kappa": partial(_decisions, _quadratic_weighted_kappa),
        "mean_absolute_grade_error": partial(_decisions, _mean_absolute_grade_error),
        "ranked_probability_score": _each(partial(_mean, "ranked_probability_score", "ordinal")),
        "threshold_auroc": _each(_of_thresholds),
    },
    "multi_label": {
        "accuracy": _each(partial(_mean, "accuracy", "multi_label")),
        "macro_f1": _each(_macro_f1_of_labels),
        "macro_auroc": _each(partial(_macro, _auroc)),
        "macro_average_precision": _each(partial(_macro, _average_precision)),
        "nll": _each(partial(_mean, "nll", "multi_label")),
        "brier": _each(partial(_mean, "brier", "multi_label")),
    },
}
