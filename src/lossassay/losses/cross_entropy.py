"""Cross-entropy of the softmax, for two encodings of the same labels."""

import torch
import torch.nn.functional as F

from lossassay.arrays import DenseLabels, IntegerLabels, PerExample, Scores


def categorical_crossentropy(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Cross-entropy with one-hot or soft labels.

    :math:`-\sum_c t_c \log p_c` with p = softmax(z) and 0 log 0 = 0 (Good 1952; Bridle 1990).

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> categorical_crossentropy(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([1.3863])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    return -torch.where(labels == 0, 0.0, labels * log_p).sum(dim=-1)


def sparse_categorical_crossentropy(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Cross-entropy with integer labels; one function with `categorical_crossentropy`, bit for bit.

    :math:`-\log p_y` with p = softmax(z) (Good 1952; Bridle 1990).

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> sparse_categorical_crossentropy(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.3863])
    """
    return F.cross_entropy(scores, labels.long(), reduction="none")
