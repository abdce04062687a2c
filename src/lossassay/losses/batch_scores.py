"""Losses that are one minus a score of the whole batch: F1, Dice, Tversky and the correlation of Matthews.

Each class is judged against the rest, with sums of probabilities in place of counts: TP = sum of t p, FP = sum of
(1 - t) p, FN = sum of t (1 - p), TN = sum of (1 - t) (1 - p). The value is the mean over the classes that the batch
has; for the others the scores have no gradient, whatever the network says. A batch without any costs nothing.
Probabilities are those of the softmax for one label per image, and of the sigmoid for findings.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.masks import known_and_filled


def soft_f1(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""One minus the soft F1 score of each class, p = softmax(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{2\,TP_c}{2\,TP_c+FP_c+FN_c}` with C the classes of the batch (F1 with sums
    of probabilities for counts: Pastor-Pellicer et al. 2013, IWANN).

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        The value of the batch, from 0 to 1, the same for every example, [B].

    Example:
        >>> soft_f1(torch.zeros(2, 2), torch.eye(2))
        tensor([0.5000, 0.5000])
    """
    return _alike(_tversky(_softmax(scores), labels, 0.5, 0.5), scores)


def sigmoid_soft_f1(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""One minus the soft F1 score of each finding, p = sigmoid(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{2\,TP_c}{2\,TP_c+FP_c+FN_c}` with C the findings that the batch has (F1
    with sums of probabilities for counts: Pastor-Pellicer et al. 2013, IWANN).

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.

    Returns:
        The value of the batch, from 0 to 1, the same for every example, [B].

    Example:
        >>> sigmoid_soft_f1(torch.zeros(2, 2), torch.eye(2))
        tensor([0.5000, 0.5000])
    """
    return _alike(_tversky(_sigmoid(scores), labels, 0.5, 0.5), scores)


def dice(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""One minus the Dice coefficient of V-Net for each class, p = softmax(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{2\sum_b t_{bc}p_{bc}}{\sum_b t_{bc}^2+\sum_b p_{bc}^2}` with C the classes
    of the batch (Milletari et al. 2016, 3DV, arXiv:1606.04797): squared errors over squares. With plain sums below the
    fraction bar it is `soft_f1`.

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        The value of the batch, from 0 to 1, the same for every example, [B].

    Example:
        >>> dice(torch.zeros(2, 2), torch.eye(2))
        tensor([0.3333, 0.3333])
    """
    return _alike(_dice(_softmax(scores), labels), scores)


def sigmoid_dice(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""One minus the Dice coefficient of V-Net for each finding, p = sigmoid(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{2\sum_b t_{bc}p_{bc}}{\sum_b t_{bc}^2+\sum_b p_{bc}^2}` with C the findings
    that the batch has (Milletari et al. 2016, 3DV, arXiv:1606.04797). With plain sums below the fraction bar it is
    `sigmoid_soft_f1`.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.

    Returns:
        The value of the batch, from 0 to 1, the same for every example, [B].

    Example:
        >>> sigmoid_dice(torch.zeros(2, 2), torch.eye(2))
        tensor([0.3333, 0.3333])
    """
    return _alike(_dice(_sigmoid(scores), labels), scores)


def tversky(scores: Scores, labels: DenseLabels, *, alpha: float = 0.5, beta: float = 0.5) -> PerExample:
    r"""One minus the Tversky index of each class, p = softmax(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{TP_c}{TP_c+\alpha FP_c+\beta FN_c}` with C the classes of the batch (Salehi
    et al. 2017, MLMI, arXiv:1706.05721, eq. 4; their best for rare classes is alpha = 0.3, beta = 0.7).

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].
        alpha: Weight of false positives, 0 or more.
        beta: Weight of false negatives, 0 or more. With alpha and beta of one half it is `soft_f1`.

    Returns:
        The value of the batch, from 0 to 1, the same for every example, [B].

    Example:
        >>> tversky(torch.zeros(2, 2), torch.eye(2), alpha=0.3, beta=0.3)
        tensor([0.3750, 0.3750])
    """
    return _alike(_tversky(_softmax(scores), labels, alpha, beta), scores)


def sigmoid_tversky(scores: Scores, labels: DenseLabels, *, alpha: float = 0.5, beta: float = 0.5) -> PerExample:
    r"""One minus the Tversky index of each finding, p = sigmoid(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{TP_c}{TP_c+\alpha FP_c+\beta FN_c}` with C the findings that the batch has
    (Salehi et al. 2017, MLMI, arXiv:1706.05721, eq. 4; their best for rare classes is alpha = 0.3, beta = 0.7).

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.
        alpha: Weight of false positives, 0 or more.
        beta: Weight of false negatives, 0 or more. With alpha and beta of one half it is `sigmoid_soft_f1`.

    Returns:
        The value of the batch, from 0 to 1, the same for every example, [B].

    Example:
        >>> sigmoid_tversky(torch.zeros(2, 2), torch.eye(2), alpha=0.3, beta=0.3)
        tensor([0.3750, 0.3750])
    """
    return _alike(_tversky(_sigmoid(scores), labels, alpha, beta), scores)


def soft_matthews_correlation(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""One minus the soft correlation of Matthews of each class, p = softmax(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{TP_c TN_c-FP_c FN_c}{\sqrt{(TP_c+FP_c)(TP_c+FN_c)(TN_c+FP_c)(TN_c+FN_c)}}`
    with C the classes that some examples of the batch have and some do not (Abhishek and Hamarneh 2021, ISBI,
    arXiv:2010.13454). Computed from log p and log(1 - p), so that it is exact for classes that are never predicted.

    Args:
        scores: Logits z, [B K].
        labels: Rows t that sum to one, [B K].

    Returns:
        The value of the batch, from 0 to 2, the same for every example, [B].

    Example:
        >>> soft_matthews_correlation(torch.zeros(2, 2), torch.eye(2))
        tensor([1., 1.])
    """
    return _alike(_matthews(*_log_softmax_and_rest(_precise(scores)), labels), scores)


def sigmoid_matthews_correlation(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""One minus the soft correlation of Matthews of each finding, p = sigmoid(z).

    :math:`1-\frac{1}{|C|}\sum_{c\in C}\frac{TP_c TN_c-FP_c FN_c}{\sqrt{(TP_c+FP_c)(TP_c+FN_c)(TN_c+FP_c)(TN_c+FN_c)}}`
    with C the findings of which the batch has both sides (Abhishek and Hamarneh 2021, ISBI, arXiv:2010.13454). Computed
    from log p and log(1 - p), so that it is exact for findings that are never predicted.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that entry out.

    Returns:
        The value of the batch, from 0 to 2, the same for every example, [B].

    Example:
        >>> sigmoid_matthews_correlation(torch.zeros(2, 2), torch.eye(2))
        tensor([1., 1.])
    """
    precise = _precise(scores)
    return _alike(_matthews(F.logsigmoid(precise), F.logsigmoid(-precise), labels), scores)


def _precise(scores: Tensor) -> Tensor:
    """Return scores in single precision at least: sums over the batch need their digits."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _softmax(scores: Tensor) -> Tensor:
    return F.softmax(_precise(scores), dim=-1)


def _sigmoid(scores: Tensor) -> Tensor:
    return torch.sigmoid(_precise(scores))


def _log_softmax_and_rest(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p and log(1 - p), [B K], both exact also where one class takes all."""
    log_p = F.log_softmax(scores, dim=-1)
    top = log_p.argmax(dim=-1, keepdim=True)
    log_rest_of_top = log_p.scatter(-1, top, -torch.inf).logsumexp(dim=-1, keepdim=True)
    log_rest = torch.log1p(-log_p.scatter(-1, top, -1.0).exp())  # all others are at most a half
    return log_p, torch.scatter(log_rest, -1, top, log_rest_of_top)


def _sides(labels: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return t and 1 - t, both 0 where nothing is known, [B K]."""
    known, filled = known_and_filled(labels.to(like.dtype))
    return filled, torch.where(known, 1 - filled, 0.0)


def _tversky(p: Tensor, labels: Tensor, alpha: float, beta: float) -> Tensor:
    """Return the mean over the classes of the batch of one minus the Tversky index, written as errors over the sum."""
    present, absent = _sides(labels, p)
    errors = alpha * (absent * p).sum(0) + beta * (present * (1 - p)).sum(0)
    whole = (present * p).sum(0) + errors
    return _mean_of_classes(errors / torch.where(whole > 0, whole, 1.0), present.sum(0) > 0)


def _dice(p: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the classes of the batch of one minus Dice, written as squared errors over squares."""
    known, filled = known_and_filled(labels.to(p.dtype))
    p = torch.where(known, p, 0.0)
    squares = filled.square().sum(0) + p.square().sum(0)
    errors = (filled - p).square().sum(0)
    return _mean_of_classes(errors / torch.where(squares > 0, squares, 1.0), filled.sum(0) > 0)


def _matthews(log_p: Tensor, log_rest: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the classes with both sides in the batch of one minus the correlation of Matthews."""
    present, absent = _sides(labels, log_p)
    log_tp, log_fn = _log_sum(log_p, present), _log_sum(log_rest, present)
    log_fp, log_tn = _log_sum(log_p, absent), _log_sum(log_rest, absent)
    positives, negatives = present.sum(0), absent.sum(0)
    both = (positives > 0) & (negatives > 0)
    log_labels = torch.where(both, positives * negatives, 1.0).log()
    log_root = 0.5 * (log_labels + torch.logaddexp(log_tp, log_fp) + torch.logaddexp(log_tn, log_fn))
    correlation = (log_tp + log_tn - log_root).exp() - (log_fp + log_fn - log_root).exp()
    return _mean_of_classes(1 - torch.where(both, correlation, 0.0), both)


def _log_sum(log_p: Tensor, weights: Tensor) -> Tensor:
    """Return the logarithm of the weighted sum over the batch, [K]; a very low number where all weights are 0."""
    there = weights > 0
    low = torch.finfo(log_p.dtype).min / 16  # not minus infinity: a sum over nothing would have no gradient
    return torch.where(there, log_p + torch.where(there, weights, 1.0).log(), low).logsumexp(dim=0)


def _mean_of_classes(per_class: Tensor, counted: Tensor) -> Tensor:
    return torch.where(counted, per_class, 0.0).sum() / counted.sum().clamp_min(1)


def _alike(value: Tensor, scores: Tensor) -> Tensor:
    """Return the value of the batch, given to every example alike, [B]."""
    return value.to(scores.dtype).expand(len(scores))
