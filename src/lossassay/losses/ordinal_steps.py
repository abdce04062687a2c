"""Losses of K - 1 scores for grades: each score asks at one step whether the grade is above it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores

_SMALLEST_FALL = 1e-4  # of scores from step to step, below which the logarithm goes on along its tangent


def coral(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Binary cross-entropy of each step, summed (CORAL).

    :math:`-\sum_{k=0}^{K-2}\big[1[y>k]\log s_k + 1[y\le k]\log(1-s_k)\big]` with :math:`s_k=\sigma(z_k)=P(y>k)` (Cao et
    al. 2020, Pattern Recognit. Lett., eq. 4 with all importance weights 1). The sum grows with the number of steps.

    Args:
        scores: z, logits of P(y > k), [B K-1], of one slope and K - 1 intercepts.
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> coral(torch.zeros(1, 3), torch.tensor([2]))
        tensor([2.0794])
    """
    return _step_crossentropy(scores, labels).sum(-1)


def corn(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Binary cross-entropy of each step that the grade has reached (CORN).

    :math:`-\sum_{k\le y}\big[1[y>k]\log s_k + 1[y\le k]\log(1-s_k)\big]` with
    :math:`s_k=\sigma(z_k)=P(y>k\mid y\ge k)` (Shi et al. 2023, Pattern Anal. Appl.). Their product is the
    probability of the grade, so this is :math:`-\log P(y)`. The paper divides by the number of pairs of example and
    step in the batch, here it is the number of examples: what an example costs does not depend on those beside it.

    Args:
        scores: z, logits of P(y > k given y >= k), [B K-1].
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> corn(torch.zeros(2, 3), torch.tensor([0, 2]))
        tensor([0.6931, 2.0794])
    """
    asked = labels[:, None] >= _steps(scores)  # [B K-1]
    return torch.where(asked, _step_crossentropy(scores, labels), 0.0).sum(-1)


def condor(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Binary cross-entropy of each step, of probabilities that are products of conditional ones (CONDOR).

    :math:`-\sum_{k=0}^{K-2}\big[1[y>k]\log q_k + 1[y\le k]\log(1-q_k)\big]` with
    :math:`q_k=P(y>k)=\prod_{j\le k}\sigma(z_j)` (Jenkinson et al. 2022, arXiv:2110.07470, all importance weights 1). In
    log space: :math:`1-q_k=\sum_{j\le k}q_{j-1}(1-\sigma(z_j))`.

    Args:
        scores: z, logits of P(y > k given y >= k), [B K-1].
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> condor(torch.zeros(1, 3), torch.tensor([1]))
        tensor([1.1144])
    """
    log_above = F.logsigmoid(scores).cumsum(-1)  # log q  [B K-1]
    log_reached = torch.cat([torch.zeros_like(scores[:, :1]), log_above[:, :-1]], dim=-1)
    log_not_above = (log_reached + F.logsigmoid(-scores)).logcumsumexp(-1)  # log(1 - q)
    return -torch.where(_is_above(scores, labels), log_above, log_not_above).sum(-1)


def cumulative_link(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Logarithmic score of the grade between two thresholds of a logistic variable (proportional odds).

    :math:`-\log\big(\sigma(z_{y-1})-\sigma(z_y)\big)` with :math:`z_k=f-\theta_k`, :math:`z_{-1}=\infty` and
    :math:`z_{K-1}=-\infty` (McCullagh 1980, J. R. Stat. Soc. B). In log space :math:`\sigma(a)-\sigma(b)` is
    :math:`\sigma(a)\,\sigma(-b)\,(1-e^{b-a})`. The logarithm of the last factor goes on along its tangent where scores
    fall by less than 0.0001 or rise, which heads with thresholds in order do not do: then the loss is finite and
    pulls them into order.

    Args:
        scores: z, logits of P(y > k), [B K-1], falling from step to step.
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> cumulative_link(torch.tensor([[1.0, -1.0]]), torch.tensor([1]))
        tensor([0.7719])
    """
    zero = torch.zeros_like(scores[:, :1])
    log_reached = torch.cat([zero, F.logsigmoid(scores)], dim=-1)  # log P(y > k - 1)  [B K]
    log_stayed = torch.cat([F.logsigmoid(-scores), zero], dim=-1)
    log_between = torch.cat([zero, _log_of_fall(scores[:, :-1] - scores[:, 1:]), zero], dim=-1)
    log_p = log_reached + log_stayed + log_between
    return -log_p.gather(-1, labels[:, None].long()).squeeze(-1)


def ordinal_ecoc(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Squared distance of the steps' probabilities to the code word of the grade.

    :math:`\sum_{k=0}^{K-2}(s_k-1[y>k])^2` with :math:`s_k=\sigma(z_k)` (Barbero-Gomez et al. 2023, Neural Process.
    Lett.). Decisions are the grade of the nearest code word.

    Args:
        scores: z, logits of P(y > k), [B K-1].
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], from 0 to K - 1.

    Example:
        >>> ordinal_ecoc(torch.zeros(1, 3), torch.tensor([1]))
        tensor([0.7500])
    """
    wrong = torch.where(_is_above(scores, labels), -scores, scores)
    return torch.sigmoid(wrong).square().sum(-1)


def _steps(scores: Tensor) -> Tensor:
    return torch.arange(scores.shape[-1], device=scores.device)


def _is_above(scores: Tensor, labels: Tensor) -> Tensor:
    """Return whether the grade is above each step, [B K-1]."""
    return labels[:, None] > _steps(scores)


def _step_crossentropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy of each step, [B K-1]."""
    return -F.logsigmoid(torch.where(_is_above(scores, labels), scores, -scores))


def _log_of_fall(fall: Tensor) -> Tensor:
    """Return log(1 - e^-fall), along its tangent below the smallest fall."""
    there = torch.log(-torch.expm1(-fall.clamp_min(_SMALLEST_FALL)))
    tangent = math.log(-math.expm1(-_SMALLEST_FALL)) + (fall - _SMALLEST_FALL) / math.expm1(_SMALLEST_FALL)
    return torch.where(fall >= _SMALLEST_FALL, there, tangent)
