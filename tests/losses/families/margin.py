"""Independent values and wrong versions of losses on cosines, and of the centre loss."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, one_hot, true_class

import keras  # isort: skip  # after its backend is chosen


def _cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return -true_class(F.log_softmax(z, -1), y)


def _replaced(z: Tensor, y: Tensor, true: Tensor) -> Tensor:
    """Scores with other ones for the true classes, [B]."""
    rows = one_hot(y, z.shape[1]).to(z.dtype)
    return z * (1 - rows) + true[:, None] * rows


def _cosface(z: Tensor, y: Tensor, margin: float, scale: float) -> Tensor:
    rows = one_hot(y, z.shape[1])
    return -(rows * keras.ops.log_softmax(scale * (z - margin * rows))).sum(-1)


def _arcface(z: Tensor, y: Tensor, margin_radians: float, scale: float) -> Tensor:
    values = []
    for cosines, label in zip(z, y, strict=True):
        angles = torch.acos(cosines)
        true = angles[int(label)]
        if true.item() < math.pi - margin_radians:
            wider = torch.cos(true + margin_radians)
        else:
            wider = torch.cos(true) - 2 * math.sin(margin_radians / 2) ** 2
        others = [scale * torch.cos(angle) for c, angle in enumerate(angles) if c != int(label)]
        values.append(sum((other - scale * wider).exp() for other in others).log1p())
    return torch.stack(values)


def _center(z: Tensor, y: Tensor, features: Tensor, centres: Tensor, centre_weight: float) -> Tensor:
    values = []
    for b, label in enumerate(y.tolist()):
        squares = F.mse_loss(features[b], centres[label], reduction="sum")
        values.append(F.cross_entropy(z[b : b + 1], y[b : b + 1].long()) + centre_weight * squares / 2)
    return torch.stack(values)


ORACLES: dict[str, Callable[..., Tensor]] = {
    "normalized_softmax": lambda z, y, temperature: F.cross_entropy(z / temperature, y.long(), reduction="none"),
    "cosface": _cosface,
    "arcface": _arcface,
    "subcenter_arcface": _arcface,
    "center_loss": _center,
}


def step_beyond(z: Tensor, y: Tensor, margin_radians: float, scale: float) -> Tensor:
    """As pytorch-metric-learning 2.9.0: cos(theta) - m sin(m) where the wider angle would pass pi."""
    true = true_class(z, y)
    angle = torch.acos(true)
    lower = true - margin_radians * math.sin(margin_radians)
    wider = torch.where(angle <= math.pi - margin_radians, torch.cos(angle + margin_radians), lower)
    return _cross_entropy(scale * _replaced(z, y, wider), y)


def rises_beyond(z: Tensor, y: Tensor, margin_radians: float, scale: float) -> Tensor:
    """As the formula has it: the wider angle passes pi, and its cosine rises again."""
    return _cross_entropy(scale * _replaced(z, y, torch.cos(torch.acos(true_class(z, y)) + margin_radians)), y)


_ARCFACE: dict[str, Callable[..., Tensor]] = {
    "degrees in place of radians": lambda z, y, margin_radians, scale: _arcface(
        z, y, math.radians(margin_radians), scale
    ),
    "margin taken from the angle": lambda z, y, margin_radians, scale: _cross_entropy(
        scale * _replaced(z, y, torch.cos(torch.acos(true_class(z, y)) - margin_radians)), y
    ),
    "margin of the cosine": lambda z, y, margin_radians, scale: _cosface(z, y, margin_radians, scale),
    "angle from acos, slope infinite at 1": lambda z, y, margin_radians, scale: _cross_entropy(
        scale * _replaced(z, y, torch.cos(torch.acos(true_class(z, y).clamp(-1, 1)) + margin_radians)), y
    ),
    "margin for all classes": lambda z, y, margin_radians, scale: _cross_entropy(
        scale * torch.cos(torch.acos(z) + margin_radians), y
    ),
    "no scale": lambda z, y, margin_radians, scale: _arcface(z, y, margin_radians, 1.0),
}

MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "normalized_softmax": {
        "multiplied by the temperature": lambda z, y, temperature: _cross_entropy(z * temperature, y),
        "no temperature": lambda z, y, temperature: _cross_entropy(z, y),
        "cosines normalised once more": lambda z, y, temperature: _cross_entropy(
            F.normalize(z, dim=-1) / temperature, y
        ),
    },
    "cosface": {
        "no margin": lambda z, y, margin, scale: _cross_entropy(scale * z, y),
        "margin added": lambda z, y, margin, scale: _cosface(z, y, -margin, scale),
        "margin after the scale": lambda z, y, margin, scale: _cosface(z, y, margin / scale, scale),
        "margin for all classes": lambda z, y, margin, scale: _cross_entropy(scale * (z - margin), y),
        "margin of the angle": lambda z, y, margin, scale: _arcface(z, y, margin, scale),
    },
    "arcface": _ARCFACE,
    "subcenter_arcface": _ARCFACE,
    "center_loss": {
        "no half": lambda z, y, features, centres, centre_weight: _center(z, y, features, centres, 2 * centre_weight),
        "distance without a square": lambda z, y, features, centres, centre_weight: (
            _cross_entropy(z, y) + centre_weight / 2 * (features - centres[y.long()]).norm(dim=-1).to(z.dtype)
        ),
        "mean over features": lambda z, y, features, centres, centre_weight: _center(
            z, y, features, centres, centre_weight / features.shape[1]
        ),
        "centres of other classes": lambda z, y, features, centres, centre_weight: _center(
            z, y, features, centres.flip(0), centre_weight
        ),
        "divided by the batch": lambda z, y, features, centres, centre_weight: _center(
            z, y, features, centres, centre_weight / len(z)
        ),
        "no cross-entropy": lambda z, y, features, centres, centre_weight: (
            0 * z.sum(-1) + centre_weight / 2 * (features - centres[y.long()]).square().sum(-1).to(z.dtype)
        ),
    },
}
