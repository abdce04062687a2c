"""Hinges: the true class has to be ahead by a margin; how far the others are behind it does not count."""

import torch

from lossassay.arrays import IntegerLabels, PerExample, Scores


def crammer_singer(scores: Scores, labels: IntegerLabels, *, margin: float = 1.0) -> PerExample:
    r"""Hinge against the best of the other classes.

    :math:`\max(0,\ m+\max_{c\ne y}z_c-z_y)` (Crammer and Singer 2001, J. Mach. Learn. Res. 2:265).

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        margin: m, by how much the true class has to be ahead, 0 or more; 0 is the perceptron's loss.

    Returns:
        In units of the scores, [B], 0 or more.

    Example:
        >>> crammer_singer(torch.tensor([[2.0, 0.0, 1.5]]), torch.tensor([0]))
        tensor([0.5000])
    """
    true, others = _true_and_others(scores, labels)
    return torch.relu(margin + others.amax(dim=-1) - true)


def perceptron(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""By how much the largest score is above that of the true class.

    :math:`\max_cz_c-z_y` (Collins 2002, EMNLP). A right answer, however narrow, costs nothing.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        In units of the scores, [B], 0 or more.

    Example:
        >>> perceptron(torch.tensor([[2.0, 0.0, 2.5]]), torch.tensor([0]))
        tensor([0.5000])
    """
    true, _ = _true_and_others(scores, labels)
    return scores.amax(dim=-1) - true


def categorical_hinge(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Hinge against the best of the other classes and zero.

    :math:`\max(0,\ 1+\max(0,\max_{c\ne y}z_c)-z_y)`, as ``keras.losses.CategoricalHinge`` with one-hot labels, where
    the masked score of the true class counts as a zero. Hence the true class needs a score of 1, and what the others
    have below 0 does not help: scores that differ by a constant cost differently.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        In units of the scores, [B], 0 or more.

    Example:
        >>> categorical_hinge(torch.tensor([[2.0, 0.0, 1.5], [0.0, -9.0, -9.0]]), torch.tensor([0, 0]))
        tensor([0.5000, 1.0000])
    """
    true, others = _true_and_others(scores, labels)
    return torch.relu(1 + torch.relu(others.amax(dim=-1)) - true)


def multi_margin(scores: Scores, labels: IntegerLabels, *, margin: float = 1.0, p: int = 1) -> PerExample:
    r"""Sum over the other classes of hinges or their squares, divided by the number of all classes.

    :math:`\frac1K\sum_{c\ne y}\max(0,\ m+z_c-z_y)^p` (Weston and Watkins 1999, ESANN, whose sum is not divided), as
    ``torch.nn.MultiMarginLoss``.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        margin: m, by how much the true class has to be ahead of each other, 0 or more.
        p: 1, or 2 for squared hinges.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> multi_margin(torch.tensor([[2.0, 0.0, 1.5, 2.5]]), torch.tensor([0]))
        tensor([0.5000])
    """
    true, others = _true_and_others(scores, labels)
    hinges = torch.relu(margin + others - true[:, None])  # 0 for the true class: the others hold -inf there
    return (hinges if p == 1 else hinges.square()).sum(dim=-1) / scores.shape[-1]


def _true_and_others(scores: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the score of the true class, [B], and all scores with -inf in its place, [B K]."""
    index = labels[:, None].long()
    return scores.gather(-1, index).squeeze(-1), scores.scatter(-1, index, -torch.inf)
