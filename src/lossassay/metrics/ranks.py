"""Yardsticks of ranks, for all classes at once; equal probabilities share their ranks."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from lossassay.metrics.shapes import (
    Array,
    IsTrue,
    Labels,
    PerClass,
    Probabilities,
    is_known,
    is_true,
    ratio,
)


def auroc(truth: IsTrue, probabilities: Probabilities) -> PerClass:
    """Return for each class the chance that a positive ranks above a negative, ties counted half (Hanley 1982).

    Args:
        truth: Which classes are true of which row, [N K].
        probabilities: Or any score, [N K].

    Returns:
        [K], from 0 to 1; nan for a class without positives or without negatives.
    """
    order, first, last = _tie_groups(probabilities)
    truth_sorted = np.take_along_axis(truth, order, axis=0)
    double_ranks = np.where(truth_sorted, first + last + 2, 0).sum(axis=0)  # integers, so the sum is exact
    positives = truth.sum(axis=0)
    negatives = len(truth) - positives
    double_wins = double_ranks - positives * (positives + 1)
    return ratio(double_wins, 2 * positives * negatives)


def average_precision(truth: IsTrue, probabilities: Probabilities) -> PerClass:
    """Return for each class the mean over its positives of the precision at their threshold.

    Args:
        truth: Which classes are true of which row, [N K].
        probabilities: Or any score, [N K].

    Returns:
        [K], above 0 to 1; nan for a class without positives.
    """
    order, _first, last = _tie_groups(-probabilities)  # highest first
    truth_sorted = np.take_along_axis(truth, order, axis=0)
    found = np.take_along_axis(truth_sorted.cumsum(axis=0), last, axis=0)  # positives at or above this threshold
    precision = np.where(truth_sorted, found / (last + 1), 0.0)
    return ratio(precision.sum(axis=0), truth.sum(axis=0))


def over_known(
    of_classes: Callable[[IsTrue, Probabilities], Array], truth: IsTrue, probabilities: Probabilities, known: IsTrue
) -> Array:
    """Return what a function says of each class over the rows in which something is known of it, [K ...].

    Args:
        of_classes: For example `auroc` or `average_precision`.
        truth: [N K].
        probabilities: [N K].
        known: [N K].
    """
    if known.all():
        return of_classes(truth, probabilities)
    columns = [known[:, [k]].ravel() for k in range(truth.shape[1])]
    return np.array([of_classes(truth[own][:, [k]], probabilities[own][:, [k]])[0] for k, own in enumerate(columns)])


def above_thresholds(
    labels: Labels, probabilities: Probabilities
) -> tuple[Bool[Array, "rows thresholds"], Float[Array, "rows thresholds"]]:
    """Return whether each grade lies above each threshold and how probable that is said to be, both [N K-1].

    Args:
        labels: Grades, [N].
        probabilities: [N K].
    """
    thresholds = np.arange(probabilities.shape[1] - 1)
    above = 1.0 - probabilities.astype(float).cumsum(axis=1)[:, :-1]
    return labels[:, None] > thresholds, above


def roc_curves_on_grid(
    labels: Labels, probabilities: Probabilities, grid: Float[Array, " points"]
) -> Float[Array, "classes points"]:
    """Return the ROC curve of each class against the rest at given false positive rates.

    Between two thresholds the curve is a straight line, so that the area under it is the AUROC; where it rises
    upright, the upper end counts.

    Args:
        labels: Class indices [N], or 0 and 1 [N K]; where a label is unknown, its row is left out for its class.
        probabilities: [N K].
        grid: False positive rates from 0 to 1, [P].

    Returns:
        True positive rates on the grid, [K P]; nan for a class without positives or without negatives.
    """

    def curves(truth: IsTrue, probabilities: Probabilities) -> Float[Array, "classes points"]:
        order, _first, last = _tie_groups(-probabilities)
        positives = np.take_along_axis(truth, order, axis=0).cumsum(axis=0)
        return np.array([_on_grid(*columns, grid) for columns in zip(positives.T, last.T, strict=True)])

    return over_known(
        curves, is_true(labels, probabilities.shape[1]), probabilities, is_known(labels, probabilities.shape[1])
    )


def _on_grid(
    positives: Int[Array, " rows"], last: Int[Array, " rows"], grid: Float[Array, " points"]
) -> Float[Array, " points"]:
    """Return one curve, from the positives at or above each row and the last row of equal score, highest first."""
    if not len(positives) or positives[-1] in (0, len(positives)):
        return np.full(len(grid), np.nan)
    thresholds = last[np.append(last[1:] != last[:-1], True)]
    true_rate = np.concatenate([[0.0], positives[thresholds] / positives[-1]])
    negatives = thresholds + 1 - positives[thresholds]
    false_rate = np.concatenate([[0.0], negatives / negatives[-1]])
    # of equal false rates numpy takes the last, the upper end
    return np.asarray(np.interp(grid, false_rate, true_rate))


def _tie_groups(
    scores: Probabilities,
) -> tuple[Int[Array, "rows classes"], Int[Array, "rows classes"], Int[Array, "rows classes"]]:
    """Return the ascending order of each column, and for each sorted place the first and last place of equal scores."""
    order = np.argsort(scores, axis=0, kind="stable")
    sorted_scores = np.take_along_axis(scores, order, axis=0)
    places = np.arange(len(scores))[:, None]
    starts = np.ones(scores.shape, dtype=bool)
    starts[1:] = sorted_scores[1:] != sorted_scores[:-1]
    ends = np.ones(scores.shape, dtype=bool)
    ends[:-1] = starts[1:]
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=0)
    last = np.minimum.accumulate(np.where(ends, places, len(scores))[::-1], axis=0)[::-1]
    return order, first, last
