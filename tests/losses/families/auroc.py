"""Independent values and wrong versions of losses of the order of examples."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor

Column = tuple[list[Tensor], list[Tensor]]

PHI: dict[str, Callable[[Tensor, float], Tensor]] = {
    "logistic": lambda d, m: (1 + (-d).exp()).log(),
    "squared_hinge": lambda d, m: (m - d) ** 2 if d.item() < m else 0 * d,
    "hinge": lambda d, m: m - d if d.item() < m else 0 * d,
    "squared": lambda d, m: (m - d) ** 2,
}


def columns(z: Tensor, t: Tensor) -> list[Column]:
    """Scores of the examples with and without each class that has both, of which something is known."""
    found = []
    for c in range(z.shape[1]):
        positive = [z[b, c] for b in range(len(z)) if t[b, c] == 1]
        negative = [z[b, c] for b in range(len(z)) if t[b, c] == 0]
        if positive and negative:
            found.append((positive, negative))
    return found


def mean_over_classes(z: Tensor, t: Tensor, value: Callable[[list[Tensor], list[Tensor]], Tensor]) -> Tensor:
    """The value of the batch, once for every example."""
    values = [value(*column) for column in columns(z, t)]
    mean = torch.stack(values).mean() if values else 0 * z.sum()
    return torch.stack([mean] * len(z))


def mean_of(numbers: list[Tensor]) -> Tensor:
    return sum(numbers[1:], numbers[0]) / len(numbers)


def pairwise(z: Tensor, t: Tensor, surrogate: str, margin: float) -> Tensor:
    return mean_over_classes(
        z, t, lambda positive, negative: mean_of([PHI[surrogate](p - n, margin) for p in positive for n in negative])
    )


def min_max(
    positive: list[Tensor], negative: list[Tensor], *, a: Tensor, b: Tensor, alpha: Tensor, margin: float, version: str
) -> Tensor:
    """The objective of Yuan et al. 2021 at any a, b and alpha."""
    spread = mean_of([(p - a) ** 2 for p in positive]) + mean_of([(n - b) ** 2 for n in negative])
    whole = spread + 2 * alpha * (margin + mean_of(negative) - mean_of(positive)) - alpha**2
    share = len(positive) / (len(positive) + len(negative))
    return whole * share * (1 - share) if version == "v1" else whole


def auc_margin(z: Tensor, t: Tensor, margin: float, version: str) -> Tensor:
    def at_the_optimum(positive: list[Tensor], negative: list[Tensor]) -> Tensor:
        a, b = mean_of(positive).detach(), mean_of(negative).detach()
        alpha = torch.clamp(margin + b - a, min=0.0)  # the slope by a, b and alpha is 0 there, so they may stand still
        return min_max(positive, negative, a=a, b=b, alpha=alpha, margin=margin, version=version)

    return mean_over_classes(z, t, at_the_optimum)


ORACLES: dict[str, Callable[..., Tensor]] = {"pairwise_auroc": pairwise, "auc_margin": auc_margin}


def misplaced_parenthesis(z: Tensor, t: Tensor, margin: float, version: str) -> Tensor:
    """Defect of LibAUC 2.0.1 in version 2 (LibAUC#74): the mean of the negatives is scaled by 1 - p."""

    def one(positive: list[Tensor], negative: list[Tensor]) -> Tensor:
        share = len(positive) / (len(positive) + len(negative))
        a, b = mean_of(positive), mean_of(negative)
        spread = mean_of([(p - a) ** 2 for p in positive]) + mean_of([(n - b) ** 2 for n in negative])
        whole = spread + F.relu(margin + (1 - share) * b - a) ** 2
        return whole * share * (1 - share) if version == "v1" else whole

    return mean_over_classes(z, t, one)


def _pairs_as_one_sum(z: Tensor, t: Tensor, surrogate: str, margin: float) -> Tensor:
    pairs = [PHI[surrogate](p - n, margin) for positive, negative in columns(z, t) for p in positive for n in negative]
    return torch.stack([mean_of(pairs) if pairs else 0 * z.sum()] * len(z))


def _absent_classes_count(z: Tensor, t: Tensor, surrogate: str, margin: float) -> Tensor:
    return pairwise(z, t, surrogate, margin) * len(columns(z, t)) / z.shape[1]


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "pairwise_auroc": {
        "turned round": lambda z, t, surrogate, margin: pairwise(-z, t, surrogate, margin),
        "all pairs of all classes in one mean": _pairs_as_one_sum,
        "classes without pairs count as 0": lambda z, t, surrogate, margin: (
            _absent_classes_count(z, t, surrogate, margin) if len(columns(z, t)) < z.shape[1] else z.sum(-1)
        ),
        "overflows": lambda z, t, surrogate, margin: mean_over_classes(
            z, t, lambda positive, negative: mean_of([(1 + (n - p).exp()).log() for p in positive for n in negative])
        ),
        "pairs within an example": lambda z, t, surrogate, margin: F.softplus(
            (z * (1 - t)).sum(-1) / (1 - t).sum(-1).clamp_min(1) - (z * t).sum(-1) / t.sum(-1).clamp_min(1)
        ),
        "sum over pairs": lambda z, t, surrogate, margin: mean_over_classes(
            z,
            t,
            lambda positive, negative: sum(PHI[surrogate](p - n, margin) for p in positive for n in negative),
        ),
        "in bits": lambda z, t, surrogate, margin: pairwise(z, t, surrogate, margin) / math.log(2),
    },
    "auc_margin": {
        "mean of the negatives times 1 - p": misplaced_parenthesis,
        "no hinge: means may be too far apart": lambda z, t, margin, version: mean_over_classes(
            z,
            t,
            lambda positive, negative: min_max(
                positive,
                negative,
                a=(a := mean_of(positive)),
                b=(b := mean_of(negative)),
                alpha=margin + b - a,
                margin=margin,
                version=version,
            ),
        ),
        "a, b and alpha at 0": lambda z, t, margin, version: mean_over_classes(
            z,
            t,
            lambda positive, negative: min_max(
                positive,
                negative,
                a=z.new_zeros(()),
                b=z.new_zeros(()),
                alpha=z.new_zeros(()),
                margin=margin,
                version=version,
            ),
        ),
        "version 2 always": lambda z, t, margin, version: auc_margin(z, t, margin, "v2"),
        "turned round": lambda z, t, margin, version: auc_margin(-z, t, margin, version),
        "no spread": lambda z, t, margin, version: mean_over_classes(
            z, t, lambda positive, negative: F.relu(margin + mean_of(negative) - mean_of(positive)) ** 2
        ),
    },
}
