"""Losses of K scores for grades: the softmax's mistakes cost by how many grades, or how many images, they miss."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.imbalance import ClassCounts


def earth_mover_distance(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Squared earth mover's distance: the ranked probability score.

    :math:`\sum_{k=0}^{K-2}\big(P(\hat y\le k)-1[y\le k]\big)^2` with p = softmax(z) (Hou et al. 2016, arXiv:1611.05916;
    Epstein 1969, J. Appl. Meteorol.). A proper score: its best p are the probabilities of the grades.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], from 0 to K - 1.

    Example:
        >>> earth_mover_distance(torch.zeros(1, 4), torch.tensor([0]))
        tensor([0.8750])
    """
    at_most = F.softmax(scores, dim=-1).cumsum(-1)[:, :-1]  # P(grade <= k)  [B K-1]
    steps = torch.arange(at_most.shape[-1], device=scores.device)
    return torch.where(labels[:, None] > steps, at_most, 1 - at_most).square().sum(-1)


def class_distance_weighted_cross_entropy(scores: Scores, labels: IntegerLabels, *, alpha: float = 2.0) -> PerExample:
    r"""Cross-entropy of not being each wrong grade, weighted by how far it is (CDW-CE).

    :math:`-\sum_{c\ne y}|c-y|^\alpha\log(1-p_c)` with p = softmax(z) (Polat et al. 2022, arXiv:2202.05167). The true
    grade has no term, whatever alpha is.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        alpha: 0 or more; how fast the weight grows with the distance.

    Returns:
        Weighted nats per example, [B], 0 or more.

    Example:
        >>> class_distance_weighted_cross_entropy(torch.zeros(1, 3), torch.tensor([0]))
        tensor([2.0273])
    """
    distance = _distances(scores, labels)
    weights = torch.where(distance > 0, distance.pow(alpha), 0.0)  # 0^0 is 1, and the true grade has no term
    return -(weights * _log_of_the_others(F.log_softmax(scores, dim=-1))).sum(-1)


def ordinal_log_loss(scores: Scores, labels: IntegerLabels, *, alpha: float = 1.5) -> PerExample:
    r"""Ordinal log loss (OLL): class-distance-weighted cross-entropy with another default.

    :math:`-\sum_c|c-y|^\alpha\log(1-p_c)` with p = softmax(z) (Castagnos et al. 2022, COLING; their
    code has alpha = 1, 1.5 and 2).

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        alpha: 0 or more; how fast the weight grows with the distance.

    Returns:
        Weighted nats per example, [B], 0 or more.

    Example:
        >>> ordinal_log_loss(torch.zeros(1, 3), torch.tensor([0]))
        tensor([1.5523])
    """
    return class_distance_weighted_cross_entropy(scores, labels, alpha=alpha)


def slace(scores: Scores, labels: IntegerLabels, *, class_counts: ClassCounts, alpha: float = 1.0) -> PerExample:
    r"""Soft labels and accumulated probabilities, both by how many images lie between two grades (SLACE).

    :math:`-\sum_c t_c\log\sum_{j:\,m_j\le m_c}p_j` with p = softmax(z), :math:`m_c=\frac{n_y}2+|M_c-M_y|`,
    :math:`t_c\propto m_c^{-\alpha}` and :math:`M_c` the middle rank of grade c among all training images, sorted by
    grade (Nachmani et al. 2025, AAAI, with the proximity :math:`-\log(m_c/N)` of Amigo et al. 2020). Each c asks for
    the probability of all grades that are not farther from y than c is.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        class_counts: Images n of each grade in the training part, [K].
        alpha: Sharpness of the soft labels t, above 0.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> slace(torch.zeros(1, 3), torch.tensor([0]), class_counts=torch.tensor([2.0, 2.0, 2.0]))
        tensor([0.8046])
    """
    counts = class_counts.to(torch.promote_types(class_counts.dtype, torch.float32))
    middle = counts.cumsum(0) - counts / 2
    mass = counts[:, None] / 2 + (middle[None, :] - middle[:, None]).abs()  # of grade c seen from y  [y c]
    soft_labels = torch.softmax(-alpha * mass.log(), dim=-1).to(scores.dtype)
    not_farther = mass[:, None, :] <= mass[:, :, None]  # [y c j]
    index = labels.long()
    log_p = F.log_softmax(scores, dim=-1)[:, None, :].expand(-1, len(counts), -1)
    log_gathered = torch.where(not_farther[index], log_p, -torch.inf).logsumexp(-1)  # [B K]
    return (soft_labels[index] * -log_gathered.clamp_max(0)).sum(-1)  # all grades together can round to above 1


def weighted_kappa(
    scores: Scores,
    labels: IntegerLabels,
    *,
    form: Literal["log", "ratio"] = "log",
    penalization: Literal["quadratic", "linear"] = "quadratic",
) -> PerExample:
    r"""One minus the batch's weighted kappa of soft decisions, or its logarithm.

    :math:`1-\kappa=\frac{\sum_b\sum_c w_{cy_b}p_{bc}}{\frac1B\sum_{b,b'}\sum_c w_{cy_{b'}}p_{bc}}` with p = softmax(z)
    and :math:`w_{cy}=(c-y)^2` or :math:`|c-y|` (de la Torre et al. 2018, Pattern Recognit. Lett., who take the
    logarithm; Vargas et al. 2020 take the ratio). It exists only for a batch. All is summed in log space: nothing is
    added to avoid log 0 or 0 / 0, and a batch of one grade has ratio 1, logarithm 0 and no gradient, whatever is
    predicted.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        form: ``"log"`` is log(1 - kappa), ``"ratio"`` 1 - kappa.
        penalization: How the weight of a mistake grows with its distance.

    Returns:
        The batch's value for each example, [B]: from 0 for the ratio, without lower limit for the logarithm.

    Example:
        >>> weighted_kappa(torch.zeros(2, 3), torch.tensor([0, 2]), form="ratio")
        tensor([1., 1.])
    """
    log_ratio = _log_of_one_minus_kappa(scores, labels, power=2 if penalization == "quadratic" else 1)
    value = log_ratio if form == "log" else log_ratio.exp()
    return value.to(scores.dtype).expand(len(labels))


def mean_class_error_and_kappa(scores: Scores, labels: IntegerLabels, *, c: float = 0.5) -> PerExample:
    r"""Weighted kappa and mean squared error together (MCE&WK).

    :math:`C(1-\kappa)+(1-C)\frac1K\sum_c\frac1B\sum_b(p_{bc}-t_{bc})^2` with p = softmax(z), t the one-hot label and
    :math:`1-\kappa` the quadratic ratio of `weighted_kappa`. The mean over classes of each class's mean squared
    error is the mean squared error. As in dlordinal 2.7.0 (Berchez-Moreno et al. 2025, arXiv:2407.17163).

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        c: C, weight of the kappa term, from 0.1 to 1.

    Returns:
        Shares that average to the batch's value, [B], 0 or more.

    Example:
        >>> mean_class_error_and_kappa(torch.zeros(2, 3), torch.tensor([0, 2]))
        tensor([0.6111, 0.6111])
    """
    ratio = _log_of_one_minus_kappa(scores, labels, power=2).exp().to(scores.dtype)
    hits = -torch.ones_like(scores[:, :1])
    error = F.softmax(scores, dim=-1).scatter_add(-1, labels[:, None].long(), hits).square().mean(-1)
    return c * ratio + (1 - c) * error


def _distances(scores: Tensor, labels: Tensor) -> Tensor:
    """Return |c - y| in the type of the scores, [B K]."""
    grades = torch.arange(scores.shape[-1], device=scores.device)
    return (grades - labels[:, None]).abs().to(scores.dtype)


def _log_of_the_others(log_p: Tensor) -> Tensor:
    """Return log(1 - p_c) of every class, [B K]; that of the likeliest is summed over the others to keep its digits."""
    likeliest = log_p.argmax(dim=-1, keepdim=True)
    without = log_p.scatter(-1, likeliest, -torch.inf)
    return torch.log1p(-without.exp()).scatter(-1, likeliest, without.logsumexp(dim=-1, keepdim=True))


def _log_of_one_minus_kappa(scores: Tensor, labels: Tensor, *, power: int) -> Tensor:
    """Return the logarithm of the batch's disagreement over the one by chance, [].

    In single precision at least: sums over a batch in half precision would be coarse.
    """
    precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
    log_p = F.log_softmax(precise, dim=-1)
    weights = _distances(precise, labels).pow(power)  # of grade c against the label of b  [B K]
    disagreement = (log_p + weights.log()).flatten()
    chance = (log_p + weights.mean(0).log()).flatten()
    return disagreement.logsumexp(0) - chance.logsumexp(0)
