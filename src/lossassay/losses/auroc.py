"""Losses of the order of examples: what has a class should score higher in it than what does not.

Each class or finding is one column, judged against the rest. Columns of which the batch has only one side, or nothing
known, are left out; a batch without any other costs nothing. A label between 0 and 1 counts as present to that degree
and as absent to the rest.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.masks import known_and_filled

_SURROGATES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "logistic": lambda ahead, margin: -F.logsigmoid(ahead),
    "squared_hinge": lambda ahead, margin: F.relu(margin - ahead).square(),
    "hinge": lambda ahead, margin: F.relu(margin - ahead),
    "squared": lambda ahead, margin: (margin - ahead).square(),
}


def pairwise_auroc(
    scores: Scores, labels: DenseLabels, *, surrogate: str = "logistic", margin: float = 1.0
) -> PerExample:
    r"""Mean cost of the pairs of an example with a class and one without it, then mean over classes.

    :math:`\frac{1}{|C|}\sum_{c\in C}\frac{\sum_{i,j}t_{ic}(1-t_{jc})\,\phi(z_{ic}-z_{jc})}{\sum_i t_{ic}
    \sum_j(1-t_{jc})}` with C the classes of which the batch has both sides (Gao and Zhou 2015, IJCAI, arXiv:1208.0645,
    for two classes). With the step 1[d < 0] in place of phi it is one minus the AUROC of the batch, one against rest.
    It builds all pairs: B times B times K numbers.

    Args:
        scores: z, [B K]; only differences within a class matter.
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.
        surrogate: phi: ``"logistic"`` log(1 + e^-d), ``"squared_hinge"`` max(0, m - d)^2, ``"hinge"`` max(0, m - d),
            ``"squared"`` (m - d)^2.
        margin: m, 0 or more, on the scale of the scores; the logistic surrogate has none.

    Returns:
        The value of the batch, 0 or more, the same for every example, [B].

    Example:
        >>> pairwise_auroc(torch.zeros(2, 2), torch.eye(2))
        tensor([0.6931, 0.6931])
    """
    precise = _precise(scores)
    present, absent = _sides(labels, precise)
    ahead = precise[:, None, :] - precise[None, :, :]  # [B present, B absent, K]
    pairs = present[:, None, :] * absent[None, :, :]
    number = present.sum(0) * absent.sum(0)
    per_class = (pairs * _SURROGATES[surrogate](ahead, margin)).sum(dim=(0, 1)) / torch.where(number > 0, number, 1.0)
    return _mean_of_classes(per_class, number > 0, scores)


def auc_margin(scores: Scores, labels: DenseLabels, *, margin: float = 1.0, version: str = "v1") -> PerExample:
    r"""AUC margin loss (AUCM): spread within both sides of a class, and the squared gap that their means lack.

    :math:`\min_{a,b}\max_{\alpha\ge0}\;\mathbb E_+(z-a)^2+\mathbb E_-(z-b)^2+2\alpha(m+\mathbb E_-z-\mathbb E_+z)
    -\alpha^2=\mathrm{Var}_+z+\mathrm{Var}_-z+\max(0,m+\mathbb E_-z-\mathbb E_+z)^2`
    for each class, then the mean over those of which the batch has both sides (Yuan et al. 2021, ICCV,
    arXiv:2012.03173). That is version 2; version 1 is p (1 - p) times it, p the share of the class in the batch. Here
    a, b and alpha have their best values for the batch at hand: the authors learn them beside the network, with an
    optimiser of their own (PESG), which follows the whole training part rather than the batch.

    Args:
        scores: z, [B K]; only differences within a class matter.
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.
        margin: m, 0 or more, on the scale of the scores.
        version: ``"v1"`` or ``"v2"``.

    Returns:
        The value of the batch, 0 or more, the same for every example, [B].

    Example:
        >>> auc_margin(torch.zeros(2, 2), torch.eye(2))
        tensor([0.2500, 0.2500])
    """
    precise = _precise(scores)
    present, absent = _sides(labels, precise)
    mean_present, variance_present = _mean_and_variance(precise, present)
    mean_absent, variance_absent = _mean_and_variance(precise, absent)
    lacking = F.relu(margin + mean_absent - mean_present)
    per_class = variance_present + variance_absent + lacking.square()
    positives, negatives = present.sum(0), absent.sum(0)
    if version == "v1":
        per_class = per_class * positives * negatives / (positives + negatives).clamp_min(1).square()
    return _mean_of_classes(per_class, (positives > 0) & (negatives > 0), scores)


def _precise(scores: Tensor) -> Tensor:
    """Return scores in single precision at least: the sum over pairs is long."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _sides(labels: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return t and 1 - t, both 0 where nothing is known, [B K]."""
    known, filled = known_and_filled(labels.to(like.dtype))
    return filled, torch.where(known, 1 - filled, 0.0)


def _mean_and_variance(scores: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return both over the batch, [K]; 0 where no weight is above 0."""
    total = weights.sum(0)
    shares = weights / torch.where(total > 0, total, 1.0)
    mean = (shares * scores).sum(0)
    return mean, (shares * (scores - mean).square()).sum(0)


def _mean_of_classes(per_class: Tensor, counted: Tensor, scores: Tensor) -> Tensor:
    """Return the mean over the classes that count, given to every example alike, [B]."""
    mean = torch.where(counted, per_class, 0.0).sum() / counted.sum().clamp_min(1)
    return mean.to(scores.dtype).expand(len(scores))
