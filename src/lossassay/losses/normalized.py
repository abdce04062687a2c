"""Normalised losses (each divided by its sum over all possible labels), alone and with a passive partner."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.bounded import LOG_ZERO, mean_absolute_error_probability, reverse_cross_entropy


def normalized_cross_entropy(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Cross-entropy divided by its sum over all possible labels.

    :math:`\log p_y / \sum_c \log p_c` with p = softmax(z) (Ma et al. 2020, ICML).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], from 0 to 1.

    Example:
        >>> normalized_cross_entropy(torch.zeros(1, 4), torch.tensor([0]))
        tensor([0.2500])
    """
    return _normalized(-F.log_softmax(scores, dim=-1), labels)


def normalized_focal(scores: Scores, labels: IntegerLabels, *, gamma: float = 0.5) -> PerExample:
    r"""Focal loss divided by its sum over all possible labels.

    :math:`(1-p_y)^\gamma\log p_y / \sum_c (1-p_c)^\gamma\log p_c` with p = softmax(z) (Ma et al. 2020, ICML). The
    gradient goes through the focusing factors as well.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        gamma: Focusing, 0 or more; 0 is normalised cross-entropy.

    Returns:
        Per example, [B], from 0 to 1.

    Example:
        >>> normalized_focal(torch.zeros(1, 4), torch.tensor([0]))
        tensor([0.2500])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    return _normalized(-torch.exp(gamma * _log_of_the_others(log_p)) * log_p, labels)


def normalized_generalized_cross_entropy(scores: Scores, labels: IntegerLabels, *, q: float = 0.7) -> PerExample:
    r"""Generalised cross-entropy divided by its sum over all possible labels.

    :math:`(1-p_y^q) / (K-\sum_c p_c^q)` with p = softmax(z) (Ma et al. 2020, ICML). For q = 1 it is
    (1 - p_y) / (K - 1), which normalised absolute error and normalised reverse cross-entropy are too.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        q: From 0 (normalised cross-entropy, its limit) to 1.

    Returns:
        Per example, [B], from 0 to 1.

    Example:
        >>> normalized_generalized_cross_entropy(torch.zeros(1, 4), torch.tensor([0]))
        tensor([0.2500])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    return _normalized(-log_p if q == 0 else -torch.expm1(q * log_p), labels)


def nce_and_rce(
    scores: Scores, labels: IntegerLabels, *, alpha: float = 1.0, beta: float = 1.0, log_zero: float = LOG_ZERO
) -> PerExample:
    r"""Active-passive loss: normalised cross-entropy and reverse cross-entropy.

    :math:`\alpha\log p_y/\sum_c\log p_c - \beta A(1-p_y)` with p = softmax(z) (Ma et al. 2020, ICML): the first
    raises p_y, the second lowers the others.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Weight of the active part; 1 for CIFAR-10, 10 for CIFAR-100 in the paper.
        beta: Weight of the passive part; 1 for CIFAR-10, 0.1 for CIFAR-100 in the paper.
        log_zero: A of reverse cross-entropy, below 0.

    Returns:
        Per example, [B], from 0 to alpha - beta A.

    Example:
        >>> nce_and_rce(torch.zeros(1, 4), torch.tensor([0]), log_zero=-4.0)
        tensor([3.2500])
    """
    passive = reverse_cross_entropy(scores, labels, log_zero=log_zero)
    return alpha * normalized_cross_entropy(scores, labels) + beta * passive


def nce_and_mae(scores: Scores, labels: IntegerLabels, *, alpha: float = 1.0, beta: float = 1.0) -> PerExample:
    r"""Active-passive loss: normalised cross-entropy and absolute error.

    :math:`\alpha\log p_y/\sum_c\log p_c + 2\beta(1-p_y)` with p = softmax(z) (Ma et al. 2020, ICML).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Weight of the active part; 1 for CIFAR-10, 10 for CIFAR-100 in the paper.
        beta: Weight of the passive part; the authors' code leaves out the 2, so that its beta is twice this one.

    Returns:
        Per example, [B], from 0 to alpha + 2 beta.

    Example:
        >>> nce_and_mae(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.7500])
    """
    return alpha * normalized_cross_entropy(scores, labels) + beta * mean_absolute_error_probability(scores, labels)


def nfl_and_rce(
    scores: Scores,
    labels: IntegerLabels,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.5,
    log_zero: float = LOG_ZERO,
) -> PerExample:
    r"""Active-passive loss: normalised focal loss and reverse cross-entropy.

    :math:`\alpha\,\frac{(1-p_y)^\gamma\log p_y}{\sum_c(1-p_c)^\gamma\log p_c} - \beta A(1-p_y)` with p = softmax(z)
    (Ma et al. 2020, ICML).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Weight of the active part; 1 for CIFAR-10, 10 for CIFAR-100 in the paper.
        beta: Weight of the passive part; 1 for CIFAR-10, 0.1 for CIFAR-100 in the paper.
        gamma: Focusing, 0 or more.
        log_zero: A of reverse cross-entropy, below 0.

    Returns:
        Per example, [B], from 0 to alpha - beta A.

    Example:
        >>> nfl_and_rce(torch.zeros(1, 4), torch.tensor([0]), log_zero=-4.0)
        tensor([3.2500])
    """
    passive = reverse_cross_entropy(scores, labels, log_zero=log_zero)
    return alpha * normalized_focal(scores, labels, gamma=gamma) + beta * passive


def nfl_and_mae(
    scores: Scores, labels: IntegerLabels, *, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5
) -> PerExample:
    r"""Active-passive loss: normalised focal loss and absolute error.

    :math:`\alpha\,\frac{(1-p_y)^\gamma\log p_y}{\sum_c(1-p_c)^\gamma\log p_c} + 2\beta(1-p_y)` with p = softmax(z)
    (Ma et al. 2020, ICML).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Weight of the active part; 1 for CIFAR-10, 10 for CIFAR-100 in the paper.
        beta: Weight of the passive part; the authors' code leaves out the 2, so that its beta is twice this one.
        gamma: Focusing, 0 or more.

    Returns:
        Per example, [B], from 0 to alpha + 2 beta.

    Example:
        >>> nfl_and_mae(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.7500])
    """
    passive = mean_absolute_error_probability(scores, labels)
    return alpha * normalized_focal(scores, labels, gamma=gamma) + beta * passive


def _normalized(by_label: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of the given label divided by the sum over all labels; by_label is [B K] and 0 or more."""
    return by_label.gather(-1, labels[:, None].long()).squeeze(-1) / by_label.sum(dim=-1)


def _log_of_the_others(log_p: Tensor) -> Tensor:
    """Return log(1 - p_c) of every class, [B K].

    Only the likeliest class can have p near 1, where 1 - p loses its digits: its own is summed over the others.
    """
    likeliest = log_p.argmax(dim=-1, keepdim=True)
    without = log_p.scatter(-1, likeliest, -torch.inf)
    return torch.log1p(-without.exp()).scatter(-1, likeliest, without.logsumexp(dim=-1, keepdim=True))
