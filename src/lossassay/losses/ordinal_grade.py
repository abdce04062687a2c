"""Losses of one score that is the grade itself: regression on the numbers 0 to K - 1."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores


def ordinal_squared_error(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Squared error of the grade.

    :math:`(f-y)^2` (Gauss 1809). Its best score is the mean of the grades.

    Args:
        scores: f, [B 1].
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], in squared grades, 0 or more.

    Example:
        >>> ordinal_squared_error(torch.tensor([[0.5]]), torch.tensor([2]))
        tensor([2.2500])
    """
    return _error(scores, labels).square()


def ordinal_absolute_error(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Absolute error of the grade.

    :math:`|f-y|` (Laplace 1774). Its best score is the median of the grades; its gradient has one size everywhere.

    Args:
        scores: f, [B 1].
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], in grades, 0 or more.

    Example:
        >>> ordinal_absolute_error(torch.tensor([[0.5]]), torch.tensor([2]))
        tensor([1.5000])
    """
    return _error(scores, labels).abs()


def ordinal_huber(scores: Scores, labels: IntegerLabels, *, delta: float = 1.0) -> PerExample:
    r"""Huber's error of the grade: squared near the grade, absolute farther away.

    :math:`\frac12(f-y)^2` where :math:`|f-y|\le\delta`, else :math:`\delta(|f-y|-\frac\delta2)` (Huber 1964).

    Args:
        scores: f, [B 1].
        labels: Grade y, [B], from 0 to K - 1.
        delta: Where the one becomes the other, in grades, above 0.

    Returns:
        Per example, [B], in squared grades, 0 or more.

    Example:
        >>> ordinal_huber(torch.tensor([[0.5], [1.5]]), torch.tensor([2, 2]))
        tensor([1.0000, 0.1250])
    """
    error = _error(scores, labels)
    return F.huber_loss(error, torch.zeros_like(error), delta=delta, reduction="none")


def _error(scores: Tensor, labels: Tensor) -> Tensor:
    return scores.squeeze(-1) - labels.to(scores.dtype)
