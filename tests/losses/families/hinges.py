"""Independent values and wrong versions of hinges and of the losses of sparse probabilities."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import brentq

from tests.losses.families.common import Tensor, one_hot, true_class

import keras  # isort: skip  # after its backend is chosen


def _largest(row: Tensor, classes: list[int]) -> Tensor:
    best = classes[0]
    for c in classes[1:]:
        best = c if float(row[c].detach()) > float(row[best].detach()) else best
    return row[best]


def _by_example(z: Tensor, y: Tensor, value: Callable[[Tensor, int, list[int]], Tensor]) -> Tensor:
    """Value of (scores of one example, its label, the other classes), example by example."""
    return torch.stack(
        [value(row, int(b), [c for c in range(len(row)) if c != int(b)]) for row, b in zip(z, y, strict=True)]
    )


def _hinge(row: Tensor, label: int, others: list[int], margin: float) -> Tensor:
    short = margin + _largest(row, others) - row[label]
    return short if float(short.detach()) > 0 else short * 0


def best_probabilities(scores: list[float], alpha: float) -> list[float]:
    """The q with the largest <q, z> + Tsallis entropy of q: [(alpha - 1) z - tau]_+ to the power 1 / (alpha - 1)."""
    scaled = [(alpha - 1) * (z - max(scores)) for z in scores]

    def powers(tau: float) -> list[float]:
        return [max(s - tau, 0.0) ** (1 / (alpha - 1)) for s in scaled]

    tau = brentq(lambda t: sum(powers(t)) - 1, -1.0, 0.0, xtol=1e-16, rtol=1e-15)
    return powers(tau)


def _fenchel_young(z: Tensor, y: Tensor, alpha: float) -> Tensor:
    """Value at the best probabilities, which are held fixed: their own change does not count (Danskin)."""
    if alpha == 1:
        return keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True)
    q = torch.tensor([best_probabilities(row, alpha) for row in z.tolist()], dtype=z.dtype)
    negentropy = ((q**alpha).sum(-1) - 1) / (alpha * (alpha - 1))
    return (q * z).sum(-1) - negentropy - true_class(z, y)


ORACLES: dict[str, Callable[..., Tensor]] = {
    "crammer_singer": lambda z, y, margin: _by_example(
        z, y, lambda row, label, others: _hinge(row, label, others, margin)
    ),
    "categorical_hinge": lambda z, y: _by_example(
        z, y, lambda row, label, others: _hinge(torch.cat([row, 0 * row[:1]]), label, [*others, len(row)], 1.0)
    ),
    "multi_margin": lambda z, y, margin, p: F.multi_margin_loss(z, y.long(), p=p, margin=margin, reduction="none"),
    "perceptron": lambda z, y: _by_example(
        z, y, lambda row, label, others: _largest(row, [*others, label]) - row[label]
    ),
    "sparsemax": lambda z, y: _fenchel_young(z, y, 2.0),
    "entmax15": lambda z, y: _fenchel_young(z, y, 1.5),
    "fenchel_young": _fenchel_young,
}


def _others(z: Tensor, y: Tensor) -> Tensor:
    return z.masked_fill(one_hot(y, z.shape[1]).bool(), -torch.inf)


def masked_by_zero(z: Tensor, y: Tensor, margin: float) -> Tensor:
    """The true class left in as a zero, as in keras."""
    return (margin + ((1 - one_hot(y, z.shape[1])) * z).amax(-1) - true_class(z, y)).relu()


def _projected(z: Tensor) -> Tensor:
    """Sparsemax by taking out one negative class after the other (Michelot 1986)."""
    inside = torch.ones_like(z, dtype=torch.bool)
    for _ in range(z.shape[1]):
        tau = ((z * inside).sum(-1, keepdim=True) - 1) / inside.sum(-1, keepdim=True)
        inside = inside & (z > tau)
    return (z - tau) * inside


def _rooted(z: Tensor) -> Tensor:
    return torch.tensor(np.array([best_probabilities(row, 1.5) for row in z.tolist()]), dtype=z.dtype)


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "crammer_singer": {
        "the true class counts as a zero, as in keras": masked_by_zero,
        "the true class among the others": lambda z, y, margin: margin + z.amax(-1) - true_class(z, y),
        "all other classes": lambda z, y, margin: (margin + _others(z, y) - true_class(z, y)[:, None]).relu().sum(-1),
        "squared": lambda z, y, margin: (margin + _others(z, y).amax(-1) - true_class(z, y)).relu().square(),
        "margin is ignored": lambda z, y, margin: (_others(z, y).amax(-1) - true_class(z, y)).relu(),
    },
    "categorical_hinge": {
        "no zero, as Crammer and Singer": lambda z, y: (1 + _others(z, y).amax(-1) - true_class(z, y)).relu(),
        "on probabilities": lambda z, y: keras.losses.categorical_hinge(one_hot(y, z.shape[1]), z.softmax(-1)),
        "never below 1": lambda z, y: 1 + (_others(z, y).amax(-1).relu() - true_class(z, y)).relu(),
    },
    "multi_margin": {
        "divided by K - 1": lambda z, y, margin, p: (
            F.multi_margin_loss(z, y.long(), p=p, margin=margin, reduction="none") * z.shape[1] / (z.shape[1] - 1)
        ),
        "sum": lambda z, y, margin, p: (margin + _others(z, y) - true_class(z, y)[:, None]).relu().pow(p).sum(-1),
        "the true class's own margin counts": lambda z, y, margin, p: (
            (margin + z - true_class(z, y)[:, None]).relu().pow(p).mean(-1)
        ),
        "always squared": lambda z, y, margin, p: F.multi_margin_loss(
            z, y.long(), p=2, margin=margin, reduction="none"
        ),
    },
    "perceptron": {
        "with a margin": lambda z, y: (1 + _others(z, y).amax(-1) - true_class(z, y)).relu(),
        "only counts errors": lambda z, y: (z.amax(-1) > true_class(z, y)) * (1 + 0 * z.sum(-1)),
        "below 0 where right": lambda z, y: _others(z, y).amax(-1) - true_class(z, y),
    },
    "sparsemax": {
        "squared error of the projection": lambda z, y: 0.5 * (_projected(z) - one_hot(y, z.shape[1])).square().sum(-1),
        "logarithm of the projection": lambda z, y: -(true_class(_projected(z), y) + 1e-7).log(),
        "the half left out": lambda z, y: (
            -true_class(z, y) + (_projected(z) * z).sum(-1) - 0.5 * _projected(z).square().sum(-1)
        ),
        "projection without its own part of the gradient, half counted": lambda z, y: (
            0.5 + (_projected(z).detach() * z).sum(-1) - _projected(z).square().sum(-1) / 2 - true_class(z, y)
        ),
    },
    "entmax15": {
        "scores not halved": lambda z, y: _fenchel_young(2 * z, y, 1.5),
        "sparsemax": lambda z, y: _fenchel_young(z, y, 2.0),
        "half of the entropy": lambda z, y: (
            (_rooted(z) * z).sum(-1) - 2 / 3 * ((_rooted(z) ** 1.5).sum(-1) - 1) - true_class(z, y)
        ),
    },
    "fenchel_young": {
        "alpha is ignored": lambda z, y, alpha: _fenchel_young(z, y, 2.0),
        "entropy not divided by alpha": lambda z, y, alpha: (
            ((q := _rooted(z)) * z).sum(-1) - ((q**alpha).sum(-1) - 1) / (alpha - 1) - true_class(z, y)
        ),
        "mean over the batch": lambda z, y, alpha: _fenchel_young(z, y, alpha).mean().expand(len(z)),
        "cross-entropy": lambda z, y, alpha: -true_class(F.log_softmax(z, -1), y),
    },
}
