"""Independent values and wrong versions of cross-entropy and focal loss."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, clamped_log, one_hot, true_class

import keras  # isort: skip  # after its backend is chosen

ORACLES: dict[str, Callable[..., Tensor]] = {
    "categorical_crossentropy": lambda z, t: keras.losses.categorical_crossentropy(t, z, from_logits=True),
    "sparse_categorical_crossentropy": lambda z, y: keras.losses.sparse_categorical_crossentropy(
        y, z, from_logits=True
    ),
    "focal": lambda z, y, gamma: keras.losses.categorical_focal_crossentropy(
        one_hot(y, z.shape[1]), torch.softmax(z, -1), alpha=1.0, gamma=gamma
    ),
}

MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "categorical_crossentropy": {
        "probabilities before the logarithm": lambda z, t: -(t * clamped_log(F.softmax(z, -1))).sum(-1),
        "mean over classes": lambda z, t: -(t * F.log_softmax(z, -1)).mean(-1),
        "softmax over the batch": lambda z, t: -(t * F.log_softmax(z, 0)).sum(-1),
        "mean over the batch": lambda z, t: -(t * F.log_softmax(z, -1)).sum(-1).mean().expand(len(z)),
    },
    "sparse_categorical_crossentropy": {
        "probabilities before the logarithm": lambda z, y: -true_class(clamped_log(F.softmax(z, -1)), y),
        "sigmoid in place of softmax": lambda z, y: -true_class(F.logsigmoid(z), y),
        "class 0 is special": lambda z, y: -true_class(F.log_softmax(z, -1), y) * (1 + (y == 0)),
    },
    "focal": {
        "probabilities before the logarithm": lambda z, y, gamma: (
            -((1 - (p := true_class(F.softmax(z, -1), y).clamp(1e-7, 1 - 1e-7))) ** gamma) * p.log()
        ),
        "weight without a gradient": lambda z, y, gamma: (
            -((1 - (log_p := true_class(F.log_softmax(z, -1), y)).exp().detach()) ** gamma) * log_p
        ),
        "gamma on p": lambda z, y, gamma: -(gamma * (log_p := true_class(F.log_softmax(z, -1), y))).exp() * log_p,
        "no gamma": lambda z, y, gamma: -true_class(F.log_softmax(z, -1), y),
    },
}
