"""Proper scores of probabilities."""

import numpy as np
from jaxtyping import Float

from lossassay.catalogue.loss_spec import Task
from lossassay.metrics.shapes import Array, IsTrue, Labels, Probabilities, is_known

PerRow = Float[Array, " rows"]

_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)  # 1.4e-45, 103.3 nats


def negative_log_likelihood(labels: Labels, probabilities: Probabilities, *, task: Task) -> float:
    r"""Return the mean of -log p of what was true, in nats; multi-label: the mean over labels too.

    A probability of 0 counts as 1.4e-45, the smallest number of float32 (103.3 nats), so that the mean stays finite;
    every larger one counts as it is. Multi-label data also need 1 - p, where float32 has no number between
    1 - 6e-8 and 1: a p of 1 counts as half that step away from 1 (17.3 nats in float32, 37.4 in float64).

    Args:
        labels: Class indices [N], or 0 and 1 [N K].
        probabilities: [N K].
        task: What the labels are.
    """
    if task != "multi_label":
        of_truth = probabilities[np.arange(len(labels)), labels.astype(np.int64)].astype(float)
    else:
        half_step = float(np.finfo(probabilities.dtype).epsneg) / 2
        rest = np.maximum(1 - probabilities.astype(float), half_step)
        of_truth = np.where(labels > 0.5, probabilities, rest)[is_known(labels, probabilities.shape[1])]
    return _mean(-np.log(np.maximum(of_truth, _SMALLEST)))


def ranked_probability_score(truth: IsTrue, probabilities: Probabilities) -> float:
    r"""Return the mean of :math:`\sum_k (P(y \le k) - 1[y \le k])^2` (Epstein 1969, J. Appl. Meteorol. 8:985).

    Args:
        truth: Which grade is true of which row, [N K].
        probabilities: [N K].
    """
    return _mean(ranked_probability_scores(truth, probabilities))


def ranked_probability_scores(truth: IsTrue, probabilities: Probabilities) -> PerRow:
    """Return the ranked probability score of each row, [N]; see `ranked_probability_score`."""
    gaps = (probabilities.astype(float) - truth).cumsum(axis=1)[:, :-1]
    return np.asarray(np.square(gaps).sum(axis=1))


def brier(truth: IsTrue, probabilities: Probabilities, known: IsTrue, *, task: Task) -> float:
    r"""Return the mean of the summed squared error, :math:`\sum_c (p_c - t_c)^2` (Brier 1950, Mon. Weather Rev. 78:1).

    Args:
        truth: Which classes are true of which row, [N K].
        probabilities: [N K].
        known: Of which labels something is known, [N K].
        task: Multi-label takes the mean over known labels in place of the sum.
    """
    squares = np.square(probabilities.astype(float) - truth)
    return _mean(squares[known] if task == "multi_label" else squares.sum(axis=1))


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")
