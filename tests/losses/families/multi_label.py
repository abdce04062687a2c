"""Independent values and wrong versions of multi-label losses."""

from collections.abc import Callable

import torch.nn.functional as F

from tests.losses.families.common import Tensor, clamped_log

import keras  # isort: skip  # after its backend is chosen

# The mean over classes is torch's: that of keras works in float32 (version 3.15).
ORACLES: dict[str, Callable[..., Tensor]] = {
    "binary_crossentropy": lambda z, t: keras.ops.binary_crossentropy(t, z, from_logits=True).mean(-1),
}

MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "binary_crossentropy": {
        "sum over classes": lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none").sum(-1),
        "probabilities before the logarithm": lambda z, t: (
            -(t * clamped_log(z.sigmoid()) + (1 - t) * clamped_log(1 - z.sigmoid())).mean(-1)
        ),
        "positives only": lambda z, t: -(t * F.logsigmoid(z)).mean(-1),
    },
}
