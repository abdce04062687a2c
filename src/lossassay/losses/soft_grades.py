"""Cross-entropy with soft labels for grades: some probability goes to the grades beside the true one."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.errors import LossInputError

Table = tuple[tuple[float, ...], ...]  # row y, column c: the soft label of grade c where y is true

# Shape parameters (a, b) of the lower half of the grades for each number of grades, Vargas et al. 2022 as in dlordinal
# 2.7.0; the upper half mirrors it. Two grades, which they leave out, follow their rule for the lowest: (1, 2K - 2).
_BETA_SHAPES = {
    2: ((1, 2),),
    3: ((1, 4), (4, 4)),
    4: ((1, 6), (6, 10)),
    5: ((1, 8), (6, 14), (12, 12)),
    6: ((1, 10), (7, 20), (15, 20)),
    7: ((1, 12), (7, 26), (16, 28), (24, 24)),
    8: ((1, 14), (7, 31), (17, 37), (27, 35)),
    9: ((1, 16), (8, 40), (18, 47), (30, 47), (40, 40)),
    10: ((1, 18), (8, 45), (19, 57), (32, 59), (45, 55)),
    11: ((1, 21), (8, 51), (20, 68), (34, 73), (48, 69), (60, 60)),
    12: ((1, 23), (8, 56), (20, 76), (35, 85), (51, 85), (65, 77)),
    13: ((1, 25), (8, 61), (20, 84), (36, 98), (53, 100), (70, 95), (84, 84)),
    14: ((1, 27), (2, 17), (5, 23), (9, 27), (13, 28), (18, 28), (23, 27)),
}


def sord(
    scores: Scores,
    labels: IntegerLabels,
    *,
    alpha: float = 1.0,
    distance: Literal["absolute", "squared"] = "absolute",
) -> PerExample:
    r"""Cross-entropy with soft labels that fall with the distance from the true grade (SORD).

    :math:`-\sum_c t_c\log p_c` with p = softmax(z) and :math:`t=\mathrm{softmax}(-\alpha\,\phi(c,y))`,
    :math:`\phi=|c-y|` or :math:`(c-y)^2` (Diaz and Marathe 2019, CVPR, eq. 1 and 2, who leave phi open).

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        alpha: Sharpness of the soft labels, above 0.
        distance: phi.

    Returns:
        Nats per example, [B], at least the entropy of the soft label.

    Example:
        >>> sord(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
        tensor([0.5822])
    """
    power = 2.0 if distance == "squared" else 1.0
    return _crossentropy(scores, labels, _exponential(scores.shape[-1], power, alpha), eta=1.0)


def exponential_soft_labels(
    scores: Scores, labels: IntegerLabels, *, p: float = 1.0, tau: float = 1.0, eta: float = 1.0
) -> PerExample:
    r"""Cross-entropy with soft labels that fall exponentially with a power of the distance.

    :math:`-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log\mathrm{softmax}(z)_c` with
    :math:`t=\mathrm{softmax}(-|c-y|^p/\tau)` (Liu et al. 2020, Neurocomputing; Vargas et al. 2023).

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        p: Power of the distance, above 0.
        tau: Temperature of the soft labels, above 0.
        eta: Share of the soft label, from 0 (cross-entropy) to 1.

    Returns:
        Nats per example, [B], at least the entropy of the mixed label.

    Example:
        >>> exponential_soft_labels(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
        tensor([0.5822])
    """
    return _crossentropy(scores, labels, _exponential(scores.shape[-1], p, 1 / tau), eta=eta)


def binomial_soft_labels(scores: Scores, labels: IntegerLabels, *, eta: float = 1.0) -> PerExample:
    r"""Cross-entropy with binomial soft labels.

    :math:`-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log\mathrm{softmax}(z)_c` with
    :math:`t_c=\binom{K-1}c q^c(1-q)^{K-1-c}`, :math:`q=0.1+0.8\,\frac y{K-1}` (Liu et al. 2020, Neurocomputing). With
    ten grades and more the soft labels of the outer grades do not peak at these: q stays from 0.1 to 0.9.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        eta: Share of the soft label, from 0 (cross-entropy) to 1.

    Returns:
        Nats per example, [B], at least the entropy of the mixed label.

    Example:
        >>> binomial_soft_labels(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
        tensor([0.4133])
    """
    return _crossentropy(scores, labels, _binomial(scores.shape[-1]), eta=eta)


def poisson_soft_labels(scores: Scores, labels: IntegerLabels, *, shift: float = 0.5, eta: float = 1.0) -> PerExample:
    r"""Cross-entropy with Poisson soft labels.

    :math:`-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log\mathrm{softmax}(z)_c` with :math:`t_c\propto\lambda^c/c!` for c from 0
    to K - 1 and :math:`\lambda=y+\text{shift}` (Poisson probabilities of grades: Beckham and Pal 2017,
    arXiv:1705.05278; as soft labels: Liu et al. 2020). With a shift of 0.5 every soft label peaks at its own grade
    alone.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        shift: What is added to the grade, from 0 to 1.
        eta: Share of the soft label, from 0 (cross-entropy) to 1.

    Returns:
        Nats per example, [B], at least the entropy of the mixed label.

    Example:
        >>> poisson_soft_labels(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
        tensor([0.6466])
    """
    return _crossentropy(scores, labels, _poisson(scores.shape[-1], shift), eta=eta)


def beta_soft_labels(scores: Scores, labels: IntegerLabels, *, eta: float = 1.0) -> PerExample:
    r"""Cross-entropy with soft labels from beta distributions.

    :math:`-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log\mathrm{softmax}(z)_c` with
    :math:`t_c=I_{(c+1)/K}(a_y,b_y)-I_{c/K}(a_y,b_y)`, I the distribution function of the beta distribution (Vargas
    et al. 2022, with their table of shapes a and b).

    Args:
        scores: Logits z, [B K], K from 2 to 14.
        labels: Grade y, [B], from 0 to K - 1.
        eta: Share of the soft label, from 0 (cross-entropy) to 1.

    Returns:
        Nats per example, [B], at least the entropy of the mixed label.

    Raises:
        LossInputError: If there are more than 14 grades: the table ends there.

    Example:
        >>> beta_soft_labels(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor([0.7490])
    """
    return _crossentropy(scores, labels, _beta(scores.shape[-1]), eta=eta)


def triangular_soft_labels(
    scores: Scores, labels: IntegerLabels, *, alpha2: float = 0.05, eta: float = 1.0
) -> PerExample:
    r"""Cross-entropy with soft labels from triangular distributions, which reach the grades next to the true one.

    :math:`-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log\mathrm{softmax}(z)_c` (Vargas et al. 2023, Inf. Fusion). A grade between
    others gives :math:`\alpha_2` to each neighbour, the lowest :math:`\alpha_1` to its only one and the highest
    :math:`\alpha_3`: :math:`\sqrt{\alpha_1}` and :math:`\sqrt{\alpha_3}` are the positive roots of :math:`x^2+x=u` and
    :math:`x^2+x=(\frac{K-1}K)^2u` with :math:`u=(1-2\alpha_2)(\sqrt{2\alpha_2}-2\alpha_2)`.

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        alpha2: From 0 (cross-entropy) to 2/9, where the triangle ends with the neighbouring grades.
        eta: Share of the soft label, from 0 (cross-entropy) to 1.

    Returns:
        Nats per example, [B], at least the entropy of the mixed label.

    Example:
        >>> triangular_soft_labels(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([1]))
        tensor([1.5014])
    """
    return _crossentropy(scores, labels, _triangular(scores.shape[-1], alpha2), eta=eta)


def geometric_soft_labels(scores: Scores, labels: IntegerLabels, *, alpha: float = 0.1, eta: float = 1.0) -> PerExample:
    r"""Cross-entropy with soft labels that fall by one factor from grade to grade.

    :math:`-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log\mathrm{softmax}(z)_c` with :math:`t_y=1-\alpha` and
    :math:`t_c\propto\alpha^{|c-y|}` for the others, which sum to alpha (Haas and Huellermeier 2023, ECML PKDD).

    Args:
        scores: Logits z, [B K].
        labels: Grade y, [B], from 0 to K - 1.
        alpha: From 0 (cross-entropy) to 0.5.
        eta: Share of the soft label, from 0 (cross-entropy) to 1.

    Returns:
        Nats per example, [B], at least the entropy of the mixed label.

    Example:
        >>> geometric_soft_labels(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
        tensor([0.4133])
    """
    return _crossentropy(scores, labels, _geometric(scores.shape[-1], alpha), eta=eta)


def _crossentropy(scores: Scores, labels: IntegerLabels, table: Table, *, eta: float) -> PerExample:
    """Return cross-entropy with eta times the soft label and 1 - eta times the hard one."""
    index = labels.long()
    log_p = F.log_softmax(scores, dim=-1)
    soft_labels = torch.tensor(table, dtype=scores.dtype, device=scores.device)
    soft = (soft_labels[index] * log_p).sum(-1)
    hard = log_p.gather(-1, index[:, None]).squeeze(-1)
    return -(eta * soft + (1 - eta) * hard)


def _rows(num_classes: int, weight: Callable[[int, int], float]) -> Table:
    """Return rows of weights of grade and true grade, each divided by its sum."""
    rows = [[weight(c, y) for c in range(num_classes)] for y in range(num_classes)]
    return tuple(tuple(value / math.fsum(row) for value in row) for row in rows)


@lru_cache(maxsize=64)
def _exponential(num_classes: int, power: float, alpha: float) -> Table:
    return _rows(num_classes, lambda c, y: math.exp(-alpha * abs(c - y) ** power))


@lru_cache(maxsize=64)
def _binomial(num_classes: int) -> Table:
    most = num_classes - 1

    def weight(c: int, y: int) -> float:
        q = 0.1 + 0.8 * y / most
        return math.comb(most, c) * q**c * (1 - q) ** (most - c)

    return _rows(num_classes, weight)


@lru_cache(maxsize=64)
def _poisson(num_classes: int, shift: float) -> Table:
    def weight(c: int, y: int) -> float:
        mean = y + shift
        return math.exp(c * math.log(mean) - mean - math.lgamma(c + 1)) if mean > 0 else float(c == 0)

    return _rows(num_classes, weight)


@lru_cache(maxsize=64)
def _beta(num_classes: int) -> Table:
    if num_classes not in _BETA_SHAPES:
        raise LossInputError(
            f"beta_soft_labels has shapes for 2 to {max(_BETA_SHAPES)} grades; got {num_classes}. For more grades use "
            "exponential_soft_labels, which has a formula for any number."
        )
    half = _BETA_SHAPES[num_classes]
    shapes = [*half, *((b, a) for a, b in reversed(half[: num_classes // 2]))]
    edges = [edge / num_classes for edge in range(num_classes + 1)]
    return _rows(num_classes, lambda c, y: _beta_below(edges[c + 1], *shapes[y]) - _beta_below(edges[c], *shapes[y]))


def _beta_below(x: float, a: int, b: int) -> float:
    """Return the distribution function of the beta distribution: the chance of a or more hits in a + b - 1 draws."""
    draws = a + b - 1
    return math.fsum(math.comb(draws, hits) * x**hits * (1 - x) ** (draws - hits) for hits in range(a, draws + 1))


@lru_cache(maxsize=64)
def _triangular(num_classes: int, alpha2: float) -> Table:
    highest = num_classes - 1
    gain = (1 - 2 * alpha2) * (math.sqrt(2 * alpha2) - 2 * alpha2)

    def given_away(factor: float) -> float:
        return ((math.sqrt(1 + 4 * factor * gain) - 1) / 2) ** 2

    to_neighbours = {0: given_away(1.0), highest: given_away((highest / num_classes) ** 2)}

    def weight(c: int, y: int) -> float:
        share = to_neighbours.get(y, alpha2)
        if c == y:
            return 1 - share * (1 if y in to_neighbours else 2)
        return share if abs(c - y) == 1 else 0.0

    return _rows(num_classes, weight)


@lru_cache(maxsize=64)
def _geometric(num_classes: int, alpha: float) -> Table:
    def weight(c: int, y: int) -> float:
        if c == y:
            return 1 - alpha
        others = math.fsum(alpha ** (abs(k - y) - 1) for k in range(num_classes) if k != y)
        return alpha * alpha ** (abs(c - y) - 1) / others

    return _rows(num_classes, weight)
