"""Independent values and wrong versions of cross-entropy with soft labels for grades."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import special, stats

from tests.losses.families.common import Tensor, one_hot

Table = Any  # [K K]: row of the true grade, column of the grade

BETA_OF_FOUR = [(1, 6), (6, 10), (10, 6), (6, 1)]


def with_rows(z: Tensor, y: Tensor, table: Table, eta: float = 1.0) -> Tensor:
    rows = torch.tensor(np.asarray(table, dtype=float), dtype=z.dtype)[y.long()]
    return F.cross_entropy(z, eta * rows + (1 - eta) * one_hot(y, z.shape[1]).to(z.dtype), reduction="none")


def exponential(classes: int, p: float, tau: float) -> Table:
    grades = np.arange(classes)
    return special.softmax(-(np.abs(grades[None] - grades[:, None]) ** p) / tau, axis=1)


def sord_rows(classes: int, alpha: float, distance: str) -> Table:
    rows = []
    for y in range(classes):
        raw = [np.exp(-alpha * (abs(c - y) if distance == "absolute" else (c - y) * (c - y))) for c in range(classes)]
        rows.append([value / sum(raw) for value in raw])
    return rows


def binomial(classes: int) -> Table:
    chances = np.linspace(0.1, 0.9, classes)
    return [stats.binom.pmf(np.arange(classes), classes - 1, chance) for chance in chances]


def poisson(classes: int, shift: float) -> Table:
    rows = [stats.poisson.pmf(np.arange(classes), y + shift) for y in range(classes)]
    return [row / row.sum() for row in rows]


def softmax_of_poisson(classes: int) -> Table:
    """Defect of dlordinal 2.7.0: the softmax is taken of probabilities, not of their logarithms."""
    return special.softmax([stats.poisson.pmf(np.arange(classes), y + 1) for y in range(classes)], axis=1)


def beta(shapes: list[tuple[int, int]]) -> Table:
    edges = np.linspace(0, 1, len(shapes) + 1)
    return [np.diff(stats.beta.cdf(edges, a, b)) for a, b in shapes]


def triangular(classes: int, alpha2: float) -> Table:
    """Triangles on 0 to 1 with the ends that dlordinal documents, cut at the edges between grades."""
    root = np.sqrt(2 * alpha2)
    gain = (1 - 2 * alpha2) * (2 * alpha2 - root)
    root1, root3 = (abs(1 - np.sqrt(1 - 4 * g)) / 2 for g in (gain, ((classes - 1) / classes) ** 2 * gain))
    edges, rows = np.linspace(0, 1, classes + 1), []
    for j in range(1, classes + 1):
        below, above = (
            (2 * j - extra - 4 * j * alpha2 + 2 * alpha2 + sign * root) / (2 * classes * (1 - 2 * alpha2))
            for extra, sign in ((2, -1), (0, 1))
        )
        mode = 0.5
        if j == 1:
            below, above, mode = 0.0, 1 / ((1 - root1) * classes), 0.0
        if j == classes:
            below, above, mode = 1 - 1 / ((1 - root3) * classes), 1.0, 1.0
        rows.append(np.diff(stats.triang.cdf(edges, mode, loc=below, scale=above - below)))
    return rows


def geometric(classes: int, alpha: float) -> Table:
    rows = []
    for y in range(classes):
        others = sum(alpha ** abs(c - y) for c in range(classes) if c != y)
        rows.append([1 - alpha if c == y else alpha * alpha ** abs(c - y) / (others or 1) for c in range(classes)])
    return rows


ORACLES: dict[str, Callable[..., Tensor]] = {
    "sord": lambda z, y, alpha, distance: with_rows(z, y, sord_rows(z.shape[1], alpha, distance)),
    "binomial_soft_labels": lambda z, y, eta: with_rows(z, y, binomial(z.shape[1]), eta),
    "poisson_soft_labels": lambda z, y, shift, eta: with_rows(z, y, poisson(z.shape[1], shift), eta),
    "beta_soft_labels": lambda z, y, eta: with_rows(z, y, beta(BETA_OF_FOUR), eta),
    "triangular_soft_labels": lambda z, y, alpha2, eta: with_rows(z, y, triangular(z.shape[1], alpha2), eta),
    "exponential_soft_labels": lambda z, y, p, tau, eta: with_rows(z, y, exponential(z.shape[1], p, tau), eta),
    "geometric_soft_labels": lambda z, y, alpha, eta: with_rows(z, y, geometric(z.shape[1], alpha), eta),
}


def _label_smoothing(z: Tensor, y: Tensor, **rest: Any) -> Tensor:
    return F.cross_entropy(z, y.long(), label_smoothing=0.1, reduction="none")


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "sord": {
        "soft labels that grow with the distance": lambda z, y, alpha, distance: with_rows(
            z, y, sord_rows(z.shape[1], -alpha, distance)
        ),
        "squared in place of absolute": lambda z, y, alpha, distance: with_rows(
            z, y, sord_rows(z.shape[1], alpha, "squared")
        ),
        "binary cross-entropy of the softmax": lambda z, y, alpha, distance: F.binary_cross_entropy(
            z.softmax(-1), torch.tensor(np.array(sord_rows(z.shape[1], alpha, distance)))[y.long()], reduction="none"
        ).sum(-1),
    },
    "binomial_soft_labels": {
        "chance from 0 to 1": lambda z, y, eta: with_rows(
            z, y, [stats.binom.pmf(range(4), 3, chance) for chance in np.linspace(0, 1, 4)], eta
        ),
        "K draws": lambda z, y, eta: with_rows(
            z, y, [stats.binom.pmf(range(4), 4, chance) for chance in np.linspace(0.1, 0.9, 4)], eta
        ),
        "eta on the hard label": lambda z, y, eta: with_rows(z, y, binomial(z.shape[1]), 1 - eta),
    },
    "poisson_soft_labels": {
        "softmax of probabilities, as in dlordinal": lambda z, y, shift, eta: with_rows(
            z, y, softmax_of_poisson(z.shape[1]), eta
        ),
        "what lies above the last grade is lost": lambda z, y, shift, eta: with_rows(
            z, y, [stats.poisson.pmf(range(4), grade + shift) for grade in range(4)], eta
        ),
        "shift is ignored": lambda z, y, shift, eta: with_rows(z, y, poisson(z.shape[1], 1.0), eta),
    },
    "beta_soft_labels": {
        "shapes exchanged": lambda z, y, eta: with_rows(z, y, beta([(b, a) for a, b in BETA_OF_FOUR]), eta),
        "density at the middle of the grade": lambda z, y, eta: with_rows(
            z, y, [stats.beta.pdf((np.arange(4) + 0.5) / 4, a, b) / 4 for a, b in BETA_OF_FOUR], eta
        ),
        "eta on the hard label": lambda z, y, eta: with_rows(z, y, beta(BETA_OF_FOUR), 1 - eta),
    },
    "triangular_soft_labels": {
        "both ends alike": lambda z, y, alpha2, eta: with_rows(
            z, y, [*(rows := triangular(4, alpha2))[:3], rows[0][::-1]], eta
        ),
        "alpha2 for both neighbours together": lambda z, y, alpha2, eta: with_rows(
            z, y, triangular(z.shape[1], alpha2 / 2), eta
        ),
        "label smoothing": _label_smoothing,
    },
    "exponential_soft_labels": {
        "multiplied by tau": lambda z, y, p, tau, eta: with_rows(
            z, y, exponential(z.shape[1], p, 1 / (tau + 0.5)), eta
        ),
        "the square of the distance": lambda z, y, p, tau, eta: with_rows(z, y, exponential(z.shape[1], 2.0, tau), eta),
        "not divided by the sum": lambda z, y, p, tau, eta: with_rows(
            z, y, np.exp(-np.abs(np.subtract.outer(range(4), range(4)))), eta
        ),
    },
    "geometric_soft_labels": {
        "label smoothing": _label_smoothing,
        "true grade included in the normaliser": lambda z, y, alpha, eta: with_rows(
            z, y, [[alpha ** abs(c - k) * (1 - alpha) for c in range(4)] for k in range(4)], eta
        ),
        "eta on the hard label": lambda z, y, alpha, eta: with_rows(z, y, geometric(z.shape[1], alpha), 1 - eta),
    },
}
