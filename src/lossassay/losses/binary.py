"""Binary cross-entropy, one class against all others."""

import torch.nn.functional as F

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.masks import known_and_filled, mean_over_known


def binary_crossentropy(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Mean over classes of the binary cross-entropy of sigmoid(z).

    :math:`-\frac1K\sum_c [t_c\log s_c + (1-t_c)\log(1-s_c)]` (Good 1952). The mean over classes is what Keras and
    PyTorch do; it makes the gradient K times smaller than the sum of Beyer et al. 2020 (arXiv:2006.07159).

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1: one-hot, soft or multi-hot, [B K]; nan where nothing is known, which
            leaves that class out of the mean.

    Returns:
        Nats per known class and example, [B], 0 or more.

    Example:
        >>> import torch
        >>> binary_crossentropy(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([0.6931])
    """
    known, filled = known_and_filled(labels)
    return mean_over_known(F.binary_cross_entropy_with_logits(scores, filled, reduction="none"), known)
