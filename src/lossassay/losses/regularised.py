"""Cross-entropy with something added that keeps scores, probabilities or weights small."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy

_NO_LENGTH = 1e-12  # as in torch.nn.functional.normalize
HeadWeight = Float[Tensor, "classes features"]  # of the last layer, without its bias


def label_smoothing(scores: Scores, labels: IntegerLabels, *, epsilon: float = 0.1) -> PerExample:
    r"""Cross-entropy with a part of the label spread evenly over all classes.

    :math:`-(1-\epsilon)\log p_y-\frac\epsilon K\sum_c\log p_c` with p = softmax(z) (Szegedy et al. 2016, CVPR): that
    is cross-entropy with the label :math:`(1-\epsilon)t+\epsilon/K`.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        epsilon: Share of the label that is spread, the true class's part included; 0 is cross-entropy.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> label_smoothing(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), epsilon=0.5)
        tensor([0.6269])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    log_p_true = log_p.gather(-1, labels[:, None].long()).squeeze(-1)  # [B]
    return -(1 - epsilon) * log_p_true - epsilon * log_p.mean(dim=-1)


def confidence_penalty(scores: Scores, labels: IntegerLabels, *, beta: float = 0.1) -> PerExample:
    r"""Cross-entropy minus a part of the entropy of the prediction.

    :math:`-\log p_y+\beta\sum_c p_c\log p_c` with p = softmax(z) (Pereyra et al. 2017, ICLR workshop): sure
    predictions are charged, right or wrong.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        beta: Weight of the entropy, 0 or more; 0 is cross-entropy.

    Returns:
        Nats per example, [B]; somewhat below 0 where a right prediction is not quite sure.

    Example:
        >>> confidence_penalty(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.2477])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    log_p_true = log_p.gather(-1, labels[:, None].long()).squeeze(-1)  # [B]
    return -log_p_true + beta * (log_p.exp() * log_p).sum(dim=-1)


def maxsup(scores: Scores, labels: IntegerLabels, *, alpha: float = 0.1) -> PerExample:
    r"""Cross-entropy plus a part of what the largest score is above the mean.

    :math:`-\log p_y+\alpha(\max_c z_c-\frac1K\sum_c z_c)` with p = softmax(z) (Zhou et al. 2025). Label smoothing,
    whose second part is the same with :math:`z_y` in place of the largest score, lets sure errors off.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Weight of the largest score, 0 or more; 0 is cross-entropy.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> maxsup(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), alpha=0.5)
        tensor([0.6269])
    """
    above = scores.amax(dim=-1) - scores.mean(dim=-1)  # [B]
    return sparse_categorical_crossentropy(scores, labels) + alpha * above


def logit_penalty(scores: Scores, labels: IntegerLabels, *, beta: float = 6e-4) -> PerExample:
    r"""Cross-entropy plus a part of the squared length of the scores.

    :math:`-\log p_y+\frac\beta2\sum_c z_c^2` with p = softmax(z) (Dauphin and Cubuk 2021, ICLR; Kornblith et al. 2021,
    NeurIPS). It is not the same for scores that differ by a constant.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        beta: Weight of the squared length, 0 or more; 0 is cross-entropy.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> logit_penalty(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), beta=0.5)
        tensor([1.1269])
    """
    return sparse_categorical_crossentropy(scores, labels) + 0.5 * beta * scores.square().sum(dim=-1)


def logit_normalization(scores: Scores, labels: IntegerLabels, *, temperature: float = 0.04) -> PerExample:
    r"""Cross-entropy of scores that are scaled to one length.

    :math:`-\log\mathrm{softmax}\left(\frac{z}{\tau\lVert z\rVert}\right)_y` (Kornblith et al. 2021, NeurIPS; Wei et al.
    2022, ICML). The lengths of the scores play no part: none is learnt, and a sure error costs at most
    :math:`\sqrt2/\tau` and the logarithm of K.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        temperature: tau, above 0; one over the length that the scores get.

    Returns:
        Nats per example, [B], 0 or more; log K where all scores are 0, which have no direction.

    Example:
        >>> logit_normalization(torch.tensor([[3.0, 4.0]]), torch.tensor([0]), temperature=1.0)
        tensor([0.7981])
    """
    length = scores.norm(dim=-1, keepdim=True)  # [B 1]
    length = torch.where(length > _NO_LENGTH, length, 1.0)  # so that the gradient at 0 is not 1 / 0
    return sparse_categorical_crossentropy(scores / (temperature * length), labels)


def final_layer_penalty(
    scores: Scores, labels: IntegerLabels, *, head_weight: HeadWeight, lambda_: float = 8e-4
) -> PerExample:
    r"""Cross-entropy plus a part of the squared weights of the last layer.

    :math:`-\log p_y+\frac\lambda2\sum_{c,f}W_{cf}^2` with p = softmax(z) (Kornblith et al. 2021, NeurIPS):
    weight decay for the last layer alone, beside that of the optimiser. The bias is left out.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        head_weight: W, weights of the last layer, [K F].
        lambda_: Weight of the squared weights, 0 or more; 0 is cross-entropy.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> final_layer_penalty(torch.zeros(1, 2), torch.tensor([0]), head_weight=torch.ones(2, 5), lambda_=0.1)
        tensor([1.1931])
    """
    precise = head_weight.to(torch.promote_types(head_weight.dtype, torch.float32))  # a long sum of small squares
    penalty = 0.5 * lambda_ * precise.square().sum()
    return sparse_categorical_crossentropy(scores, labels) + penalty.to(scores.dtype)


def penultimate_dropout(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Cross-entropy of scores whose features were dropped at random in training.

    :math:`-\log p_y` with p = softmax(z) and :math:`z=W(m\odot h/\rho)+b`, where m keeps a share :math:`\rho` of the
    features (Srivastava et al. 2014; Kornblith et al. 2021, NeurIPS). The last layer drops, not this function.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> penultimate_dropout(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.3863])
    """
    return sparse_categorical_crossentropy(scores, labels)
