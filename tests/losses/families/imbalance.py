"""Independent values and wrong versions of losses that know the class counts."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, one_hot, true_class


def _inverse_weights(counts: Tensor, power: float) -> list[float]:
    """Weights n^-power with mean 1 over the images, summed image by image."""
    raw = [float(n) ** -power for n in counts]
    images = [raw[c] for c, n in enumerate(counts) for _ in range(int(n))]
    return [w * len(images) / sum(images) for w in raw]


def _effective_weights(counts: Tensor, beta: float) -> list[float]:
    """One over 1 + beta + beta^2 + ... (n terms), with sum K."""
    inverse = [1 / sum(beta**i for i in range(int(n))) for n in counts]
    return [len(inverse) * w / sum(inverse) for w in inverse]


def _weighted(z: Tensor, y: Tensor, weights: list[float]) -> Tensor:
    return F.cross_entropy(z, y.long(), weight=torch.tensor(weights, dtype=z.dtype), reduction="none")


def _softmax_of(z: Tensor, y: Tensor, logit: Callable[[int, int], Tensor]) -> Tensor:
    """-log of e^logit of the true class over the sum of all; logit is told example and class."""
    values = []
    for b in range(len(z)):
        powers = [logit(b, c).exp() for c in range(z.shape[1])]
        values.append(-(powers[int(y[b])] / sum(powers)).log())
    return torch.stack(values)


def _ldam(
    z: Tensor,
    y: Tensor,
    class_counts: Tensor,
    epoch: int,
    epochs: int,
    max_margin: float,
    scale: float,
    beta: float,
    reweight_from: float,
) -> Tensor:
    margins = [float(n) ** -0.25 for n in class_counts]
    margins = [max_margin * m / max(margins) for m in margins]
    value = _softmax_of(z, y, lambda b, c: scale * (z[b, c] - (margins[c] if c == int(y[b]) else 0.0)))
    if epoch > round(reweight_from * epochs):
        weights = _effective_weights(class_counts, beta)
        value = torch.stack([weights[int(y[b])] * value[b] for b in range(len(z))])
    return value


ORACLES: dict[str, Callable[..., Tensor]] = {
    "class_weighted_crossentropy": lambda z, y, class_counts, power: _weighted(
        z, y, _inverse_weights(class_counts, power)
    ),
    "class_balanced": lambda z, y, class_counts, beta: _weighted(z, y, _effective_weights(class_counts, beta)),
    "ldam": _ldam,
    "logit_adjustment": lambda z, y, class_counts, tau: _softmax_of(
        z, y, lambda b, c: z[b, c] + tau * (class_counts[c] / class_counts.sum()).log()
    ),
    "balanced_softmax": lambda z, y, class_counts: _softmax_of(z, y, lambda b, c: z[b, c] + class_counts[c].log()),
    "vs_loss": lambda z, y, class_counts, gamma, tau: _softmax_of(
        z,
        y,
        lambda b, c: (
            z[b, c] / (class_counts.max() / class_counts[c]) ** gamma
            + tau * (class_counts[c] / class_counts.sum()).log()
        ),
    ),
}


def _cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return -true_class(F.log_softmax(z, -1), y)


def _inverse(counts: Tensor) -> Tensor:
    return counts.sum() / (len(counts) * counts)


def focal_of_the_weighted_probability(z: Tensor, y: Tensor, class_counts: Tensor, power: float) -> Tensor:
    """Defect of fastai 2.8.12 and LDAM-DRW: p taken from the weighted cross-entropy, hence p^w."""
    weighted = _inverse(class_counts)[y.long()] * _cross_entropy(z, y)
    return (1 - (-weighted).exp()) ** 2 * weighted


def divided_by_the_weights_of_the_batch(z: Tensor, y: Tensor, class_counts: Tensor, power: float) -> Tensor:
    """What torch's mean does with class indices (pytorch#107680)."""
    weights = _inverse(class_counts)[y.long()]
    return weights * _cross_entropy(z, y) * len(y) / weights.sum()


def binary_cross_entropy_on_softmax(z: Tensor, y: Tensor, class_counts: Tensor, beta: float) -> Tensor:
    """Defect of vandit15/Class-balanced-loss-pytorch in its softmax mode."""
    weights = torch.tensor(_effective_weights(class_counts, beta), dtype=z.dtype)[y.long()]
    rows = one_hot(y, z.shape[1]).to(z.dtype)
    return weights * F.binary_cross_entropy(F.softmax(z, -1), rows, reduction="none").mean(-1)


def _margins(z: Tensor, y: Tensor, margins: Tensor) -> Tensor:
    return z - margins[y.long()][:, None] * one_hot(y, z.shape[1]).to(z.dtype)


def _quarter_roots(counts: Tensor, max_margin: float) -> Tensor:
    return max_margin * (counts / counts.min()) ** -0.25


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "class_weighted_crossentropy": {
        "focal with p from the weighted cross-entropy": focal_of_the_weighted_probability,
        "divided by the weights of the batch": divided_by_the_weights_of_the_batch,
        "weights that grow with the class": lambda z, y, class_counts, power: (
            (len(class_counts) * class_counts / class_counts.sum())[y.long()] * _cross_entropy(z, y)
        ),
        "weights with sum K": lambda z, y, class_counts, power: (
            (w := _inverse(class_counts))[y.long()] / w.mean() * _cross_entropy(z, y)
        ),
        "weights inside the softmax": lambda z, y, class_counts, power: _cross_entropy(
            z * _inverse(class_counts)[None, :], y
        ),
    },
    "class_balanced": {
        "binary cross-entropy on the softmax": binary_cross_entropy_on_softmax,
        "weights not scaled": lambda z, y, class_counts, beta: (
            ((1 - beta) / (1 - beta**class_counts))[y.long()] * _cross_entropy(z, y)
        ),
        "weights with mean 1 over images": lambda z, y, class_counts, beta: (
            (w := 1 / (1 - beta**class_counts))[y.long()]
            * class_counts.sum()
            / (w * class_counts).sum()
            * _cross_entropy(z, y)
        ),
        "one over the number of images": lambda z, y, class_counts, beta: (
            (w := 1 / class_counts)[y.long()] * len(w) / w.sum() * _cross_entropy(z, y)
        ),
    },
    "ldam": {
        "no margin": lambda z, y, class_counts, scale, **rest: _cross_entropy(scale * z, y),
        "margin added": lambda z, y, class_counts, max_margin, scale, **rest: _cross_entropy(
            scale * _margins(z, y, -_quarter_roots(class_counts, max_margin)), y
        ),
        "largest margin for the largest class": lambda z, y, class_counts, max_margin, scale, **rest: _cross_entropy(
            scale * _margins(z, y, max_margin * (class_counts / class_counts.max()) ** 0.25), y
        ),
        "margin of the square root": lambda z, y, class_counts, max_margin, scale, **rest: _cross_entropy(
            scale * _margins(z, y, max_margin * (class_counts / class_counts.min()) ** -0.5), y
        ),
        "margin after the scale": lambda z, y, class_counts, max_margin, scale, **rest: _cross_entropy(
            _margins(scale * z, y, _quarter_roots(class_counts, max_margin)), y
        ),
        "weights from the first epoch": lambda z, y, class_counts, epoch, epochs, **rest: _ldam(
            z, y, class_counts, epoch, epochs, **(rest | {"reweight_from": 0.0})
        ),
    },
    "logit_adjustment": {
        "subtracted": lambda z, y, class_counts, tau: _cross_entropy(z - tau * class_counts.log(), y),
        "share in place of its logarithm": lambda z, y, class_counts, tau: _cross_entropy(
            z + tau * class_counts / class_counts.sum(), y
        ),
        "tau is ignored": lambda z, y, class_counts, tau: _cross_entropy(z + class_counts.log(), y),
        "true class only": lambda z, y, class_counts, tau: _cross_entropy(
            _margins(z, y, -tau * (class_counts / class_counts.sum()).log()), y
        ),
    },
    "balanced_softmax": {
        "counts not in a logarithm": lambda z, y, class_counts: _cross_entropy(z + class_counts, y),
        "subtracted": lambda z, y, class_counts: _cross_entropy(z - class_counts.log(), y),
        "weights in place of offsets": lambda z, y, class_counts: (
            _inverse(class_counts)[y.long()] * _cross_entropy(z, y)
        ),
    },
    "vs_loss": {
        "gamma is ignored": lambda z, y, class_counts, gamma, tau: _cross_entropy(z + tau * class_counts.log(), y),
        "divided in place of multiplied": lambda z, y, class_counts, gamma, tau: _cross_entropy(
            z * (class_counts.max() / class_counts) ** gamma + tau * class_counts.log(), y
        ),
        "share of all in place of share of the largest": lambda z, y, class_counts, gamma, tau: _cross_entropy(
            z * (class_counts / class_counts.sum()) ** gamma + tau * class_counts.log(), y
        ),
        "offset inside the factor": lambda z, y, class_counts, gamma, tau: _cross_entropy(
            (z + tau * class_counts.log()) * (class_counts / class_counts.max()) ** gamma, y
        ),
    },
}
