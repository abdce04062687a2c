"""Divergences between label and prediction."""

import math

import torch
import torch.nn.functional as F

from lossassay.arrays import DenseLabels, IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy


def kl_divergence(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Divergence of Kullback and Leibler from the prediction to the label.

    :math:`\sum_c t_c\log\frac{t_c}{p_c}` with p = softmax(z) and 0 log 0 = 0 (Kullback and Leibler 1951): cross-entropy
    minus the entropy of the label, which no training changes; the gradients are the same.

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        Nats per example, [B], 0 or more; 0 where p is t.

    Example:
        >>> kl_divergence(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]))
        tensor([0.1308])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    nothing = labels == 0
    log_t = torch.where(nothing, 1.0, labels).log()
    return torch.where(nothing, 0.0, labels * (log_t - log_p)).sum(dim=-1)


def jensen_shannon(scores: Scores, labels: IntegerLabels, *, pi: float = 0.5) -> PerExample:
    r"""Scaled Jensen-Shannon divergence between label and prediction.

    :math:`\frac{\pi D(t\Vert m)+(1-\pi)D(p\Vert m)}{-(1-\pi)\log(1-\pi)}` with p = softmax(z), one-hot t,
    :math:`m=\pi t+(1-\pi)p` and D of Kullback and Leibler (Englesson and Azizpour 2021, NeurIPS). It is cross-entropy
    for :math:`\pi\to0` and :math:`1-p_y`, half the absolute error, for :math:`\pi\to1`. No second view of the image is
    needed: that is their other loss, with consistency.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        pi: Weight of the label, from 0 to 1; both ends are the limits, and that at 1 is far: 1 - 1e-9 is still some
            percent off.

    Returns:
        Per example, [B], from 0 to :math:`1+\pi\log\pi/((1-\pi)\log(1-\pi))`.

    Example:
        >>> jensen_shannon(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.0976])
    """
    nats = sparse_categorical_crossentropy(scores, labels)
    if pi == 0:
        return nats
    rest = -torch.expm1(-nats)  # 1 - p_y, exact also where p_y is near 1
    if pi == 1:
        return rest
    # for a one-hot label only m_y = pi + (1 - pi) p_y and p_y itself are left of the sums
    log_m = torch.log1p(-(1 - pi) * rest)
    scale = -(1 - pi) * math.log1p(-pi)
    return rest - ((1 - (1 - pi) * rest) * log_m + (1 - pi) * torch.exp(-nats) * nats) / scale
