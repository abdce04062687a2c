"""Losses that correct for wrong labels: by the network's own opinion, by a transition matrix, or by denying a class."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.errors import LossInputError
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy

Transition = Sequence[Sequence[float]] | None  # K rows of K numbers: the true class by the observed label
RowNumbers = Int[Tensor, " batch"]
_32_BITS = 0xFFFFFFFF


def bootstrap_soft(scores: Scores, labels: IntegerLabels, *, beta: float = 0.95) -> PerExample:
    r"""Cross-entropy to a mixture of the label and the network's own probabilities.

    :math:`-\sum_c[\beta t_c+(1-\beta)p_c]\log p_c = -\beta\log p_y + (1-\beta)H(p)` with p = softmax(z) (Reed et al.
    2015, ICLR workshop). The gradient goes through both p: the second term is the paper's minimum-entropy penalty.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        beta: Trust in the label, above 0; 1 is cross-entropy.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> bootstrap_soft(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.3863])
    """
    log_p = F.log_softmax(scores, dim=-1)  # [B K]
    entropy = -(log_p.exp() * log_p).sum(dim=-1)
    return beta * sparse_categorical_crossentropy(scores, labels) + (1 - beta) * entropy


def bootstrap_hard(scores: Scores, labels: IntegerLabels, *, beta: float = 0.8) -> PerExample:
    r"""Cross-entropy to a mixture of the label and the class that the network finds likeliest.

    :math:`-\beta\log p_y-(1-\beta)\log\max_c p_c` with p = softmax(z) (Reed et al. 2015, ICLR workshop). The choice of
    the likeliest class has no gradient; its probability has one.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        beta: Trust in the label, above 0; 1 is cross-entropy.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> bootstrap_hard(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.3863])
    """
    own = sparse_categorical_crossentropy(scores, scores.argmax(dim=-1))
    return beta * sparse_categorical_crossentropy(scores, labels) + (1 - beta) * own


def forward_correction(
    scores: Scores, labels: IntegerLabels, *, noise_rate: float = 0.2, transition: Transition = None
) -> PerExample:
    r"""Cross-entropy of the observed label, with the way in which labels go wrong put after the network.

    :math:`-\log\sum_i p_i T_{iy}` with p = softmax(z) and :math:`T_{ij}` the chance that class i is labelled j
    (Patrini et al. 2017, CVPR). Without a matrix the noise is symmetric: a label is right with probability
    1 - noise_rate, and each other class is as likely as the next. The largest value is -log of the smallest entry of
    T's column.

    Args:
        scores: Logits z of the true class, [B K].
        labels: Class index y that was observed, [B], from 0 to K - 1.
        noise_rate: Share of wrong labels, from 0 (cross-entropy) to 1; not used where a matrix is given.
        transition: T, rows the true class, columns the observed label; rows sum to one.

    Returns:
        Nats per example, [B], 0 or more.

    Raises:
        LossInputError: If the matrix is not K by K, a row does not sum to one, or a column is all 0.

    Example:
        >>> forward_correction(torch.tensor([[40.0, 0.0]]), torch.tensor([1]), noise_rate=0.5)
        tensor([0.6931])
    """
    matrix = _matrix(transition, noise_rate, scores.shape[-1])
    log_columns = matrix.log().t().to(scores)[labels.long()]  # log of the chance that each class is labelled y  [B K]
    mixed = (F.log_softmax(scores, dim=-1) + log_columns).logsumexp(dim=-1)
    return -mixed.clamp_max(0)  # above 0 only by rounding


def backward_correction(
    scores: Scores, labels: IntegerLabels, *, noise_rate: float = 0.2, transition: Transition = None
) -> PerExample:
    r"""Cross-entropies of all labels, mixed so that their mean over wrong labels is that of the right one.

    :math:`-\sum_j (T^{-1})_{yj}\log p_j` with p = softmax(z) and :math:`T_{ij}` the chance that class i is labelled j
    (Patrini et al. 2017, CVPR). Its mean over observed labels is cross-entropy with the true one; a single value may be
    far below 0.

    Args:
        scores: Logits z of the true class, [B K].
        labels: Class index y that was observed, [B], from 0 to K - 1.
        noise_rate: Share of wrong labels, from 0 (cross-entropy) to 1 but not (K - 1) / K, where labels say nothing;
            not used where a matrix is given.
        transition: T, rows the true class, columns the observed label; rows sum to one.

    Returns:
        Nats per example, [B], of either sign.

    Raises:
        LossInputError: If the matrix is not K by K, a row does not sum to one, or it has no inverse.

    Example:
        >>> backward_correction(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.3863])
    """
    matrix = _matrix(transition, noise_rate, scores.shape[-1])
    inverse, failed = torch.linalg.inv_ex(matrix)
    if failed or inverse.abs().max() > 1e6:
        raise LossInputError(
            "backward_correction: the transition matrix has no inverse, so that observed labels do not tell the true "
            f"ones apart; got {matrix.tolist()}. Give a smaller noise rate, or use forward_correction."
        )
    weights: Tensor = inverse.to(scores)[labels.long()]  # [B K]
    return -(weights * F.log_softmax(scores, dim=-1)).sum(dim=-1)


def negative_learning(scores: Scores, labels: IntegerLabels, *, rows: RowNumbers, epoch: int) -> PerExample:
    r"""Learns which class an image does not have: one that was drawn among those other than its label.

    :math:`-\log(1-p_{\bar y})` with p = softmax(z) and :math:`\bar y\ne y` drawn uniformly (Kim et al. 2019, ICCV).
    The draw depends on the row and the epoch alone: the same in every run, another in every epoch.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        rows: Row number of each example in the data set, [B].
        epoch: Which pass over the data this is, from 1.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> negative_learning(torch.zeros(1, 4), torch.tensor([0]), rows=torch.tensor([5]), epoch=1)
        tensor([0.2877])
    """
    index = _complementary(labels.long(), rows.long(), epoch, scores.shape[-1])[:, None]
    others = scores.scatter(-1, index, -torch.inf).logsumexp(dim=-1)
    denied = scores.gather(-1, index).squeeze(-1)
    return -F.logsigmoid(others - denied)  # 1 - p is the sigmoid of others - denied


def _complementary(labels: Tensor, rows: Tensor, epoch: int, num_classes: int) -> Tensor:
    """Return a class other than the label, [B]; each of them for one in K - 1 of the row numbers."""
    bits = _mixed(_mixed(rows & _32_BITS) + epoch & _32_BITS)  # from 0 to 2^32 - 1
    return (labels + 1 + (bits * (num_classes - 1) >> 32)) % num_classes


def _mixed(numbers: Tensor) -> Tensor:
    """Return 32 bits that look random for each number of 32 bits; the product stays below 2^63."""
    for _ in range(2):
        numbers = ((numbers >> 16) ^ numbers) * 0x045D9F3B & _32_BITS
    return (numbers >> 16) ^ numbers


def _matrix(transition: Transition, noise_rate: float, num_classes: int) -> Tensor:
    """Return the transition matrix in double precision, [K K]."""
    if transition is None:
        wrong = noise_rate / max(num_classes - 1, 1)
        return torch.full((num_classes, num_classes), wrong, dtype=torch.float64).fill_diagonal_(1 - noise_rate)
    matrix = torch.tensor([list(row) for row in transition], dtype=torch.float64)
    sums = matrix.sum(dim=-1)
    if matrix.shape != (num_classes, num_classes) or bool(((sums - 1).abs() > 1e-6).any()):
        raise LossInputError(
            f"A transition matrix of {num_classes} rows with {num_classes} numbers that sum to one was expected; got "
            f"shape {tuple(matrix.shape)} with sums {[round(value, 4) for value in sums.tolist()]}. "
            "Row i says how often class i is labelled as each class."
        )
    if not bool((matrix.sum(dim=0) > 0).all()):
        raise LossInputError(
            "A column of the transition matrix is all 0, so that no image could have that label; got "
            f"{matrix.tolist()}. Columns stand for observed labels and rows for true classes: is it transposed?"
        )
    return matrix
