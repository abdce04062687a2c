"""Independent values and wrong versions of losses for grades."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from tests.losses.families import ordinal_soft_labels
from tests.losses.families.common import Tensor, clamped_log, one_hot, true_class


def _each(z: Tensor, y: Tensor, value: Callable[[Tensor, int], Tensor]) -> Tensor:
    """One example at a time: its scores and its grade."""
    return torch.stack([value(z[b], int(y[b])) for b in range(len(z))])


def _s(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def _coral(z: Tensor, y: int) -> Tensor:
    return sum(-(_s(z[k]) if y > k else 1 - _s(z[k])).log() for k in range(len(z)))


def _corn(z: Tensor, y: int) -> Tensor:
    """-log of the product of having passed all steps before the grade and not having passed the next."""
    p = torch.ones((), dtype=z.dtype)
    for k in range(y):
        p = p * _s(z[k])
    return -(p * (1 - _s(z[y])) if y < len(z) else p).log()


def _condor(z: Tensor, y: int) -> Tensor:
    q, total = torch.ones((), dtype=z.dtype), torch.zeros((), dtype=z.dtype)
    for k in range(len(z)):
        q = q * _s(z[k])
        total = total - (q if y > k else 1 - q).log()
    return total


def _cumulative_link(z: Tensor, y: int) -> Tensor:
    """Scores that fall by less than 1e-4 belong to no model: there the tangent of log(1 - e^-fall) is meant."""
    if y == 0:
        return -(1 - _s(z[0])).log()
    if y == len(z):
        return -_s(z[-1]).log()
    above, below, least = z[y - 1], z[y], 1e-4
    if above - below >= least:
        return -(_s(above) - _s(below)).log()
    slope = math.exp(-least) / (1 - math.exp(-least))
    return -(_s(above) * (1 - _s(below)) * (1 - math.exp(-least))).log() - slope * (above - below - least)


def _ecoc(z: Tensor, y: int) -> Tensor:
    word = [1.0] * y + [0.0] * (len(z) - y)
    return sum((_s(z[k]) - word[k]) ** 2 for k in range(len(z)))


def _expected_distances(z: Tensor, y: int) -> Tensor:
    """E|X - y| - E|X - X'| / 2, the other form of the ranked probability score."""
    p, grades = z.softmax(-1), range(len(z))
    to_truth = sum(p[c] * abs(c - y) for c in grades)
    to_each_other = sum(p[c] * p[d] * abs(c - d) for c in grades for d in grades)
    return to_truth - to_each_other / 2


def _log_loss(alpha: float) -> Callable[[Tensor, int], Tensor]:
    return lambda z, y: -sum(abs(c - y) ** alpha * (1 - z.softmax(-1)[c]).log() for c in range(len(z)) if c != y)


def between(counts: list[float], one: int, other: int) -> float:
    """Half the images of the first grade and all from there to the other one, which is counted."""
    step = 1 if other > one else -1
    return counts[one] / 2 + sum(counts[k] for k in range(one + step, other + step, step) if one != other)


def _slace(counts: list[float], alpha: float) -> Callable[[Tensor, int], Tensor]:
    def value(z: Tensor, y: int) -> Tensor:
        p, grades = z.softmax(-1), range(len(z))
        proximity = [-math.log(between(counts, c, y) / sum(counts)) for c in grades]
        raw = [math.exp(-alpha * (max(proximity) - proximity[c])) for c in grades]
        total = torch.zeros((), dtype=z.dtype)
        for c in grades:
            gathered = sum(p[j] for j in grades if proximity[j] >= proximity[c])
            total = total - raw[c] / sum(raw) * gathered.log()
        return total

    return value


def kappa_parts(z: Tensor, y: Tensor, power: int) -> tuple[list[Tensor], Tensor]:
    """What each example adds to the disagreement, and the disagreement by chance, from a confusion matrix."""
    p, grades = z.softmax(-1), range(z.shape[1])
    each = [sum(abs(c - int(y[b])) ** power * p[b, c] for c in grades) for b in range(len(z))]
    labelled = [sum(1 for label in y.tolist() if label == c) for c in grades]
    decided = [sum(p[b, c] for b in range(len(z))) for c in grades]
    chance = sum(abs(c - d) ** power * labelled[c] * decided[d] for c in grades for d in grades) / len(z)
    return each, chance


def weighted_kappa(z: Tensor, y: Tensor, form: str, penalization: str) -> Tensor:
    each, chance = kappa_parts(z, y, 2 if penalization == "quadratic" else 1)
    ratio = sum(each) / chance
    return (ratio.log() if form == "log" else ratio).expand(len(z))


def _error_and_kappa(z: Tensor, y: Tensor, c: float) -> Tensor:
    p = z.softmax(-1)
    errors = [
        sum((p[b, k] - float(k == int(y[b]))) ** 2 for k in range(z.shape[1])) / z.shape[1] for b in range(len(z))
    ]
    return c * weighted_kappa(z, y, "ratio", "quadratic") + (1 - c) * torch.stack(errors)


def _huber(delta: float) -> Callable[[Tensor, int], Tensor]:
    def value(z: Tensor, y: int) -> Tensor:
        far = bool(z[0] > y + delta or z[0] < y - delta)
        sign = 1.0 if bool(z[0] > y) else -1.0
        return sign * delta * (z[0] - y) - delta**2 / 2 if far else (z[0] ** 2 - 2 * y * z[0] + y**2) / 2

    return value


ORACLES: dict[str, Callable[..., Tensor]] = {
    "coral": lambda z, y: _each(z, y, _coral),
    "corn": lambda z, y: _each(z, y, _corn),
    "condor": lambda z, y: _each(z, y, _condor),
    "cumulative_link": lambda z, y: _each(z, y, _cumulative_link),
    "ordinal_ecoc": lambda z, y: _each(z, y, _ecoc),
    "earth_mover_distance": lambda z, y: _each(z, y, _expected_distances),
    "class_distance_weighted_cross_entropy": lambda z, y, alpha: _each(z, y, _log_loss(alpha)),
    "ordinal_log_loss": lambda z, y, alpha: _each(z, y, _log_loss(alpha)),
    "slace": lambda z, y, class_counts, alpha: _each(z, y, _slace(class_counts.tolist(), alpha)),
    "weighted_kappa": weighted_kappa,
    "mean_class_error_and_kappa": _error_and_kappa,
    **ordinal_soft_labels.ORACLES,
    "ordinal_squared_error": lambda z, y: _each(z, y, lambda f, g: f[0] ** 2 - 2 * g * f[0] + g**2),
    "ordinal_huber": lambda z, y, delta: _each(z, y, _huber(delta)),
    "ordinal_absolute_error": lambda z, y: _each(z, y, lambda f, g: (1 if bool(f[0] > g) else -1) * (f[0] - g)),
}


def _levels(z: Tensor, y: Tensor) -> Tensor:
    return (y[:, None] > torch.arange(z.shape[1])).to(z.dtype)


def _bce(z: Tensor, levels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(z, levels, reduction="none")


def divided_by_the_pairs_of_the_batch(z: Tensor, y: Tensor) -> Tensor:
    """CORN as in the paper and in coral-pytorch: shares of a sum over the number of pairs of example and step."""
    asked = y[:, None] >= torch.arange(z.shape[1])
    return torch.where(asked, _bce(z, _levels(z, y)), 0.0).sum(-1) * len(z) / asked.sum()


def condor_with_an_added_epsilon(z: Tensor, y: Tensor) -> Tensor:
    """condor-pytorch 1.1.0."""
    log_q, levels = F.logsigmoid(z).cumsum(-1), _levels(z, y)
    return -(log_q * levels + (1 - log_q.exp() + torch.finfo(torch.float32).eps).log() * (1 - levels)).sum(-1)


def clamped_differences(z: Tensor, y: Tensor, least: float = 1e-15) -> Tensor:
    """spacecutter 0.2.1."""
    one = torch.ones_like(z[:, :1])
    edges = torch.cat([one, z.sigmoid(), 0 * one], dim=-1)
    return -true_class(edges[:, :-1] - edges[:, 1:], y).clamp(least, 1 - least).log()


def log_of_exponentials(z: Tensor, y: Tensor, alpha: float) -> Tensor:
    """Class-distance-weighted cross-entropy as in dlordinal 2.7.0."""
    total = z.exp().sum(-1, keepdim=True)
    distance = (torch.arange(z.shape[1]) - y[:, None]).abs().to(z.dtype)
    return -(((total - z.exp() + 1e-8).log() - (total + 1e-8).log()) * distance**alpha).sum(-1)


def distance_in_place_of_images(z: Tensor, y: Tensor, class_counts: Any, alpha: float) -> Tensor:
    """SLACE as in dlordinal 2.7.0: grades are apart by their number, and counts play no part."""
    distance = (torch.arange(z.shape[1]) - y[:, None]).abs()
    near = (distance[:, None, :] <= distance[:, :, None]).to(z.dtype)
    gathered = (near @ z.softmax(-1)[:, :, None]).squeeze(-1)
    return -((-alpha * distance).to(z.dtype).softmax(-1) * (gathered + 1e-9).log()).sum(-1)


def kappa_with_an_added_epsilon(
    z: Tensor, y: Tensor, form: str = "log", penalization: str = "quadratic", epsilon: float = 1e-6
) -> Tensor:
    """TensorFlow Addons, with its default epsilon."""
    each, chance = kappa_parts(z, y, 2 if penalization == "quadratic" else 1)
    ratio = sum(each) / chance if chance > 0 else 0 * chance
    return (ratio + epsilon).log().expand(len(z)) if form == "log" else ratio.expand(len(z))


def _distance(z: Tensor, y: Tensor) -> Tensor:
    return (torch.arange(z.shape[1]) - y[:, None]).abs().to(z.dtype)


def _cdf_errors(z: Tensor, y: Tensor) -> Tensor:
    return z.softmax(-1).cumsum(-1) - one_hot(y, z.shape[1]).to(z.dtype).cumsum(-1)


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "coral": {
        "mean over steps": lambda z, y: _bce(z, _levels(z, y)).mean(-1),
        "level reached in place of passed": lambda z, y: _bce(
            z, (y[:, None] >= torch.arange(z.shape[1])).to(z.dtype)
        ).sum(-1),
        "levels the wrong way round": lambda z, y: _bce(z, 1 - _levels(z, y)).sum(-1),
        "last step is forgotten": lambda z, y: _bce(z, _levels(z, y))[:, :-1].sum(-1),
    },
    "corn": {
        "divided by the pairs of the batch": divided_by_the_pairs_of_the_batch,
        "all steps asked": lambda z, y: _bce(z, _levels(z, y)).sum(-1),
        "the next step is not asked": lambda z, y: torch.where(_levels(z, y) > 0, _bce(z, _levels(z, y)), 0.0).sum(-1),
    },
    "condor": {
        "an epsilon inside the logarithm": condor_with_an_added_epsilon,
        "conditional steps alone": lambda z, y: _each(z, y, _corn),
        "steps not multiplied": lambda z, y: _bce(z, _levels(z, y)).sum(-1),
    },
    "cumulative_link": {
        "clamped": clamped_differences,
        "steps judged one by one": lambda z, y: _bce(z, _levels(z, y)).sum(-1),
        "absolute difference": lambda z, y: (
            -true_class(
                torch.diff(F.pad(z.sigmoid(), (1, 1)) + F.pad(torch.ones_like(z[:, :1]), (0, z.shape[1] + 1))).abs(), y
            ).log()
        ),
    },
    "ordinal_ecoc": {
        "mean over steps": lambda z, y: (z.sigmoid() - _levels(z, y)).square().mean(-1),
        "scores in place of probabilities": lambda z, y: (z - _levels(z, y)).square().sum(-1),
        "words the wrong way round": lambda z, y: (z.sigmoid() - 1 + _levels(z, y)).square().sum(-1),
    },
    "earth_mover_distance": {
        "root": lambda z, y: _cdf_errors(z, y).square().sum(-1).sqrt(),
        "mean over classes": lambda z, y: _cdf_errors(z, y).square().mean(-1),
        "absolute": lambda z, y: _cdf_errors(z, y).abs().sum(-1),
        "without sums": lambda z, y: (z.softmax(-1) - one_hot(y, z.shape[1]).to(z.dtype)).square().sum(-1),
    },
    "class_distance_weighted_cross_entropy": {
        "logarithm of exponentials": log_of_exponentials,
        "mean over classes": lambda z, y, alpha: _each(z, y, _log_loss(alpha)) / z.shape[1],
        "alpha is ignored": lambda z, y, alpha: _each(z, y, _log_loss(1.0)),
        "log p of the wrong grades": lambda z, y, alpha: (_distance(z, y) ** alpha * F.log_softmax(z, -1)).sum(-1),
        "clamped": lambda z, y, alpha: -(_distance(z, y) ** alpha * clamped_log(1 - z.softmax(-1))).sum(-1),
    },
    "ordinal_log_loss": {
        "logarithm of exponentials": log_of_exponentials,
        "distances divided by their sum": lambda z, y, alpha: (
            _each(z, y, _log_loss(alpha)) / _distance(z, y).sum(-1) ** alpha
        ),
        "alpha of the other loss": lambda z, y, alpha: _each(z, y, _log_loss(2.0)),
    },
    "slace": {
        "distance in place of images": distance_in_place_of_images,
        "counts of the wrong grade in place of the true one": lambda z, y, class_counts, alpha: _each(
            z, y, _slace(class_counts.tolist()[::-1], alpha)
        ),
        "alpha is ignored": lambda z, y, class_counts, alpha: _each(z, y, _slace(class_counts.tolist(), 2.0)),
    },
    "weighted_kappa": {
        "an epsilon inside the logarithm": kappa_with_an_added_epsilon,
        "ratio in place of its logarithm": lambda z, y, form, penalization: weighted_kappa(z, y, "ratio", penalization),
        "linear in place of quadratic": lambda z, y, form, penalization: weighted_kappa(z, y, form, "linear"),
        "kappa in place of one minus kappa": lambda z, y, form, penalization: (
            1 - weighted_kappa(z, y, "ratio", penalization)
        ),
        "each example by itself": lambda z, y, form, penalization: (_distance(z, y).square() * z.softmax(-1)).sum(-1),
    },
    "mean_class_error_and_kappa": {
        "C the wrong way round": lambda z, y, c: _error_and_kappa(z, y, 1.2 - c),
        "sum over classes": lambda z, y, c: (
            _error_and_kappa(z, y, c)
            + (1 - c) * 3 * (z.softmax(-1) - one_hot(y, z.shape[1]).to(z.dtype)).square().mean(-1)
        ),
        "logarithm of kappa": lambda z, y, c: (
            _error_and_kappa(z, y, c)
            + c * (weighted_kappa(z, y, "log", "quadratic") - weighted_kappa(z, y, "ratio", "quadratic"))
        ),
    },
    **ordinal_soft_labels.MUTANTS,
    "ordinal_squared_error": {
        "half": lambda z, y: (z[:, 0] - y).square() / 2,
        "broadcast to all pairs": lambda z, y: (z - y).square().mean(-1),
        "grades from 1": lambda z, y: (z[:, 0] - y - 1).square(),
    },
    "ordinal_huber": {
        "divided by delta, as smooth L1, at twice the delta": lambda z, y, delta: F.smooth_l1_loss(
            z[:, 0], y.to(z.dtype), beta=2 * delta, reduction="none"
        ),
        "twice": lambda z, y, delta: 2 * F.huber_loss(z[:, 0], y.to(z.dtype), delta=delta, reduction="none"),
        "jump at delta": lambda z, y, delta: torch.where(
            (z[:, 0] - y).abs() <= delta, (z[:, 0] - y).square() / 2, delta * (z[:, 0] - y).abs()
        ),
    },
    "ordinal_absolute_error": {
        "squared": lambda z, y: (z[:, 0] - y).square(),
        "grades from 1": lambda z, y: (z[:, 0] - y - 1).abs(),
        "score below the grade costs nothing": lambda z, y: (z[:, 0] - y).relu(),
    },
}
