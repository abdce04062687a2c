"""Losses that compare the scores of findings: those that are present should be above those that are not.

A label between 0 and 1 counts as present to that degree and as absent to the rest.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.masks import known_and_filled


def zlpr(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Zero-bounded log-sum-exp and pairwise rank-based loss: present above 0, absent below.

    :math:`\log(1+\sum_c(1-t_c)e^{z_c})+\log(1+\sum_c t_c e^{-z_c})` (Su et al. 2022, arXiv:2208.02955). The extension
    of softmax cross-entropy to several labels: it does not grow with the number of easy negatives. Soft labels as the
    authors take them.

    Args:
        scores: z, [B K]; a class is decided to be present where z is above 0.
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> zlpr(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([2.0794])
    """
    present, absent = _present_and_absent(labels)
    highest_absent = torch.logsumexp(_log_weighted(scores, absent), dim=-1)
    lowest_present = torch.logsumexp(_log_weighted(-scores, present), dim=-1)
    return _softplus(highest_absent) + _softplus(lowest_present)


def lsep(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Log-sum-exp pairwise loss: every present class above every absent one.

    :math:`\log(1+\sum_{i,j}t_i(1-t_j)e^{z_j-z_i})` (Li et al. 2017, CVPR, arXiv:1704.03135). The sum over pairs is a
    product of two sums, so nothing of size K times K is built. With one present class it is the cross-entropy of the
    softmax. An example in which nothing is present, or everything, costs nothing.

    Args:
        scores: z, [B K]; only their order within an example matters.
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> lsep(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([1.3863])
    """
    return _softplus(_gap(scores, *_present_and_absent(labels), dim=-1))


def pairwise_hinge_ranking(scores: Scores, labels: DenseLabels, *, margin: float = 1.0) -> PerExample:
    r"""Pairwise hinge: every present class above every absent one by a margin.

    :math:`\frac1K\sum_{i,j}t_i(1-t_j)\max(0, m-z_i+z_j)` (Elisseeff and Weston 2001, NIPS 14; divided by K as in
    torch.nn.MultiLabelMarginLoss, which has m = 1). It builds all pairs, K times K numbers for each example. An example
    in which nothing is present, or everything, costs nothing.

    Args:
        scores: z, [B K]; only their order within an example matters.
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known: K is the number of known classes.
        margin: m, 0 or more, on the scale of the scores.

    Returns:
        Cost per example, [B], 0 or more.

    Example:
        >>> pairwise_hinge_ranking(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([0.7500])
    """
    present, absent = _present_and_absent(labels)
    violations = F.relu(margin - scores[:, :, None] + scores[:, None, :])  # [B present absent]
    pairs = present[:, :, None] * absent[:, None, :]
    known = (~torch.isnan(labels)).sum(-1).clamp_min(1)
    return (pairs * violations).sum(dim=(-2, -1)) / known


def two_way(
    scores: Scores, labels: DenseLabels, *, temperature_pos: float = 4.0, temperature_neg: float = 1.0
) -> PerExample:
    r"""Two-way loss: present above absent among the classes of an image, and among the images of a class.

    :math:`\frac1{|B^+|}\sum_{b\in B^+}\ell(z_{b\cdot}, t_{b\cdot})+\frac1{|K^+|}\sum_{c\in K^+}\ell(z_{\cdot c},
    t_{\cdot c})` with :math:`\ell(z,t)=\log(1+e^{T_-\log\sum_j(1-t_j)e^{z_j/T_-}+T_+\log\sum_i t_i e^{-z_i/T_+}})`; the
    sums run over the images and the classes with something present (Kobayashi 2023, CVPR; means as in the author's
    code). A row or column in which nothing is absent costs nothing. A batch in which nothing is present has value 0.

    Args:
        scores: z, [B K]; only their order matters.
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.
        temperature_pos: T+, above 0: the higher, the more present classes and images have a say, not the lowest alone.
        temperature_neg: T-, above 0: the same for those that are absent.

    Returns:
        Shares [B], 0 or more, whose mean is the value of the batch; the classes' part is shared alike by all examples.

    Example:
        >>> two_way(torch.zeros(2, 2), torch.eye(2)).mean()
        tensor(1.3863)
    """
    present, absent = _present_and_absent(labels)
    positive, negative = (
        _log_weighted(-scores / temperature_pos, present),
        _log_weighted(scores / temperature_neg, absent),
    )

    def mean_share(dim: int) -> Tensor:
        gap = temperature_pos * torch.logsumexp(positive, dim) + temperature_neg * torch.logsumexp(negative, dim)
        counted = (present > 0).any(dim)
        return torch.where(counted, _softplus(gap), 0.0) / counted.sum().clamp_min(1)

    return len(scores) * mean_share(-1) + mean_share(0).sum()


def _gap(scores: Tensor, present: Tensor, absent: Tensor, dim: int) -> Tensor:
    """Return log of the sum over pairs of exp(absent - present); very low where there is no pair."""
    positive, negative = _log_weighted(-scores, present), _log_weighted(scores, absent)
    return torch.logsumexp(positive, dim) + torch.logsumexp(negative, dim)


def _present_and_absent(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return t and 1 - t, both 0 where nothing is known, [B K]."""
    known, filled = known_and_filled(labels)
    return filled, torch.where(known, 1 - filled, 0.0)


def _log_weighted(scores: Tensor, weights: Tensor) -> Tensor:
    """Return scores + log(weights); where the weight is 0, a number so low that its exponential is 0.

    Not minus infinity: sums over nothing would then have no gradient. A sixteenth of the lowest number, so that two of
    them may still be added and multiplied by a temperature.
    """
    there = weights > 0
    raised = scores + torch.where(there, weights, 1.0).log()
    return torch.where(there, raised, torch.finfo(scores.dtype).min / 16)


def _softplus(scores: Tensor) -> Tensor:
    """Return log(1 + exp(z)); exact above 20 too, where that of torch is linear."""
    return -F.logsigmoid(-scores)
