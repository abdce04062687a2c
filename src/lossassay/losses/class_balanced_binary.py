"""Binary cross-entropy weighted by the effective number of images of each class."""

import torch.nn.functional as F

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.imbalance import ClassCounts, effective_number_weights
from lossassay.losses.masks import known_and_filled, sum_over_known


def class_balanced_binary(
    scores: Scores, labels: DenseLabels, *, class_counts: ClassCounts, beta: float = 0.999
) -> PerExample:
    r"""Class-balanced loss in its sigmoid form: images of rare classes count more, with all of their classes.

    :math:`-w\sum_c [t_c\log s_c + (1-t_c)\log(1-s_c)]` with s = sigmoid(z) and w the weight of the true class, of
    which :math:`w_c\propto(1-\beta)/(1-\beta^{n_c})` sum to K (Cui et al. 2019, CVPR, arXiv:1901.05555). They have
    one label; with several, w is the mean over those present, as in the code of Wu et al. 2020, and with none it is 1.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        class_counts: Images with each class in the training part, [K].
        beta: From 0 (no weights) to 1 (one over the number of images).

    Returns:
        Weighted nats per example, [B], 0 or more.

    Example:
        >>> import torch
        >>> counts = torch.tensor([2.0, 1.0])
        >>> class_balanced_binary(torch.zeros(2, 2), torch.eye(2), class_counts=counts, beta=0.5)
        tensor([1.1090, 1.6636])
    """
    known, filled = known_and_filled(labels)
    weights = effective_number_weights(class_counts, beta).to(scores.dtype)
    present = filled.sum(-1)
    weight = ((filled * weights).sum(-1) / present.where(present > 0, 1.0)).where(present > 0, 1.0)
    return weight * sum_over_known(F.binary_cross_entropy_with_logits(scores, filled, reduction="none"), known)
