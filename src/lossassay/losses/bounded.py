"""Losses for wrong labels: what one of them costs has an upper limit, alone or beside a little cross-entropy."""

import math

import torch

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy

LOG_ZERO = math.log(1e-4)  # A in the code of Wang et al. 2019 and of Ma et al. 2020


def mean_absolute_error_probability(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Absolute error of the probabilities, summed over classes.

    :math:`\sum_c |p_c - t_c| = 2(1 - p_y)` with p = softmax(z) and one-hot t (Ghosh et al. 2017, AAAI).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], from 0 to 2.

    Example:
        >>> mean_absolute_error_probability(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.5000])
    """
    return 2 * _probability_of_the_others(scores, labels)


def generalized_cross_entropy(scores: Scores, labels: IntegerLabels, *, q: float = 0.7) -> PerExample:
    r"""Between cross-entropy and absolute error.

    :math:`(1 - p_y^q)/q` with p = softmax(z) (Zhang and Sabuncu 2018, NeurIPS).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        q: From 0 (cross-entropy, its limit) to 1 (half the absolute error).

    Returns:
        Per example, [B], from 0 to 1 / q.

    Example:
        >>> generalized_cross_entropy(torch.zeros(1, 4), torch.tensor([0]), q=0.5)
        tensor([1.])
    """
    nats = sparse_categorical_crossentropy(scores, labels)
    return nats if q == 0 else -torch.expm1(-q * nats) / q


def reverse_cross_entropy(scores: Scores, labels: IntegerLabels, *, log_zero: float = LOG_ZERO) -> PerExample:
    r"""Cross-entropy with label and prediction exchanged, where the logarithm of 0 is a number that one sets.

    :math:`-\sum_c p_c\log t_c = -A(1 - p_y)` with p = softmax(z), one-hot t and log 0 := A (Wang et al. 2019, ICCV).
    It is the absolute error times -A / 2.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        log_zero: A, below 0; the logarithm of 1e-4 in the authors' code.

    Returns:
        Per example, [B], from 0 to -A.

    Example:
        >>> reverse_cross_entropy(torch.zeros(1, 4), torch.tensor([0]), log_zero=-4.0)
        tensor([3.])
    """
    return -log_zero * _probability_of_the_others(scores, labels)


def symmetric_cross_entropy(
    scores: Scores, labels: IntegerLabels, *, alpha: float = 0.1, beta: float = 1.0, log_zero: float = LOG_ZERO
) -> PerExample:
    r"""A little cross-entropy, to learn at all, and reverse cross-entropy, to bear wrong labels.

    :math:`-\alpha\log p_y - \beta A(1 - p_y)` with p = softmax(z) and log 0 := A (Wang et al. 2019, ICCV).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Weight of cross-entropy, 0 or more; 0.1 for CIFAR-10 in the paper.
        beta: Weight of reverse cross-entropy, 0 or more.
        log_zero: A, below 0; the logarithm of 1e-4 in the authors' code.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> symmetric_cross_entropy(torch.zeros(1, 4), torch.tensor([0]), alpha=1.0, beta=1.0, log_zero=-4.0)
        tensor([4.3863])
    """
    active = sparse_categorical_crossentropy(scores, labels)
    return alpha * active + beta * reverse_cross_entropy(scores, labels, log_zero=log_zero)


def _probability_of_the_others(scores: Scores, labels: IntegerLabels) -> PerExample:
    """Return 1 - p_y, exact also where p_y is near 1."""
    return -torch.expm1(-sparse_categorical_crossentropy(scores, labels))
