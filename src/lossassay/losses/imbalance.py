"""Losses for classes of unequal size: weights, margins and offsets from the class counts of the training part."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy

ClassCounts = Float[Tensor, " classes"]  # images of each class in the training part, above 0


def class_weighted_crossentropy(
    scores: Scores, labels: IntegerLabels, *, class_counts: ClassCounts, power: float = 1.0
) -> PerExample:
    r"""Cross-entropy with a weight for each class that falls with its size.

    :math:`-w_y\log p_y` with p = softmax(z) and :math:`w_c = N\,n_c^{-a}/\sum_j n_j^{1-a}`, so that the weights have
    mean 1 over the training images; for a = 1 that is :math:`w_c = N/(K n_c)` (King and Zeng 2001). Nothing is divided
    by the sum of a batch's weights: what an example costs does not depend on the others in its batch.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        class_counts: Images of each class in the training part, [K].
        power: a, 0 or more; 0 is cross-entropy, 1 gives every class the same say.

    Returns:
        Weighted nats per example, [B], 0 or more.

    Example:
        >>> class_weighted_crossentropy(torch.zeros(2, 2), torch.tensor([0, 1]), class_counts=torch.tensor([3.0, 1.0]))
        tensor([0.4621, 1.3863])
    """
    share = _shares(class_counts)
    weights = share**-power
    return _weighted(scores, labels, weights / (share * weights).sum())


def class_balanced(
    scores: Scores, labels: IntegerLabels, *, class_counts: ClassCounts, beta: float = 0.999
) -> PerExample:
    r"""Cross-entropy weighted by one over the effective number of images of each class.

    :math:`-w_y\log p_y` with p = softmax(z) and :math:`w_c\propto(1-\beta)/(1-\beta^{n_c})`, scaled to sum to K over
    the classes (Cui et al. 2019, CVPR, who scale so too).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        class_counts: Images of each class in the training part, [K].
        beta: From 0 (cross-entropy) to 1 (one over the number of images).

    Returns:
        Weighted nats per example, [B], 0 or more.

    Example:
        >>> counts = torch.tensor([2.0, 1.0])
        >>> class_balanced(torch.zeros(2, 2), torch.tensor([0, 1]), class_counts=counts, beta=0.5)
        tensor([0.5545, 0.8318])
    """
    return _weighted(scores, labels, effective_number_weights(class_counts, beta))


def ldam(
    scores: Scores,
    labels: IntegerLabels,
    *,
    class_counts: ClassCounts,
    epoch: int,
    epochs: int,
    max_margin: float = 0.5,
    scale: float = 30.0,
    beta: float = 0.9999,
    reweight_from: float = 0.8,
) -> PerExample:
    r"""Label-distribution-aware margins on cosines, with deferred re-weighting (LDAM-DRW).

    :math:`-w_y\log\frac{e^{s(z_y-\Delta_y)}}{e^{s(z_y-\Delta_y)}+\sum_{c\ne y}e^{sz_c}}` with
    :math:`\Delta_c=m\,(n_c/\min_j n_j)^{-1/4}` (Cao et al. 2019, NeurIPS). The weights w are 1 at first; after
    a share of the epochs they are those of `class_balanced`. The paper trains 200 epochs and weights from the 161st on.

    Args:
        scores: Cosines z, [B K], from -1 to 1.
        labels: Class index y, [B], from 0 to K - 1.
        class_counts: Images of each class in the training part, [K].
        epoch: Which pass over the data this is, from 1.
        epochs: How many there will be.
        max_margin: m, the margin of the smallest class, in units of the cosine.
        scale: s, what the cosines are multiplied by.
        beta: Of the effective numbers, from 0 to 1.
        reweight_from: Share of the epochs without weights, from 0 to 1; 1 is no weights at all.

    Returns:
        Nats per example, weighted in the last epochs, [B], 0 or more.

    Example:
        >>> counts = torch.tensor([16.0, 1.0])
        >>> ldam(torch.zeros(2, 2), torch.tensor([0, 1]), class_counts=counts, epoch=1, epochs=10, scale=2.0)
        tensor([0.9741, 1.3133])
    """
    counts = _precise(class_counts)
    margins = max_margin * (counts / counts.min()) ** -0.25
    index = labels[:, None].long()
    lowered = scores.scatter_add(-1, index, -margins.to(scores.dtype)[index])
    if epoch - 1 < reweight_from * epochs - 1e-9:  # 0.7 of 10 epochs is 7, whatever the last bit of 0.7 says
        return sparse_categorical_crossentropy(scale * lowered, labels)
    return _weighted(scale * lowered, labels, effective_number_weights(class_counts, beta))


def logit_adjustment(
    scores: Scores, labels: IntegerLabels, *, class_counts: ClassCounts, tau: float = 1.0
) -> PerExample:
    r"""Cross-entropy of scores raised by the logarithm of each class's share of the training images.

    :math:`-\log\mathrm{softmax}(z+\tau\log\pi)_y` (Menon et al. 2021, ICLR). Decisions are taken with the plain z,
    whose softmax is meant for a population in which all classes are equally common.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        class_counts: Images of each class in the training part, [K]; pi is their share.
        tau: Strength, 0 or more; 0 is cross-entropy, 1 is balanced softmax.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> logit_adjustment(torch.zeros(2, 2), torch.tensor([0, 1]), class_counts=torch.tensor([3.0, 1.0]))
        tensor([0.2877, 1.3863])
    """
    offsets = tau * _shares(class_counts).log()
    return sparse_categorical_crossentropy(scores + offsets.to(scores.dtype), labels)


def balanced_softmax(scores: Scores, labels: IntegerLabels, *, class_counts: ClassCounts) -> PerExample:
    r"""Cross-entropy of a softmax that counts each class as often as it has images.

    :math:`-\log\frac{n_y e^{z_y}}{\sum_c n_c e^{z_c}}` (Ren et al. 2020, NeurIPS): logit adjustment with tau = 1.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        class_counts: Images of each class in the training part, [K].

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> balanced_softmax(torch.zeros(2, 2), torch.tensor([0, 1]), class_counts=torch.tensor([3.0, 1.0]))
        tensor([0.2877, 1.3863])
    """
    return logit_adjustment(scores, labels, class_counts=class_counts, tau=1.0)


def vs_loss(
    scores: Scores, labels: IntegerLabels, *, class_counts: ClassCounts, gamma: float = 0.3, tau: float = 1.0
) -> PerExample:
    r"""Vector-scaling loss: each class's score is multiplied by one number and raised by another.

    :math:`-\log\mathrm{softmax}(\Delta z+\iota)_y` with :math:`\Delta_c=(n_c/\max_j n_j)^\gamma` and
    :math:`\iota_c=\tau\log\pi_c` (Kini et al. 2021, NeurIPS). Decisions are taken with the plain z.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        class_counts: Images of each class in the training part, [K]; pi is their share.
        gamma: Strength of the factors, 0 or more; 0 is logit adjustment.
        tau: Strength of the offsets, 0 or more.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> vs_loss(torch.zeros(2, 2), torch.tensor([0, 1]), class_counts=torch.tensor([3.0, 1.0]))
        tensor([0.2877, 1.3863])
    """
    counts = _precise(class_counts)
    factors = (counts / counts.max()) ** gamma
    return logit_adjustment(factors.to(scores.dtype) * scores, labels, class_counts=class_counts, tau=tau)


def _precise(class_counts: Tensor) -> Tensor:
    """Return the counts in single precision at least: powers and logarithms in half precision would be coarse."""
    return class_counts.to(torch.promote_types(class_counts.dtype, torch.float32))


def _shares(class_counts: Tensor) -> Tensor:
    """Return the share of each class in the training images, [K]."""
    counts = _precise(class_counts)
    return counts / counts.sum()


def effective_number_weights(class_counts: Tensor, beta: float) -> Tensor:
    """Return (1 - beta) / (1 - beta^n) of each class, [K], scaled to sum to K; for beta = 1 its limit 1 / n."""
    counts = _precise(class_counts)
    if beta == 0:
        return torch.ones_like(counts)
    effective = counts if beta == 1 else -torch.expm1(counts * math.log(beta))
    return len(counts) / (effective * (1 / effective).sum())


def _weighted(scores: Scores, labels: IntegerLabels, weights: Tensor) -> PerExample:
    """Return cross-entropy times the weight of the true class."""
    return weights.to(scores.dtype)[labels.long()] * sparse_categorical_crossentropy(scores, labels)
