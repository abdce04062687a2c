"""Focal loss."""

import torch
import torch.nn.functional as F

from lossassay.arrays import IntegerLabels, PerExample, Scores


def focal(scores: Scores, labels: IntegerLabels, *, gamma: float = 2.0) -> PerExample:
    r"""Cross-entropy that counts easy examples less.

    :math:`-(1-p_y)^\gamma\log p_y` with p = softmax(z) (Lin et al. 2017, arXiv:1708.02002, eq. 4, without alpha:
    one alpha for all classes would only rescale the learning rate).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        gamma: Focusing, 0 or more; 0 is cross-entropy.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> focal(torch.zeros(1, 4), torch.tensor([0]), gamma=2.0)
        tensor([0.7798])
    """
    index = labels[:, None].long()
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    log_p_true = log_p.gather(-1, index).squeeze(-1)  # [B]
    if gamma == 0:
        return -log_p_true
    log_rest = log_p.scatter(-1, index, -torch.inf).logsumexp(dim=-1)  # log(1 - p_y)  [B]
    return -torch.exp(gamma * log_rest) * log_p_true
