"""Independent values and wrong versions of squared errors."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, one_hot

import keras  # isort: skip  # after its backend is chosen


def _root_mean_squared_error(z: Tensor, t: Tensor) -> Tensor:
    # shares whose mean is the root, written otherwise than in the package
    squares = (z.exp() / z.exp().sum(-1, keepdim=True) - t) ** 2
    root = squares.sum().div(squares.numel()).sqrt()
    return squares.sum(-1) / z.shape[1] / root


def _squares(z: Tensor, y: Tensor, kappa: float, m: float, loss_scale: float = 1.0) -> Tensor:
    """Squared differences to M times the one-hot row, in loops."""
    wanted = m * one_hot(y, z.shape[1])
    values = []
    for b in range(len(z)):
        parts = [(kappa if c == int(y[b]) else 1.0) * (z[b, c] - wanted[b, c]) ** 2 for c in range(z.shape[1])]
        values.append(loss_scale * sum(parts))
    return torch.stack(values)  # type: ignore[arg-type]


def kappa_where_the_row_is_one(z: Tensor, y: Tensor, kappa: float, m: float, loss_scale: float = 1.0) -> Tensor:
    """Defect of a copy: where the row is 1 is asked after M went into it, so kappa is lost for every M but 1."""
    wanted = m * one_hot(y, z.shape[1])
    return loss_scale * (torch.where(wanted == 1, kappa, 1.0) * (z - wanted).square()).sum(-1)


ORACLES: dict[str, Callable[..., Tensor]] = {
    "mean_squared_error": lambda z, t: keras.ops.square(t - keras.ops.softmax(z)).mean(-1),
    "brier": lambda z, t: keras.ops.square(t - keras.ops.softmax(z)).sum(-1),
    "root_mean_squared_error": _root_mean_squared_error,
    "squared_error_on_logits": _squares,
    "squared_error_kornblith": _squares,
    "spherical_score": lambda z, y: 1 - F.cosine_similarity(F.softmax(z, -1), one_hot(y, z.shape[1])),
}

MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "mean_squared_error": {
        "on the scores": lambda z, t: (z - t).square().mean(-1),
        "sum over classes": lambda z, t: (F.softmax(z, -1) - t).square().sum(-1),
        "sigmoid in place of softmax": lambda z, t: (z.sigmoid() - t).square().mean(-1),
    },
    "brier": {
        "mean over classes": lambda z, t: (F.softmax(z, -1) - t).square().mean(-1),
        "true class only": lambda z, t: (t * (F.softmax(z, -1) - t).square()).sum(-1),
    },
    "root_mean_squared_error": {
        "root of each example": lambda z, t: (F.softmax(z, -1) - t).square().mean(-1).sqrt(),
        "no root": lambda z, t: (F.softmax(z, -1) - t).square().mean(-1),
        "root without a gradient": lambda z, t: (
            (m := (F.softmax(z, -1) - t).square().mean(-1)) / m.detach().mean().clamp_min(1e-30).sqrt()
        ),
    },
    "squared_error_on_logits": {
        "on softmax probabilities": lambda z, y, kappa, m: _squares(F.softmax(z, -1), y, kappa, m),
        "mean over classes": lambda z, y, kappa, m: _squares(z, y, kappa, m) / z.shape[1],
        "true class weighs as the others": lambda z, y, kappa, m: _squares(z, y, 1.0, m + kappa - 1),
        "true class alone": lambda z, y, kappa, m: kappa * (z.gather(-1, y[:, None].long()).squeeze(-1) - m).square(),
        "true class counts among the others too": lambda z, y, kappa, m: (
            kappa * (z.gather(-1, y[:, None].long()).squeeze(-1) - m).square() + z.square().sum(-1)
        ),
    },
    "squared_error_kornblith": {
        "no scale": lambda z, y, kappa, m, loss_scale: _squares(z, y, kappa, m),
        "kappa where the row is one": kappa_where_the_row_is_one,
        "kappa inside the square": lambda z, y, kappa, m, loss_scale: _squares(z, y, kappa**2, m, loss_scale),
        "values of Hui and Belkin": lambda z, y, kappa, m, loss_scale: _squares(z, y, 1.0, 1.0),
    },
    "spherical_score": {
        "the score itself": lambda z, y: F.cosine_similarity(F.softmax(z, -1), one_hot(y, z.shape[1])),
        "norm of order one": lambda z, y: 1 - F.softmax(z, -1).gather(-1, y[:, None].long()).squeeze(-1),
        "norm not under a root": lambda z, y: (
            1 - F.softmax(z, -1).gather(-1, y[:, None].long()).squeeze(-1) / F.softmax(z, -1).square().sum(-1)
        ),
        "cosine of the scores": lambda z, y: 1 - F.cosine_similarity(z, one_hot(y, z.shape[1])),
    },
}
