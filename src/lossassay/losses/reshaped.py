"""Cross-entropy bent: other weights for easy, hard or wrong answers."""

import torch
import torch.nn.functional as F

from lossassay.arrays import DenseLabels, IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy
from lossassay.losses.masks import known_and_filled, sum_over_known


def poly1(scores: Scores, labels: IntegerLabels, *, epsilon: float = 2.0) -> PerExample:
    r"""Cross-entropy whose first polynomial term is changed.

    :math:`-\log p_y+\epsilon(1-p_y)` with p = softmax(z) (Leng et al. 2022, ICLR): cross-entropy is
    :math:`\sum_k(1-p_y)^k/k`, and the coefficient of its first term becomes 1 + epsilon.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        epsilon: -1 or more; 0 is cross-entropy. 2 for images in the paper, -1 for detection.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> poly1(torch.zeros(1, 4), torch.tensor([0]))
        tensor([2.8863])
    """
    nats = sparse_categorical_crossentropy(scores, labels)
    return nats - epsilon * torch.expm1(-nats)


def taylor_cross_entropy(scores: Scores, labels: IntegerLabels, *, order: int = 2) -> PerExample:
    r"""The first terms of the Taylor series of cross-entropy.

    :math:`\sum_{k=1}^r\frac{(1-p_y)^k}{k}` with p = softmax(z) (Feng et al. 2020, IJCAI). One term is half the
    absolute error, all terms are cross-entropy.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        order: r, number of terms, 1 or more.

    Returns:
        Per example, [B], from 0 to 1 + 1/2 + ... + 1/r.

    Example:
        >>> taylor_cross_entropy(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.0312])
    """
    rest = -torch.expm1(-sparse_categorical_crossentropy(scores, labels))  # 1 - p_y, exact also where p_y is near 1
    total = torch.zeros_like(rest)
    for k in range(order, 0, -1):
        total = rest * (1 / k + total)
    return total


def focal_sample_dependent(
    scores: Scores,
    labels: IntegerLabels,
    *,
    gamma_hard: float = 5.0,
    gamma_easy: float = 3.0,
    threshold: float = 0.2,
) -> PerExample:
    r"""Focal loss with one focusing for hard examples and another for the rest (FLSD-53).

    :math:`-(1-p_y)^{\gamma(p_y)}\log p_y` with p = softmax(z), :math:`\gamma=5` where :math:`p_y<0.2` and 3 elsewhere
    (Mukhoti et al. 2020, NeurIPS). At the threshold the value jumps up by the factor
    :math:`0.8^{-2}\approx1.56` as the answer gets better; the gradient knows nothing of it.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        gamma_hard: Focusing below the threshold, 0 or more.
        gamma_easy: Focusing from the threshold on, 0 or more.
        threshold: Of p_y, from 0 to 1.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> focal_sample_dependent(torch.zeros(1, 4), torch.tensor([0]))
        tensor([0.5848])
    """
    index = labels[:, None].long()
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    log_p_true = log_p.gather(-1, index).squeeze(-1)  # [B]
    log_rest = log_p.scatter(-1, index, -torch.inf).logsumexp(dim=-1)  # log(1 - p_y)  [B]
    hard = (log_p_true.exp() < threshold).to(log_p.dtype)  # [B]
    gamma = gamma_easy + (gamma_hard - gamma_easy) * hard
    return -torch.exp(gamma * log_rest) * log_p_true


def asymmetric_single_label(
    scores: Scores,
    labels: IntegerLabels,
    *,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    epsilon: float = 0.1,
) -> PerExample:
    r"""Label smoothing whose terms are focused, those of the true class and of the others each in its own way.

    :math:`-\left(1-\epsilon+\frac\epsilon K\right)(1-p_y)^{\gamma_+}\log p_y-\frac\epsilon K\sum_{c\ne y}
    p_c^{\gamma_-}\log p_c` with p = softmax(z) (the single-label form in the code of Ridnik et al. 2021, ICCV, whose
    paper has findings alone). The factors have gradients too. Without smoothing gamma_neg does nothing.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        gamma_pos: Focusing of the true class, 0 or more.
        gamma_neg: Focusing of the others, 0 or more; they count less the less probable they are.
        epsilon: Share of the label that is spread over all classes, from 0 to 1.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> asymmetric_single_label(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.2827])
    """
    index = labels[:, None].long()
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    log_p_true = log_p.gather(-1, index).squeeze(-1)  # [B]
    log_rest = log_p.scatter(-1, index, -torch.inf).logsumexp(dim=-1)  # log(1 - p_y)  [B]
    spread = epsilon / scores.shape[-1]
    others = (torch.exp(gamma_neg * log_p) * log_p).scatter(-1, index, 0.0).sum(dim=-1)  # [B]
    return -(1 - epsilon + spread) * torch.exp(gamma_pos * log_rest) * log_p_true - spread * others


def sigmoid_one_vs_all(scores: Scores, labels: DenseLabels) -> PerExample:
    r"""Sum over classes of binary cross-entropies that start at a probability near 1 / K.

    :math:`-\sum_c[t_c\log s_c+(1-t_c)\log(1-s_c)]` with :math:`s_c=\sigma(z_c-\log K)` (Beyer et al. 2020,
    arXiv:2006.07159; with the offset in Kornblith et al. 2021, NeurIPS). Without the offset the K - 1 wrong classes of
    an untrained network, each at one half, would drown the true one.

    Args:
        scores: Scores z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> sigmoid_one_vs_all(torch.zeros(1, 4), torch.eye(4)[:1])
        tensor([2.2789])
    """
    known, filled = known_and_filled(labels)
    offset = torch.tensor(scores.shape[-1], dtype=torch.float64).log().item()
    return sum_over_known(F.binary_cross_entropy_with_logits(scores - offset, filled, reduction="none"), known)


def top_k_cross_entropy(scores: Scores, labels: IntegerLabels, *, k: float = 0.1) -> PerExample:
    r"""Mean cross-entropy of the hardest examples of the batch.

    :math:`\frac1n\sum_{b\in\text{hardest }n}-\log p_{by}` with p = softmax(z) and :math:`n=\max(1,\lfloor kB\rfloor)`
    (Wu et al. 2016, arXiv:1605.06885; Shrivastava et al. 2016, CVPR; nnU-Net's TopK10 is k = 0.1). It exists only for
    a batch: each of the n gets the share B / n of its cross-entropy, the others get 0.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        k: Share of the batch that counts, from 0 (the hardest alone) to 1 (cross-entropy).

    Returns:
        Shares that average to the mean of the hardest, [B], in nats, 0 or more.

    Example:
        >>> top_k_cross_entropy(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 0]), k=0.5)
        tensor([1.3863, 0.0000])
    """
    nats = sparse_categorical_crossentropy(scores, labels)
    count = max(1, int(k * len(nats) + 1e-9))  # 0.7 of 10 examples is 7, whatever the last bit of 0.7 says
    hardest = nats.topk(count).indices
    return nats * torch.zeros_like(nats).scatter(0, hardest, len(nats) / count)
