"""Losses for findings judged one by one: cross-entropy and its focused and shifted forms, summed over classes."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.masks import known_and_filled, sum_over_known


def binary_crossentropy_sum(
    scores: Scores, labels: DenseLabels, *, pos_weight: Sequence[float] | None = None
) -> PerExample:
    r"""Sum over classes of the binary cross-entropy of sigmoid(z), with a weight for positives.

    :math:`-\sum_c [w_c t_c\log s_c + (1-t_c)\log(1-s_c)]` (Good 1952; the sum as in Beyer et al. 2020,
    arXiv:2006.07159). Without weights it is K times `binary_crossentropy`, and so is its gradient.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        pos_weight: w, one number for each class, 0 or more; None is 1 for all.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> binary_crossentropy_sum(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([2.7726])
    """
    weight = None if pos_weight is None else scores.new_tensor(pos_weight)
    known, filled = known_and_filled(labels)
    per_class = F.binary_cross_entropy_with_logits(scores, filled, reduction="none", pos_weight=weight)
    return sum_over_known(per_class, known)


def sigmoid_focal(scores: Scores, labels: DenseLabels, *, gamma: float = 2.0, alpha: float | None = 0.25) -> PerExample:
    r"""Binary cross-entropy that counts easy classes less, summed over classes.

    :math:`-\sum_c [\alpha t_c(1-s_c)^\gamma\log s_c + (1-\alpha)(1-t_c)s_c^\gamma\log(1-s_c)]` (Lin et al. 2017,
    arXiv:1708.02002, eq. 5; values as in their table 1). Computed from log s and log(1 - s), so that the gradient is
    finite for every gamma, also below 1.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        gamma: Focusing, 0 or more; 0 is cross-entropy.
        alpha: Weight of positives, from 0 to 1; negatives get 1 - alpha. None gives both the weight 1.

    Returns:
        Weighted nats per example, [B], 0 or more.

    Example:
        >>> sigmoid_focal(torch.zeros(1, 4), torch.eye(4)[:1], gamma=2.0, alpha=None)
        tensor([0.6931])
    """
    present, absent = _focused_present(scores, gamma), _focused_present(-scores, gamma)
    if alpha is None:
        return _expected(labels, present, absent)
    return _expected(labels, alpha * present, (1 - alpha) * absent)


def asymmetric(
    scores: Scores, labels: DenseLabels, *, gamma_neg: float = 4.0, gamma_pos: float = 1.0, margin: float = 0.05
) -> PerExample:
    r"""Asymmetric loss (ASL): negatives are focused more than positives, and very easy negatives are left out.

    :math:`-\sum_c [t_c(1-s_c)^{\gamma_+}\log s_c + (1-t_c)\bar s_c^{\gamma_-}\log(1-\bar s_c)]` with
    :math:`\bar s_c=\max(s_c-m, 0)` (Ridnik et al. 2021, ICCV, arXiv:2009.14119, eq. 5 to 7; values as in their code).
    The shift also bounds the cost of a false alarm: no more than -log m for each class. The cost of a missed finding is
    not bounded.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        gamma_neg: Focusing of negatives, 0 or more.
        gamma_pos: Focusing of positives, 0 or more.
        margin: m, from 0 to 1: negatives with a probability below it cost nothing.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> asymmetric(torch.zeros(1, 2), torch.ones(1, 2), gamma_pos=1.0)
        tensor([0.6931])
    """
    absent = _shifted_absent(F.logsigmoid(-scores), gamma_neg, margin)
    return _expected(labels, _focused_present(scores, gamma_pos), absent)


def hill(
    scores: Scores, labels: DenseLabels, *, lambda_: float = 1.5, margin: float = 1.0, gamma: float = 2.0
) -> PerExample:
    r"""Hill loss: a negative that looks surely positive is taken for a label that somebody forgot.

    :math:`\sum_c [-t_c(1-q_c)^\gamma\log q_c + (1-t_c)(\lambda-s_c)s_c^2]` with :math:`q=\mathrm{sigmoid}(z-m)`
    (Zhang et al. 2021, arXiv:2112.07368; values as in their code). The pull on a negative is weak where s is near 1.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        lambda_: 1 or more; with 1.5 the pull on a negative vanishes at s = 1, below it turns round before.
        margin: m, 0 or more: positives are pushed further by so much, on the scale of the logits.
        gamma: Focusing of positives, 0 or more.

    Returns:
        Cost per example, [B], 0 or more.

    Example:
        >>> hill(torch.zeros(1, 2), torch.zeros(1, 2))
        tensor([0.5000])
    """
    s = torch.sigmoid(scores)
    return _expected(labels, _focused_present(scores - margin, gamma), (lambda_ - s) * s.square())


def splc(
    scores: Scores,
    labels: DenseLabels,
    *,
    epoch: int,
    tau: float = 0.6,
    change_epoch: int = 1,
    margin: float = 1.0,
    gamma: float = 2.0,
) -> PerExample:
    r"""Self-paced loss correction (SPLC): a negative that the network calls positive is learnt as a positive.

    :math:`\sum_c [t_c\ell^+(z_c-m) + (1-t_c)\ell^\pm(z_c)]` with :math:`\ell^+(z)=-(1-s)^\gamma\log s`, and
    :math:`\ell^\pm` is :math:`\ell^+` where s is above tau, :math:`\ell^-(z)=-s^\gamma\log(1-s)` elsewhere (Zhang et
    al. 2021, arXiv:2112.07368; values, and no margin for corrected labels, as in their code). The first epochs correct
    nothing: there the network knows too little.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        epoch: Which pass over the data this is, from 1.
        tau: From 0 to 1: negatives with a probability above it are corrected; 1 corrects none.
        change_epoch: How many epochs pass before labels are corrected, 0 or more.
        margin: m, 0 or more: labelled positives are pushed further by so much, on the scale of the logits.
        gamma: Focusing, 0 or more.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> splc(torch.tensor([[9.0, 0.0]]), torch.zeros(1, 2), epoch=2)  # the first is taken for forgotten
        tensor([0.1733])
    """
    present, absent = _focused_present(scores, gamma), _focused_present(-scores, gamma)
    if epoch > change_epoch:
        absent = torch.where(torch.sigmoid(scores) > tau, present, absent)
    return _expected(labels, _focused_present(scores - margin, gamma), absent)


def _focused_present(scores: Tensor, gamma: float) -> Tensor:
    """Return -(1 - s)^gamma log s of s = sigmoid(z)."""
    return -torch.exp(gamma * F.logsigmoid(-scores)) * F.logsigmoid(scores)


def _shifted_absent(log_rest: Tensor, gamma: float, margin: float) -> Tensor:
    """Cost of a class that is absent, from log(1 - s), [B K]: focused cross-entropy of s - m; 0 where s is below m.

    All from log(1 - (s - m)): nothing is clamped, and where the class costs nothing the gradient is exactly 0.
    """
    shifted = log_rest if margin == 0 else torch.logaddexp(log_rest, log_rest.new_tensor(math.log(margin)))
    counted = shifted < -torch.finfo(shifted.dtype).tiny
    shifted = torch.where(counted, shifted, -1.0)  # also of the input: its logarithm has no gradient at 0
    log_s = torch.log(-torch.expm1(shifted))
    return torch.where(counted, -torch.exp(gamma * log_s) * shifted, 0.0)


def _expected(labels: Tensor, present: Tensor, absent: Tensor) -> PerExample:
    """Sum over known classes of the costs of presence and absence, weighted by the labels, [B]."""
    known, filled = known_and_filled(labels)
    return sum_over_known(filled * present + (1 - filled) * absent, known)
