"""Squared errors of softmax probabilities."""

import torch
import torch.nn.functional as F

from lossassay.arrays import DenseLabels, PerExample, Scores


def mean_squared_error(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Mean over classes of the squared error of the probabilities.

    :math:`\frac1K\sum_c (p_c - t_c)^2` with p = softmax(z): the Brier score (Brier 1950) divided by K, as
    ``keras.losses.MeanSquaredError`` after a softmax layer.

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        Per example, [B], from 0 to 2 / K.

    Example:
        >>> mean_squared_error(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([0.1875])
    """
    return (F.softmax(scores, dim=-1) - labels).square().mean(dim=-1)


def brier(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Squared error of the probabilities, summed over classes.

    :math:`\sum_c (p_c - t_c)^2` with p = softmax(z) (Brier 1950).

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        Per example, [B], from 0 to 2.

    Example:
        >>> brier(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([0.7500])
    """
    return (F.softmax(scores, dim=-1) - labels).square().sum(dim=-1)


def root_mean_squared_error(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Root of the batch's mean squared error of the probabilities.

    :math:`\sqrt{\frac1{BK}\sum_{b,c}(p_{bc}-t_{bc})^2}`. It exists only for a batch: each example gets the share
    m_b / RMSE, with m_b its mean squared error; the shares average to the root, and so do their gradients.

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        Shares that average to the root, [B]; zeros where every example is predicted exactly.

    Example:
        >>> root_mean_squared_error(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([0.4330])
    """
    per_example = mean_squared_error(scores, labels)
    mean = per_example.mean()
    root = torch.where(mean > 0, mean, 1.0).sqrt()  # at an exact fit the share and its gradient are 0, not 0 / 0
    return per_example / root
