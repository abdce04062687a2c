"""How much one row moves a yardstick: what the variance of a yardstick over new rows is made of."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from lossassay.catalogue.loss_spec import Task
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import DataError, unknown_name
from lossassay.metrics.checked import Checked
from lossassay.metrics.decisions import grade_gaps
from lossassay.metrics.ranks import _tie_groups, above_thresholds
from lossassay.metrics.scores import _SMALLEST, ranked_probability_scores
from lossassay.metrics.shapes import (
    Array,
    Counts,
    IsTrue,
    Labels,
    Probabilities,
    ratio,
)

PerRow = Float[Array, " rows"]
PerRowAndClass = Float[Array, "rows classes"]
OfCells = Float[Array, "true predicted"]


def influence(metric: str, labels: Labels, probabilities: Probabilities, *, task: Task) -> PerRow:
    r"""Return the influence value of each row on a yardstick.

    With T the yardstick as a function of row weights w, here equal ones,

    .. math:: \psi_i = \frac{d}{d\epsilon} T\left((1 - \epsilon)\, w + \epsilon\, \delta_i\right) .

    They sum to 0, and :math:`\sum_i \psi_i^2 / N^2` estimates the variance of the yardstick over redrawn rows (the
    infinitesimal jackknife: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6). Rows
    that belong together, such as images of one patient, are summed before they are squared.

    Held fixed are the bins of the calibration error and the classes over which a macro mean runs.

    Args:
        metric: A name of the catalogue of yardsticks.
        labels: Class indices [N], or 0 and 1 [N K].
        probabilities: [N K], from 0 to 1.
        task: What the labels are.

    Returns:
        Influence values [N] in the yardstick's unit; all nan where the yardstick itself is nan, or where some findings
        are unknown: what a row with half its findings weighs is not worked out here.

    Raises:
        UnknownNameError: If no yardstick has that name.
        DataError: If the yardstick is not defined for the task, or shapes or ranges do not fit.
    """
    if metric not in YARDSTICKS:
        raise unknown_name("yardstick", metric, YARDSTICKS)
    if task not in YARDSTICKS[metric].tasks:
        known = ", ".join(sorted(name for name, spec in YARDSTICKS.items() if task in spec.tasks))
        raise DataError(
            f"The yardstick {metric!r} is not defined for {task.replace('_', '-')} data. Choose one of: {known}."
        )
    return influence_of(metric, Checked(labels, probabilities, task))


def influence_of(metric: str, rows: Checked) -> PerRow:
    """Return `influence` of rows that were checked already, on a yardstick that is defined for their task."""
    if not rows.known.all():
        return np.full(len(rows.labels), np.nan)
    if rows.task != "multi_label" and metric in _OF_CONFUSION:
        slope = rows.confusion.sum() * _OF_CONFUSION[metric](rows.confusion)
        return np.asarray(slope[rows.labels.astype(np.int64), rows.probabilities.argmax(axis=1)])
    return _OF_ROWS[metric](rows)


# Slopes: derivatives with respect to each cell of the confusion matrix. Each yardstick stays the same when all counts
# are doubled, so counts x slopes sums to 0, and N x slope of a row's cell is its influence (Euler's theorem).


def _accuracy_slope(confusion: Counts) -> OfCells:
    total = confusion.sum()
    return np.asarray((np.eye(len(confusion)) - ratio(np.trace(confusion), total)) / max(total, 1))


def _balanced_accuracy_slope(confusion: Counts) -> OfCells:
    there = confusion.sum(axis=1)
    sensitivity = ratio(np.diagonal(confusion), there)
    slope = ratio(np.eye(len(confusion)) - sensitivity[:, None], there[:, None])
    return np.asarray(slope / max(1, np.count_nonzero(there)))  # no row looks up the nan of an absent class


def _macro_f1_slope(confusion: Counts) -> OfCells:
    said_and_there = confusion.sum(axis=0) + confusion.sum(axis=1)
    right = 2 * np.eye(len(confusion))
    f1 = ratio(2 * np.diagonal(confusion), said_and_there)
    pull = ratio(f1, said_and_there)  # nan for a class never said and never there: no row has it
    return np.asarray((ratio(right, said_and_there) - pull[:, None] - pull) / len(confusion))


def _matthews_slope(confusion: Counts) -> OfCells:
    said, there = confusion.sum(axis=0).astype(float), confusion.sum(axis=1).astype(float)
    total, right = float(confusion.sum()), float(np.trace(confusion))
    spread_said, spread_there = total**2 - said @ said, total**2 - there @ there
    if spread_said == 0 and spread_there > 0:  # only one class is ever said, whatever the weights: stays 0
        return np.zeros(confusion.shape)
    covariance = right * total - said @ there
    slope = total * np.eye(len(confusion)) + right - there - said[:, None]
    slope_said, slope_there = 2 * (total - said), 2 * (total - there[:, None])
    relative = ratio(slope_said, spread_said) + ratio(slope_there, spread_there)
    spread = np.sqrt(spread_said) * np.sqrt(spread_there)
    return np.asarray(ratio(slope, spread) - ratio(covariance, spread) / 2 * relative)


def _kappa_slope(confusion: Counts) -> OfCells:
    said, there = confusion.sum(axis=0).astype(float), confusion.sum(axis=1).astype(float)
    total, right = float(confusion.sum()), float(np.trace(confusion))
    by_chance = said @ there
    slope_chance = there + said[:, None]
    slope = right + total * np.eye(len(confusion)) - slope_chance
    rest = total**2 - by_chance
    kappa = ratio(right * total - by_chance, rest)
    return np.asarray(ratio(slope - kappa * (2 * total - slope_chance), rest))


def _quadratic_kappa_slope(confusion: Counts) -> OfCells:
    cost = np.square(grade_gaps(len(confusion)))
    said, there = confusion.sum(axis=0).astype(float), confusion.sum(axis=1).astype(float)
    total, off = float(confusion.sum()), float((cost * confusion).sum())
    by_chance = there @ cost @ said  # kappa = 1 - total * off / by_chance
    slope_chance = (cost @ said)[:, None] + there @ cost
    share = ratio(total * off, by_chance)
    return np.asarray(ratio(share * slope_chance - off - total * cost, by_chance))


def _absolute_grade_slope(confusion: Counts) -> OfCells:
    gaps, total = grade_gaps(len(confusion)), confusion.sum()
    return np.asarray((gaps - ratio((gaps * confusion).sum(), total)) / max(total, 1))


def _of_mean(values: PerRow) -> PerRow:
    return np.asarray(values - values.mean()) if len(values) else values


def _accuracy(rows: Checked) -> PerRow:
    right = (rows.probabilities > 0.5) == rows.truth
    return _of_mean(right.mean(axis=1))


def _macro_f1(rows: Checked) -> PerRow:
    truth, said = rows.truth, rows.probabilities > 0.5
    twice_right, named = 2.0 * (truth & said), truth.astype(float) + said
    whole = named.sum(axis=0)
    f1 = np.nan_to_num(ratio(twice_right.sum(axis=0), whole))
    of_label = np.nan_to_num(ratio(twice_right - f1 * named, whole))
    return np.asarray(len(truth) * of_label.mean(axis=1))


def _nll(rows: Checked) -> PerRow:
    exact = rows.probabilities.astype(float)
    if rows.task != "multi_label":
        exact = exact[np.arange(len(exact)), rows.labels.astype(np.int64)][:, None]
    else:
        half_step = float(np.finfo(rows.probabilities.dtype).epsneg) / 2
        exact = np.where(rows.labels > 0.5, exact, np.maximum(1 - exact, half_step))
    return _of_mean(-np.log(np.maximum(exact, _SMALLEST)).mean(axis=1))


def _brier(rows: Checked) -> PerRow:
    squares = np.square(rows.probabilities.astype(float) - rows.truth)
    return _of_mean(squares.mean(axis=1) if rows.task == "multi_label" else squares.sum(axis=1))


def _macro_auroc(rows: Checked) -> PerRow:
    return _mean_over_classes(_auroc(rows.truth, rows.probabilities))


def _auroc(truth: IsTrue, scores: Probabilities) -> PerRowAndClass:
    """Placements less their mean (DeLong et al. 1988, Biometrics 44:837), each class by its share of the rows."""
    order, first, last = _tie_groups(scores)
    here = np.take_along_axis(truth, order, axis=0)
    positives = np.concatenate([np.zeros((1, truth.shape[1]), dtype=np.int64), here.cumsum(axis=0)])
    around = np.take_along_axis(positives, first, axis=0) + np.take_along_axis(positives, last + 1, axis=0)
    wins_positive = (first + last + 1 - around) / 2  # negatives below, ties half
    count = positives[-1]
    wins_negative = count - around / 2
    placement = np.where(here, ratio(wins_positive, len(truth) - count), ratio(wins_negative, count))
    area = ratio(np.where(here, wins_positive, 0.0).sum(axis=0), count * (len(truth) - count))  # halves: exact
    values = len(truth) * ratio(placement - area, np.where(here, count, len(truth) - count))
    return _unsorted(values, order)


def _ranked_probability_score(rows: Checked) -> PerRow:
    return _of_mean(ranked_probability_scores(rows.truth, rows.probabilities))


def _threshold_auroc(rows: Checked) -> PerRow:
    return _mean_over_classes(_auroc(*above_thresholds(rows.labels, rows.probabilities)))


def _macro_average_precision(rows: Checked) -> PerRow:
    columns = zip(rows.truth.T, rows.probabilities.T, strict=True)
    return _mean_over_classes(np.stack([_average_precision(*column) for column in columns], axis=1))


def _average_precision(truth: Bool[Array, " rows"], scores: PerRow) -> PerRow:
    """A row counts itself, if positive, and stands in the precision of every positive that does not rank above it."""
    order, first, last = (places[:, 0] for places in _tie_groups(-scores[:, None]))  # highest first
    here = truth[order]
    above = last + 1  # rows at or above the threshold
    precision = here.cumsum()[last] / above
    # sums over the positives that do not rank above: from the end back to the first row of equal score
    of_ones = np.where(here, 1 / above, 0.0)[::-1].cumsum()[::-1][first]
    of_precision = np.where(here, precision / above, 0.0)[::-1].cumsum()[::-1][first]
    average = ratio(precision[here].sum(), here.sum())
    moved = here * (precision - average) + here * of_ones - of_precision
    return _unsorted(len(truth) * ratio(moved, here.sum()), order)


def _unsorted(values: Float[Array, "..."], order: Int[Array, "..."]) -> Float[Array, "..."]:
    result = np.empty(values.shape)
    np.put_along_axis(result, order, values, axis=0)
    return result


def _mean_over_classes(values: PerRowAndClass) -> PerRow:
    """Return the mean over the classes for which the yardstick is defined."""
    defined = ~np.isnan(values).any(axis=0)
    if not defined.any():
        return np.full(len(values), np.nan)
    return np.asarray(np.ascontiguousarray(values.T[defined]).mean(axis=0))


def _ece(rows: Checked) -> PerRow:
    probabilities, truth, bins = rows.probabilities, rows.truth, rows.bins
    if rows.task == "multi_label":
        confidence, came_true = probabilities.ravel(), truth.ravel()
    else:
        confidence, came_true = probabilities.max(axis=1), probabilities.argmax(axis=1) == rows.labels
    bin_of_row = np.empty(len(confidence), dtype=np.int64)  # equal probabilities are in one bin, so any sort will do
    bin_of_row[np.argsort(confidence)] = np.repeat(np.arange(len(bins.count)), bins.count)
    gap = bins.frequency - bins.confidence
    signed = np.sign(gap)[bin_of_row] * (came_true - confidence.astype(float))
    return _of_mean(signed.reshape(len(truth), -1).mean(axis=1) if len(truth) else signed)


_OF_CONFUSION: dict[str, Callable[[Counts], OfCells]] = {
    "accuracy": _accuracy_slope,
    "balanced_accuracy": _balanced_accuracy_slope,
    "macro_f1": _macro_f1_slope,
    "matthews_correlation": _matthews_slope,
    "cohen_kappa": _kappa_slope,
    "quadratic_weighted_kappa": _quadratic_kappa_slope,
    "mean_absolute_grade_error": _absolute_grade_slope,
}

_OF_ROWS: dict[str, Callable[[Checked], PerRow]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "macro_auroc": _macro_auroc,
    "macro_average_precision": _macro_average_precision,
    "nll": _nll,
    "brier": _brier,
    "ece": _ece,
    "ranked_probability_score": _ranked_probability_score,
    "threshold_auroc": _threshold_auroc,
}
