"""Losses on evidence: the scores give a Dirichlet distribution of class probabilities, not one probability each.

Evidence is e = softplus(z), the distribution has the parameters alpha = e + 1 with sum S, its mean is alpha / S.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores


def evidential_log(scores: Scores, labels: IntegerLabels, *, epoch: int, annealing_epochs: int = 10) -> PerExample:
    r"""Negative log-likelihood of the mean of a Dirichlet distribution, and a penalty on evidence for wrong classes.

    :math:`\log S-\log\alpha_y+\lambda_t\,\mathrm{KL}(\mathrm{Dir}(\tilde\alpha)\,\Vert\,\mathrm{Dir}(1))` with
    :math:`\alpha=1+\mathrm{softplus}(z)`, :math:`\tilde\alpha_y=1` and :math:`\tilde\alpha_c=\alpha_c` else, and
    :math:`\lambda_t=\min(1,t/T)` (Sensoy et al. 2018, NeurIPS, arXiv:1806.01768, eq. 3; the penalty follows eq. 5).

    Args:
        scores: z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        epoch: Which pass over the data this is, from 1; t is one less.
        annealing_epochs: T, 0 or more: after so many epochs the penalty has its full weight; 0 is from the start.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> evidential_log(torch.zeros(1, 4), torch.tensor([0]), epoch=1)
        tensor([1.3863])
    """
    alpha = _alpha(scores)
    true, others = _apart(alpha, labels)
    value = torch.log1p(others.sum(-1) / true)
    return _penalised(value, alpha, labels, epoch, annealing_epochs).to(scores.dtype)


def evidential_digamma(scores: Scores, labels: IntegerLabels, *, epoch: int, annealing_epochs: int = 10) -> PerExample:
    r"""Expected cross-entropy under a Dirichlet distribution, and a penalty on evidence for wrong classes.

    :math:`\psi(S)-\psi(\alpha_y)+\lambda_t\,\mathrm{KL}(\mathrm{Dir}(\tilde\alpha)\,\Vert\,\mathrm{Dir}(1))` with
    :math:`\psi` the digamma function and the rest as in `evidential_log` (Sensoy et al. 2018, NeurIPS,
    arXiv:1806.01768, eq. 4).

    Args:
        scores: z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        epoch: Which pass over the data this is, from 1; t is one less.
        annealing_epochs: T, 0 or more: after so many epochs the penalty has its full weight; 0 is from the start.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> evidential_digamma(torch.full((1, 2), -100.0), torch.tensor([0]), epoch=1)
        tensor([1.0000])
    """
    alpha = _alpha(scores)
    true, others = _apart(alpha, labels)
    value = torch.digamma(true + others.sum(-1)) - torch.digamma(true)
    return _penalised(value, alpha, labels, epoch, annealing_epochs).to(scores.dtype)


def evidential_squared_error(
    scores: Scores, labels: IntegerLabels, *, epoch: int, annealing_epochs: int = 10
) -> PerExample:
    r"""Expected squared error under a Dirichlet distribution, and a penalty on evidence for wrong classes.

    :math:`\sum_c\left[(t_c-\hat p_c)^2+\frac{\hat p_c(1-\hat p_c)}{S+1}\right]+\lambda_t\,\mathrm{KL}(\mathrm{Dir}(
    \tilde\alpha)\,\Vert\,\mathrm{Dir}(1))` with :math:`\hat p=\alpha/S`, t the one-hot row and the rest as in
    `evidential_log` (Sensoy et al. 2018, NeurIPS, arXiv:1806.01768, eq. 5, the form that the paper chooses).

    Args:
        scores: z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        epoch: Which pass over the data this is, from 1; t is one less.
        annealing_epochs: T, 0 or more: after so many epochs the penalty has its full weight; 0 is from the start.

    Returns:
        Squared error and nats per example, [B], 0 or more.

    Example:
        >>> evidential_squared_error(torch.full((1, 2), -100.0), torch.tensor([0]), epoch=1)
        tensor([0.6667])
    """
    alpha = _alpha(scores)
    true, others = _apart(alpha, labels)
    rest = others.sum(-1)
    strength = true + rest
    others = others / strength[:, None]  # their share of the mean
    missing = rest / strength  # one minus the true class's share
    variance = (1 - missing) * missing + (others * (1 - others)).sum(-1)
    value = missing.square() + others.square().sum(-1) + variance / (strength + 1)
    return _penalised(value, alpha, labels, epoch, annealing_epochs).to(scores.dtype)


def _alpha(scores: Tensor) -> Tensor:
    """Return 1 + evidence, in single precision at least: differences of log-gammas need their digits."""
    return 1 + F.softplus(scores.to(torch.promote_types(scores.dtype, torch.float32)))


def _apart(alpha: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return alpha of the true class, [B], and of all others, [B K] with 0 in the place of the true one."""
    index = labels[:, None].long()
    return alpha.gather(-1, index).squeeze(-1), alpha.scatter(-1, index, 0.0)


def _penalised(value: Tensor, alpha: Tensor, labels: Tensor, epoch: int, annealing_epochs: int) -> Tensor:
    """Add the divergence of the evidence for wrong classes from no evidence at all."""
    annealed = 1.0 if epoch > annealing_epochs else (epoch - 1) / annealing_epochs
    wrong = alpha.scatter(-1, labels[:, None].long(), 1.0)
    return value + annealed * _divergence_from_uniform(wrong)


def _divergence_from_uniform(alpha: Tensor) -> Tensor:
    """Return KL(Dir(alpha) || Dir(1)), [B]."""
    total, classes = alpha.sum(-1), alpha.new_tensor(float(alpha.shape[-1]))
    normaliser = torch.lgamma(total) - torch.lgamma(classes) - torch.lgamma(alpha).sum(-1)
    return normaliser + ((alpha - 1) * (torch.digamma(alpha) - torch.digamma(total)[:, None])).sum(-1)
