"""Independent values and wrong versions of losses for wrong labels."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, clamped_log, one_hot, true_class

import keras  # isort: skip  # after its backend is chosen

Rows = list[list[float]] | None


def _p(z: Tensor) -> Tensor:
    return z.exp() / z.exp().sum(-1, keepdim=True)


def _by_example(z: Tensor, y: Tensor, value: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Value of (probabilities of one example, its label), example by example."""
    return torch.stack([value(p, int(label)) for p, label in zip(_p(z), y, strict=True)])


def _rce(z: Tensor, y: Tensor, log_zero: float) -> Tensor:
    rows = one_hot(y, z.shape[1]).clamp_min(np.exp(log_zero))
    return -(_p(z) * rows.log()).sum(-1)


def _gce(z: Tensor, y: Tensor, q: float) -> Tensor:
    if q == 0:
        return _by_example(z, y, lambda p, label: -p[label].log())
    return keras.losses.categorical_generalized_cross_entropy(y, keras.ops.softmax(z), q)


def _normalized(z: Tensor, y: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    return _by_example(z, y, lambda p, label: of(p[label]) / sum(of(p[c]) for c in range(len(p))))


def _nce(z: Tensor, y: Tensor) -> Tensor:
    return _normalized(z, y, lambda p: -p.log())


def _nfl(z: Tensor, y: Tensor, gamma: float) -> Tensor:
    return _normalized(z, y, lambda p: -((1 - p) ** gamma) * p.log())


def _mae(z: Tensor, y: Tensor) -> Tensor:
    return keras.ops.abs(keras.ops.softmax(z) - one_hot(y, z.shape[1])).sum(-1)


def _transition(noise_rate: float, transition: Rows, num_classes: int) -> list[list[float]]:
    """The chance that row is labelled column."""
    if transition is not None:
        return transition
    wrong = noise_rate / (num_classes - 1)
    return [[1 - noise_rate if i == j else wrong for j in range(num_classes)] for i in range(num_classes)]


def _forward(z: Tensor, y: Tensor, noise_rate: float, transition: Rows) -> Tensor:
    chance = _transition(noise_rate, transition, z.shape[1])
    return _by_example(
        z, y, lambda p, label: -torch.stack([p[i] * chance[i][label] for i in range(len(p))]).sum().log()
    )


def _backward(z: Tensor, y: Tensor, noise_rate: float, transition: Rows) -> Tensor:
    classes = z.shape[1]
    if transition is None:  # (K - 1) I - noise_rate J, over K - 1 - K noise_rate
        below = classes - 1 - classes * noise_rate
        inverse = [[((classes - 1) * (i == j) - noise_rate) / below for j in range(classes)] for i in range(classes)]
    else:
        inverse = np.linalg.inv(np.array(transition)).tolist()
    return _by_example(z, y, lambda p, label: -sum(inverse[label][j] * p[j].log() for j in range(classes)))


def _mixed(number: int) -> int:
    number = ((number >> 16) ^ number) * 0x45D9F3B % 2**32
    number = ((number >> 16) ^ number) * 0x45D9F3B % 2**32
    return (number >> 16) ^ number


def complementary(label: int, row: int, epoch: int, num_classes: int) -> int:
    """The class that is denied."""
    others = [(label + step) % num_classes for step in range(1, num_classes)]
    return others[_mixed((_mixed(row % 2**32) + epoch) % 2**32) * len(others) // 2**32]


def _negative(z: Tensor, y: Tensor, rows: Tensor, epoch: int) -> Tensor:
    denied = [complementary(int(label), int(row), epoch, z.shape[1]) for label, row in zip(y, rows, strict=True)]
    return _by_example(z, torch.tensor(denied), lambda p, label: -(1 - p[label]).log())


ORACLES: dict[str, Callable[..., Tensor]] = {
    "mean_absolute_error_probability": _mae,
    "generalized_cross_entropy": _gce,
    "reverse_cross_entropy": _rce,
    "symmetric_cross_entropy": lambda z, y, alpha, beta, log_zero: (
        alpha * keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True) + beta * _rce(z, y, log_zero)
    ),
    "normalized_cross_entropy": _nce,
    "normalized_focal": _nfl,
    "normalized_generalized_cross_entropy": lambda z, y, q: (
        _normalized(z, y, lambda p: 1 - p**q) if q > 0 else _nce(z, y)
    ),
    "nce_and_rce": lambda z, y, alpha, beta, log_zero: alpha * _nce(z, y) + beta * _rce(z, y, log_zero),
    "nce_and_mae": lambda z, y, alpha, beta: alpha * _nce(z, y) + beta * _mae(z, y),
    "nfl_and_rce": lambda z, y, alpha, beta, gamma, log_zero: alpha * _nfl(z, y, gamma) + beta * _rce(z, y, log_zero),
    "nfl_and_mae": lambda z, y, alpha, beta, gamma: alpha * _nfl(z, y, gamma) + beta * _mae(z, y),
    "bootstrap_soft": lambda z, y, beta: _by_example(
        z,
        y,
        lambda p, label: -sum((beta * (c == label) + (1 - beta) * p[c]) * p[c].log() for c in range(len(p))),
    ),
    "bootstrap_hard": lambda z, y, beta: _by_example(
        z, y, lambda p, label: -beta * p[label].log() - (1 - beta) * max(p).log()
    ),
    "forward_correction": _forward,
    "backward_correction": _backward,
    "negative_learning": _negative,
}


def _log_p(z: Tensor, y: Tensor) -> Tensor:
    return true_class(F.log_softmax(z, -1), y)


def _p_true(z: Tensor, y: Tensor) -> Tensor:
    return true_class(F.softmax(z, -1), y)


def _nce_quickly(z: Tensor, y: Tensor) -> Tensor:
    return _log_p(z, y) / F.log_softmax(z, -1).sum(-1)


def focal_normalized_without_care(z: Tensor, y: Tensor, gamma: float, *, detached: bool = False) -> Tensor:
    log_p = F.log_softmax(z, -1)
    p = log_p.exp()
    losses = -((1 - (p.detach() if detached else p)) ** gamma) * log_p
    return true_class(losses, y) / losses.sum(-1)


def _rce_quickly(z: Tensor, y: Tensor, log_zero: float) -> Tensor:
    return -log_zero * (1 - _p_true(z, y))


def _symmetric(noise_rate: float, num_classes: int, dtype: torch.dtype) -> Tensor:
    wrong = noise_rate / (num_classes - 1)
    return torch.eye(num_classes, dtype=dtype) * (1 - noise_rate - wrong) + wrong


def one_over_four_times(z: Tensor, y: Tensor, q: float) -> Tensor:
    """Defect of Active-Passive-Losses: 1 / 4 * (K - 1) where 1 / (4 (K - 1)) is meant; here with A = -4."""
    return 1 / 4 * (z.shape[1] - 1) * 4 * (1 - _p_true(z, y))


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "mean_absolute_error_probability": {
        "half of it": lambda z, y: 1 - _p_true(z, y),
        "mean over classes": lambda z, y: (F.softmax(z, -1) - one_hot(y, z.shape[1])).abs().mean(-1),
        "sigmoid in place of softmax": lambda z, y: 2 * (1 - true_class(z.sigmoid(), y)),
    },
    "generalized_cross_entropy": {
        "not divided by q": lambda z, y, q: 1 - _p_true(z, y) ** q,
        "keras's default": lambda z, y, q: (1 - _p_true(z, y) ** 0.5) / 0.5,
        "clamped probabilities and q = 0 left out": lambda z, y, q: (
            (1 - _p_true(z, y).clamp_min(1e-7) ** q) / max(q, 0.1)
        ),
    },
    "reverse_cross_entropy": {
        "A is fixed at -4": lambda z, y, log_zero: 4 * (1 - _p_true(z, y)),
        "cross-entropy after all": lambda z, y, log_zero: -_log_p(z, y),
        "wrong sign": lambda z, y, log_zero: log_zero * (1 - _p_true(z, y)),
    },
    "symmetric_cross_entropy": {
        "alpha and beta are ignored": lambda z, y, alpha, beta, log_zero: -_log_p(z, y) + _rce_quickly(z, y, log_zero),
        "alpha and beta exchanged": lambda z, y, alpha, beta, log_zero: (
            -beta * _log_p(z, y) + alpha * _rce_quickly(z, y, log_zero)
        ),
        "reverse part without a gradient": lambda z, y, alpha, beta, log_zero: (
            -alpha * _log_p(z, y) + beta * _rce_quickly(z, y, log_zero).detach()
        ),
    },
    "normalized_cross_entropy": {
        "normaliser without a gradient": lambda z, y: _log_p(z, y) / F.log_softmax(z, -1).sum(-1).detach(),
        "mean in the normaliser": lambda z, y: _log_p(z, y) / F.log_softmax(z, -1).mean(-1),
        "clamped logarithms": lambda z, y: true_class(log_p := (F.softmax(z, -1) + 1e-4).log(), y) / log_p.sum(-1),
    },
    "normalized_focal": {
        "focusing without a gradient": lambda z, y, gamma: focal_normalized_without_care(z, y, gamma, detached=True),
        "no focusing": lambda z, y, gamma: _nce_quickly(z, y),
        "normaliser of cross-entropy": lambda z, y, gamma: (
            -((1 - _p_true(z, y)) ** gamma) * _log_p(z, y) / -F.log_softmax(z, -1).sum(-1)
        ),
    },
    "normalized_generalized_cross_entropy": {
        "1 / 4 * (K - 1) as in NormalizedReverseCrossEntropy": one_over_four_times,
        "K left out of the normaliser": lambda z, y, q: (1 - _p_true(z, y) ** q) / (F.softmax(z, -1) ** q).sum(-1),
        "q is ignored": lambda z, y, q: (1 - _p_true(z, y)) / (z.shape[1] - 1),
    },
    "nce_and_rce": {
        "alpha and beta are ignored, as in GCEandNCE": lambda z, y, alpha, beta, log_zero: (
            _nce_quickly(z, y) + _rce_quickly(z, y, log_zero)
        ),
        "passive part not counted": lambda z, y, alpha, beta, log_zero: alpha * _nce_quickly(z, y),
        "cross-entropy not normalised": lambda z, y, alpha, beta, log_zero: (
            -alpha * _log_p(z, y) + beta * _rce_quickly(z, y, log_zero)
        ),
    },
    "nce_and_mae": {
        "alpha and beta are ignored, as in GCEandNCE": lambda z, y, alpha, beta: (
            _nce_quickly(z, y) + 2 * (1 - _p_true(z, y))
        ),
        "half the absolute error": lambda z, y, alpha, beta: alpha * _nce_quickly(z, y) + beta * (1 - _p_true(z, y)),
    },
    "nfl_and_rce": {
        "alpha and beta are ignored, as in GCEandNCE": lambda z, y, alpha, beta, gamma, log_zero: (
            focal_normalized_without_care(z, y, gamma) + _rce_quickly(z, y, log_zero)
        ),
        "no focusing": lambda z, y, alpha, beta, gamma, log_zero: (
            alpha * _nce_quickly(z, y) + beta * _rce_quickly(z, y, log_zero)
        ),
    },
    "nfl_and_mae": {
        "alpha and beta are ignored, as in GCEandNCE": lambda z, y, alpha, beta, gamma: (
            focal_normalized_without_care(z, y, gamma) + 2 * (1 - _p_true(z, y))
        ),
        "half the absolute error": lambda z, y, alpha, beta, gamma: (
            alpha * focal_normalized_without_care(z, y, gamma) + beta * (1 - _p_true(z, y))
        ),
        "focusing without a gradient": lambda z, y, alpha, beta, gamma: (
            alpha * focal_normalized_without_care(z, y, gamma, detached=True) + 2 * beta * (1 - _p_true(z, y))
        ),
    },
    "bootstrap_soft": {
        "target without a gradient": lambda z, y, beta: (
            -beta * _log_p(z, y) - (1 - beta) * (F.softmax(z, -1).detach() * F.log_softmax(z, -1)).sum(-1)
        ),
        "entropy rewarded": lambda z, y, beta: (
            -beta * _log_p(z, y) + (1 - beta) * (F.softmax(z, -1) * F.log_softmax(z, -1)).sum(-1)
        ),
        "probabilities before the logarithm": lambda z, y, beta: (
            -((beta * one_hot(y, z.shape[1]) + (1 - beta) * F.softmax(z, -1)) * clamped_log(F.softmax(z, -1))).sum(-1)
        ),
    },
    "bootstrap_hard": {
        "likeliest class of the batch": lambda z, y, beta: (
            -beta * _log_p(z, y) - (1 - beta) * F.log_softmax(z, -1)[:, F.log_softmax(z, -1).sum(0).argmax()]
        ),
        "likeliest class without a gradient": lambda z, y, beta: (
            -beta * _log_p(z, y) - (1 - beta) * F.log_softmax(z, -1).amax(-1).detach()
        ),
        "beta on the other part": lambda z, y, beta: -(1 - beta) * _log_p(z, y) - beta * F.log_softmax(z, -1).amax(-1),
    },
    "forward_correction": {
        "noise within the true class as well": lambda z, y, noise_rate, transition: (
            -((1 - noise_rate) * _p_true(z, y) + noise_rate / z.shape[1]).log()
        ),
        "logarithms mixed in place of probabilities": lambda z, y, noise_rate, transition: (
            -true_class(F.log_softmax(z, -1) @ _symmetric(noise_rate, z.shape[1], z.dtype), y)
        ),
        "no correction": lambda z, y, noise_rate, transition: -_log_p(z, y),
    },
    "backward_correction": {
        "matrix not inverted": lambda z, y, noise_rate, transition: (
            -true_class(F.log_softmax(z, -1) @ _symmetric(noise_rate, z.shape[1], z.dtype), y)
        ),
        "probabilities in place of their logarithms": lambda z, y, noise_rate, transition: (
            -true_class(F.softmax(z, -1) @ _symmetric(noise_rate, z.shape[1], z.dtype).inverse(), y)
        ),
        "clamped at 0": lambda z, y, noise_rate, transition: (
            -true_class(F.log_softmax(z, -1) @ _symmetric(noise_rate, z.shape[1], z.dtype).inverse(), y).clamp_max(0)
        ),
    },
    "negative_learning": {
        "drawn by the place in the batch": lambda z, y, rows, epoch: _negative(z, y, torch.arange(len(y)), epoch),
        "the label itself may be drawn": lambda z, y, rows, epoch: (
            -(1 - true_class(F.softmax(z, -1), (rows + epoch) % z.shape[1])).log()
        ),
        "the denied class is raised": lambda z, y, rows, epoch: -(1 - (-_negative(z, y, rows, epoch)).exp()).log(),
    },
}
