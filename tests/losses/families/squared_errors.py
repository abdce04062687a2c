"""Independent values and wrong versions of squared errors."""

from collections.abc import Callable

import torch.nn.functional as F

from tests.losses.families.common import Tensor

import keras  # isort: skip  # after its backend is chosen


def _root_mean_squared_error(z: Tensor, t: Tensor) -> Tensor:
    # shares whose mean is the root, written otherwise than in the package
    squares = (z.exp() / z.exp().sum(-1, keepdim=True) - t) ** 2
    root = squares.sum().div(squares.numel()).sqrt()
    return squares.sum(-1) / z.shape[1] / root


ORACLES: dict[str, Callable[..., Tensor]] = {
    "mean_squared_error": lambda z, t: keras.ops.square(t - keras.ops.softmax(z)).mean(-1),
    "brier": lambda z, t: keras.ops.square(t - keras.ops.softmax(z)).sum(-1),
    "root_mean_squared_error": _root_mean_squared_error,
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
}
