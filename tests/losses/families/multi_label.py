"""Independent values and wrong versions of multi-label losses."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, clamped_log

import keras  # isort: skip  # after its backend is chosen


def _each(z: Tensor, t: Tensor, cost: Callable[[Tensor, float, int, int], Tensor]) -> Tensor:
    """Sum over classes of a cost of score, label, row and column, in loops, [B]."""
    return torch.stack(
        [sum(cost(z[b, c], float(t[b, c]), b, c) for c in range(z.shape[1])) for b in range(len(z))]  # type: ignore[misc]
    )


def _logistic(z: Tensor) -> Tensor:
    return 1 / (1 + (-z).exp())


def _cross_entropies(z: Tensor, t: Tensor, pos_weight: list[float] | None) -> Tensor:
    ones = torch.ones_like(z)
    present = keras.ops.binary_crossentropy(ones, z, from_logits=True)
    absent = keras.ops.binary_crossentropy(0 * ones, z, from_logits=True)
    weight = 1.0 if pos_weight is None else torch.tensor(pos_weight, dtype=z.dtype)
    return (weight * t * present + (1 - t) * absent).sum(-1)


def _effective_weights(counts: Tensor, beta: float) -> list[float]:
    inverse = [1 / sum(beta**i for i in range(int(n))) for n in counts]
    return [len(inverse) * w / sum(inverse) for w in inverse]


def _class_balanced(z: Tensor, t: Tensor, class_counts: Tensor, beta: float) -> Tensor:
    of_class = _effective_weights(class_counts, beta)
    values = []
    for b in range(len(z)):
        present = [w for w, label in zip(of_class, t[b], strict=True) if label == 1]
        weight = sum(present) / len(present) if present else 1.0
        values.append(weight * F.binary_cross_entropy_with_logits(z[b], t[b], reduction="sum"))
    return torch.stack(values)


def _focal(z: Tensor, t: Tensor, gamma: float, alpha: float | None) -> Tensor:
    positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)

    def cost(score: Tensor, label: float, *_: int) -> Tensor:
        s = _logistic(score)
        if label == 1:
            return -positive * (1 - s) ** gamma * s.log()
        return -negative * s**gamma * (1 - s).log()

    return _each(z, t, cost)


def _asymmetric(z: Tensor, t: Tensor, gamma_neg: float, gamma_pos: float, margin: float) -> Tensor:
    def cost(score: Tensor, label: float, *_: int) -> Tensor:
        s = _logistic(score)
        if label == 1:
            return -((1 - s) ** gamma_pos) * s.log()
        return -((s - margin) ** gamma_neg) * (1 - s + margin).log() if s > margin else 0 * score

    return _each(z, t, cost)


def _hill(z: Tensor, t: Tensor, lambda_: float, margin: float, gamma: float) -> Tensor:
    def cost(score: Tensor, label: float, *_: int) -> Tensor:
        s, q = _logistic(score), _logistic(score - margin)
        return -((1 - q) ** gamma) * q.log() if label == 1 else lambda_ * s**2 - s**3

    return _each(z, t, cost)


def _splc(z: Tensor, t: Tensor, epoch: int, tau: float, change_epoch: int, margin: float, gamma: float) -> Tensor:
    def cost(score: Tensor, label: float, *_: int) -> Tensor:
        s = _logistic(score - margin if label == 1 else score)
        taken_for = 1.0 if epoch - 1 >= change_epoch and s > tau else label
        rest = 1 - s if taken_for == 1 else s
        return -(rest**gamma) * (1 - rest).log()

    return _each(z, t, cost)


def _zlpr(z: Tensor, t: Tensor) -> Tensor:
    absent, present = _each(z, t, lambda s, y, *_: (1 - y) * s.exp()), _each(z, t, lambda s, y, *_: y * (-s).exp())
    return (1 + absent).log() + (1 + present).log()


def _lsep(z: Tensor, t: Tensor) -> Tensor:
    def pairs(score: Tensor, label: float, b: int, c: int) -> Tensor:
        return sum((z[b, j] - score).exp() * (label == 1) * (t[b, j] == 0) for j in range(z.shape[1]))  # type: ignore[return-value]

    return (1 + _each(z, t, pairs)).log()


def _pairwise_hinge(z: Tensor, t: Tensor, margin: float) -> Tensor:
    """The margin is the unit of the scores; where it is 0, the limit from a thousandth, of which nothing is left."""
    unit = margin or 1e-11
    classes = torch.arange(z.shape[1])
    index = torch.stack([torch.cat([classes[row == 1], -torch.ones(int((row == 0).sum()))]) for row in t]).long()
    return unit * F.multilabel_margin_loss(z / unit, index, reduction="none")


def _two_way(z: Tensor, t: Tensor, temperature_pos: float, temperature_neg: float) -> Tensor:
    def ell(scores: Tensor, labels: Tensor) -> Tensor:
        low, high = scores[labels == 1], scores[labels == 0]
        if not len(high):
            return 0 * scores.sum()
        pull = sum((s / temperature_neg).exp() for s in high) ** temperature_neg
        push = sum((-s / temperature_pos).exp() for s in low) ** temperature_pos
        return (1 + pull * push).log()

    rows = [b for b in range(len(z)) if t[b].sum() > 0]
    columns = [c for c in range(z.shape[1]) if t[:, c].sum() > 0]
    of_classes = sum(ell(z[:, c], t[:, c]) for c in columns) / len(columns)
    zero = 0 * z.sum()
    of_rows = [len(z) / len(rows) * ell(z[b], t[b]) if b in rows else zero for b in range(len(z))]
    return torch.stack([value + of_classes for value in of_rows])


def _distribution_balanced(
    z: Tensor,
    t: Tensor,
    class_counts: Tensor,
    map_alpha: float,
    map_beta: float,
    map_mu: float,
    neg_scale: float,
    init_bias: float,
    gamma: float,
    focal_scale: float,
    num_images: int | None,
) -> Tensor:
    counts = [float(n) for n in class_counts]
    total = float(sum(counts) if num_images is None else num_images)

    def cost(score: Tensor, label: float, b: int, c: int) -> Tensor:
        of_image = sum(1 / n for n, y in zip(counts, t[b], strict=True) if y == 1)
        ratio = 1 / counts[c] / of_image if of_image else math.inf
        steepness = map_beta * (ratio - map_mu) if map_beta else 0.0
        weight = map_alpha + (1 / (1 + math.exp(-steepness)) if steepness < 700 else 1.0)
        odds_against = total / min(counts[c], total - 1) - 1
        moved = score - init_bias / neg_scale * math.log(odds_against)
        if label == 1:
            return focal_scale * weight * -_logistic(moved).log() * (1 - _logistic(moved)) ** gamma
        s = _logistic(neg_scale * moved)
        return focal_scale * weight * -(1 - s).log() * s**gamma / neg_scale

    return _each(z, t, cost) / z.shape[1]


# The mean over classes is torch's: that of keras works in float32 (version 3.15).
ORACLES: dict[str, Callable[..., Tensor]] = {
    "binary_crossentropy": lambda z, t: keras.ops.binary_crossentropy(t, z, from_logits=True).mean(-1),
    "binary_crossentropy_sum": _cross_entropies,
    "class_balanced_binary": _class_balanced,
    "sigmoid_focal": _focal,
    "asymmetric": _asymmetric,
    "hill": _hill,
    "splc": _splc,
    "zlpr": _zlpr,
    "lsep": _lsep,
    "pairwise_hinge_ranking": _pairwise_hinge,
    "two_way": _two_way,
    "distribution_balanced": _distribution_balanced,
}


def _bce(z: Tensor, t: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(z, t, reduction="none")


def _ranked(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Log-sum-exp of what is absent, and of minus what is present."""
    return z.masked_fill(t == 1, -1e9).logsumexp(-1), (-z).masked_fill(t == 0, -1e9).logsumexp(-1)


def clamped_asymmetric(z: Tensor, t: Tensor, gamma_neg: float, gamma_pos: float, margin: float) -> Tensor:
    """As the authors' code, timm and mmpretrain: probabilities clamped at 1e-8 before the logarithm."""
    s = z.sigmoid()
    rest = (1 - s + margin).clamp(max=1)
    cost = t * s.clamp(min=1e-8).log() + (1 - t) * rest.clamp(min=1e-8).log()
    chance = s * t + rest * (1 - t)
    return -(cost * (1 - chance) ** (gamma_pos * t + gamma_neg * (1 - t))).sum(-1)


def _unfocused_gradient(z: Tensor, t: Tensor, gamma_neg: float, gamma_pos: float, margin: float) -> Tensor:
    """What disable_torch_grad_focal_loss does, the default of the authors' slower version."""
    s = z.sigmoid()
    rest = (1 - s + margin).clamp(max=1)
    factor = (1 - (s * t + rest * (1 - t))) ** (gamma_pos * t + gamma_neg * (1 - t))
    return -((t * F.logsigmoid(z) + (1 - t) * rest.log()) * factor.detach()).sum(-1)


def _half_two_way(z: Tensor, t: Tensor, temperature_pos: float, temperature_neg: float) -> Tensor:
    high = temperature_neg * (z / temperature_neg).masked_fill(t == 1, -1e9).logsumexp(-1)
    low = temperature_pos * (-z / temperature_pos).masked_fill(t == 0, -1e9).logsumexp(-1)
    return F.softplus(high + low)


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "binary_crossentropy": {
        "sum over classes": lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none").sum(-1),
        "probabilities before the logarithm": lambda z, t: (
            -(t * clamped_log(z.sigmoid()) + (1 - t) * clamped_log(1 - z.sigmoid())).mean(-1)
        ),
        "positives only": lambda z, t: -(t * F.logsigmoid(z)).mean(-1),
    },
    "binary_crossentropy_sum": {
        "mean over classes": lambda z, t, pos_weight: _bce(z, t).mean(-1),
        "unknown findings taken for absent": lambda z, t, pos_weight: _bce(z, t.nan_to_num(0.0)).sum(-1),
        "unknown findings masked after the fact": lambda z, t, pos_weight: _bce(z, t).nan_to_num(0.0).sum(-1),
        "probabilities before the logarithm": lambda z, t, pos_weight: (
            -(t * clamped_log(z.sigmoid()) + (1 - t) * clamped_log(1 - z.sigmoid())).sum(-1)
        ),
    },
    "class_balanced_binary": {
        "no weights": lambda z, t, class_counts, beta: _bce(z, t).sum(-1),
        "each class by its own weight": lambda z, t, class_counts, beta: (
            _bce(z, t) * torch.tensor(_effective_weights(class_counts, beta), dtype=z.dtype)
        ).sum(-1),
        "binary cross-entropy on the softmax": lambda z, t, class_counts, beta: F.binary_cross_entropy(
            z.softmax(-1), t, reduction="none"
        ).sum(-1),
        "images without findings get no weight": lambda z, t, class_counts, beta: (
            (t * torch.tensor(_effective_weights(class_counts, beta), dtype=z.dtype)).sum(-1)
            / t.sum(-1).clamp_min(1)
            * _bce(z, t).sum(-1)
        ),
    },
    "sigmoid_focal": {
        "alpha for the negatives": lambda z, t, gamma, alpha: _focal(z, t, gamma, 1 - alpha),
        "alpha for both, as of a softmax form": lambda z, t, gamma, alpha: alpha * _focal(z, t, gamma, None),
        "mean over classes": lambda z, t, gamma, alpha: _focal(z, t, gamma, alpha) / z.shape[1],
        "probabilities before the logarithm": lambda z, t, gamma, alpha: (
            -(
                alpha * t * (1 - z.sigmoid()) ** gamma * clamped_log(z.sigmoid())
                + (1 - alpha) * (1 - t) * z.sigmoid() ** gamma * clamped_log(1 - z.sigmoid())
            ).sum(-1)
        ),
        "no gradient through the focus": lambda z, t, gamma, alpha: (
            (alpha * t + (1 - alpha) * (1 - t)) * _bce(z, t) * (1 - (-_bce(z, t)).exp()).detach() ** gamma
        ).sum(-1),
    },
    "asymmetric": {
        "gammas change places": lambda z, t, gamma_neg, gamma_pos, margin: _asymmetric(
            z, t, gamma_pos, gamma_neg, margin
        ),
        "gamma of positives 0, as in a class of mmpretrain": lambda z, t, gamma_neg, gamma_pos, margin: _asymmetric(
            z, t, gamma_neg, 0.0, margin
        ),
        "no margin": lambda z, t, gamma_neg, gamma_pos, margin: _asymmetric(z, t, gamma_neg, gamma_pos, 0.0),
        "mean over classes": lambda z, t, gamma_neg, gamma_pos, margin: (
            _asymmetric(z, t, gamma_neg, gamma_pos, margin) / z.shape[1]
        ),
        "sum over the batch": lambda z, t, gamma_neg, gamma_pos, margin: (
            _asymmetric(z, t, gamma_neg, gamma_pos, margin).sum().expand(len(z))
        ),
        "shifted by a clamp, nan at gammas below 1": lambda z, t, gamma_neg, gamma_pos, margin: (
            -(
                t * F.logsigmoid(z) * (-gamma_pos * F.softplus(z)).exp()
                + (1 - t) * (z.sigmoid() - margin) ** gamma_neg * (1 - z.sigmoid() + margin).log()
            ).sum(-1)
        ),
        "no gradient through the focus": _unfocused_gradient,
    },
    "hill": {
        "margin for negatives too": lambda z, t, lambda_, margin, gamma: _hill(z - margin, t, lambda_, 0.0, gamma),
        "margin added": lambda z, t, lambda_, margin, gamma: _hill(z, t, lambda_, -margin, gamma),
        "one minus in place of lambda minus": lambda z, t, lambda_, margin, gamma: _hill(z, t, 1.0, margin, gamma),
        "no square": lambda z, t, lambda_, margin, gamma: (
            (t * _hill(z, torch.ones_like(z), lambda_, margin, gamma)[:, None] / z.shape[1])
            + (1 - t) * (lambda_ - z.sigmoid()) * z.sigmoid()
        ).sum(-1),
    },
    "splc": {
        "nothing is corrected": lambda z, t, epoch, tau, change_epoch, margin, gamma: _splc(
            z, t, 1, tau, change_epoch + 1, margin, gamma
        ),
        "corrected one epoch late": lambda z, t, epoch, tau, change_epoch, margin, gamma: _splc(
            z, t, epoch - 2, tau, change_epoch, margin, gamma
        ),
        "corrected labels get the margin": lambda z, t, epoch, tau, change_epoch, margin, gamma: _splc(
            z, torch.where((z.sigmoid() > tau) & (t == 0), 1.0, t), 1, 1.0, 1, margin, gamma
        ),
        "corrected labels cost nothing": lambda z, t, epoch, tau, change_epoch, margin, gamma: _splc(
            torch.where((z.sigmoid() > tau) & (t == 0), -50.0, z), t, 1, 1.0, 1, margin, gamma
        ),
    },
    "zlpr": {
        "no bound at zero": lambda z, t: sum(_ranked(z, t)),
        "pairs in place of the bound": lambda z, t: F.softplus(sum(_ranked(z, t))),
        "signs change places": lambda z, t: _zlpr(-z, t),
        "absent ones alone": lambda z, t: F.softplus(_ranked(z, t)[0]),
        "exponentials before the logarithm": _zlpr,
    },
    "lsep": {
        "no one in the logarithm": lambda z, t: sum(_ranked(z, t)),
        "each pair by itself": lambda z, t: (
            t[:, :, None] * (1 - t)[:, None, :] * F.softplus(z[:, None, :] - z[:, :, None])
        ).sum((-1, -2)),
        "present below absent": lambda z, t: _lsep(-z, t),
        "exponentials before the logarithm": _lsep,
    },
    "pairwise_hinge_ranking": {
        "sum over pairs": lambda z, t, margin: z.shape[1] * _pairwise_hinge(z, t, margin),
        "mean over pairs": lambda z, t, margin: (
            _pairwise_hinge(z, t, margin) * z.shape[1] / (t.sum(-1) * (1 - t).sum(-1)).clamp_min(1)
        ),
        "margin is ignored": lambda z, t, margin: _pairwise_hinge(z, t, 0.0),
        "nearest pair alone": lambda z, t, margin: F.relu(
            margin + z.masked_fill(t == 1, -1e9).amax(-1) - z.masked_fill(t == 0, 1e9).amin(-1)
        ),
    },
    "two_way": {
        "within images alone": _half_two_way,
        "temperatures change places": lambda z, t, temperature_pos, temperature_neg: _two_way(
            z, t, temperature_neg, temperature_pos
        ),
        "sum over images": lambda z, t, temperature_pos, temperature_neg: (
            len(z) * _two_way(z, t, temperature_pos, temperature_neg)
        ),
        "no temperature after the logarithm": lambda z, t, temperature_pos, temperature_neg: F.softplus(
            (z / temperature_neg).masked_fill(t == 1, -1e9).logsumexp(-1)
            + (-z / temperature_pos).masked_fill(t == 0, -1e9).logsumexp(-1)
        ),
    },
    "distribution_balanced": {
        "bias added": lambda z, t, class_counts, init_bias, **rest: _distribution_balanced(
            z, t, class_counts, init_bias=-init_bias, **rest
        ),
        "no division by lambda": lambda z, t, class_counts, neg_scale, **rest: (
            _distribution_balanced(z, t, class_counts, neg_scale=neg_scale, **rest)
            + (neg_scale - 1) * _distribution_balanced(z, 0 * t, class_counts, neg_scale=neg_scale, **rest)
        ),
        "lambda for positives too": lambda z, t, class_counts, neg_scale, **rest: _distribution_balanced(
            neg_scale * z, t, class_counts, neg_scale=1.0, **rest
        ),
        "weights by class alone": lambda z, t, class_counts, map_mu, **rest: _distribution_balanced(
            z, t, class_counts, map_mu=-10 * map_mu, **rest
        ),
        "sum over classes": lambda z, t, **rest: z.shape[1] * _distribution_balanced(z, t, **rest),
        "no focus": lambda z, t, class_counts, gamma, **rest: _distribution_balanced(
            z, t, class_counts, gamma=0.0, **rest
        ),
    },
}
