"""Value and gradient of a loss along a path of scores, from a wrong answer to the right one: numbers, no drawing.

There are K = 3 classes. The path depends on the last layer that the loss is trained with:

linear      scores (m, 0, 0) and the first class true: m, from -6 to 6, is the margin of the true class over the others.
            For findings the first one is present, and m is its score.
cosine      cosines (m, 0, 0) and the first class true. Both ends, -1 and 1, are left out: there an angle has no
            derivative by its cosine.
K - 1       f minus the thresholds -1 and 1, f from -6 to 6, as a head puts them out whose thresholds are in order. The
            middle grade is true: its place is between the thresholds, and both ends of the path are wrong.
scalar      one score from -1 to 3, the second of the grades 0, 1, 2 true.

A loss of a batch is shown for two mirrored examples: (m, 0, 0) of the first class, (0, m, 0) of the second. Class
counts are 10, 90 and 900, the first class the rarest; features, weights and centres are fixed random numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lossassay.catalogue.loss_spec import Head, LossSpec
from lossassay.errors import LossInputError
from lossassay.losses import Loss, encode_labels, get

CLASSES = 3
COUNTS = (10.0, 90.0, 900.0)
_POINTS = 97
_FEATURES = 8
_THRESHOLD_HEADS: tuple[Head, ...] = ("shared_slope", "linear_minus_one", "thresholds")
_COSINE_HEADS: tuple[Head, ...] = ("cosine", "cosine_with_subcentres")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One loss along its path.

    Args:
        place: Where on the path, [M], rising.
        value: Of the loss, [M]; of a batch, the mean of its shares.
        gradient: Derivative of the value by the place, [M].
        axis: What the place is, in words.
        note: What the curve was computed with besides scores and labels, in words; empty: nothing else.
    """

    place: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    gradient: npt.NDArray[np.float64]
    axis: str
    note: str


def curve(name: str, **hyper_parameters: Any) -> Curve:
    """Return value and gradient of a loss along the path of its head.

    Args:
        name: As `losses.get` takes it.
        **hyper_parameters: Those not given take their defaults.

    Raises:
        LossassayError: If there is no such loss, or it does not return one number per example.
        ValueError: If a hyper-parameter is outside its range.

    Example:
        >>> found = curve("focal")
        >>> [round(float(found.value[index]), 2) for index in (0, 48, 96)]
        [6.68, 0.49, 0.0]
    """
    loss = get(name, class_counts=COUNTS, **hyper_parameters)
    place = _places(loss.spec.head).requires_grad_()
    if loss.spec.kind == "batch":
        value = torch.stack([_of_batch(loss, point) for point in place])
    else:
        value = _of_examples(loss, place)
    (gradient,) = torch.autograd.grad(value.sum(), place)
    return Curve(
        place=place.detach().numpy(),
        value=value.detach().numpy(),
        gradient=gradient.numpy(),
        axis=_axis(loss.spec),
        note=_note(loss.spec),
    )


def path_scores(head: Head, place: Tensor, num_classes: int) -> Tensor:
    """Return the scores at each place of the path, [M S].

    Args:
        head: Of the loss.
        place: [M].
        num_classes: K.
    """
    if head == "scalar":
        return place[:, None]
    if head in _THRESHOLD_HEADS:
        return place[:, None] - torch.linspace(-1, 1, num_classes - 1, dtype=place.dtype)
    return torch.cat([place[:, None], place.new_zeros(len(place), num_classes - 1)], dim=-1)


def mirrored(head: Head, scores: Tensor) -> Tensor:
    """Return the scores of the second example of a batch: the first two classes change places."""
    if head == "scalar" or head in _THRESHOLD_HEADS:
        return scores
    return torch.cat([scores[:, 1:2], scores[:, :1], scores[:, 2:]], dim=-1)


def has_order(head: Head) -> bool:
    """Return whether the scores of this head belong to steps between grades, or to the grade itself."""
    return head == "scalar" or head in _THRESHOLD_HEADS


def stand_ins(rows: int, num_classes: int) -> dict[str, Any]:
    """Return what a loss may need besides scores, labels and counts, the same for every example.

    Row numbers are equal, so that a loss that draws by row number draws the same for all of them.
    """
    draws = torch.Generator().manual_seed(20_262)

    def normal(count: int) -> Tensor:
        return torch.randn(count, _FEATURES, dtype=torch.float64, generator=draws)

    return {
        "features": normal(1).expand(rows, _FEATURES),
        "head_weight": normal(num_classes),
        "centres": normal(num_classes),
        "rows": torch.zeros(rows, dtype=torch.int64),
        "epoch": 1,
        "epochs": 10,
    }


def _places(head: Head) -> Tensor:
    if head in _COSINE_HEADS:
        return torch.linspace(-1, 1, _POINTS + 2, dtype=torch.float64)[1:-1]
    low, high = (-1.0, float(CLASSES)) if head == "scalar" else (-6.0, 6.0)
    return torch.linspace(low, high, _POINTS, dtype=torch.float64)


def _of_examples(loss: Loss, place: Tensor) -> Tensor:
    scores = path_scores(loss.spec.head, place, CLASSES)
    true = 1 if has_order(loss.spec.head) else 0
    value = loss(scores, _encoded(loss.spec, [true] * len(place)), **stand_ins(len(place), CLASSES))
    if value.shape != place.shape:
        raise LossInputError(
            f"{loss.name} returned shape {list(value.shape)} for {len(place)} examples; expected one number for each. "
            "Average nothing in a loss."
        )
    return value


def _of_batch(loss: Loss, point: Tensor) -> Tensor:
    """Two mirrored examples; for grades twice the same."""
    head = loss.spec.head
    first = path_scores(head, point[None], CLASSES)
    scores = torch.cat([first, mirrored(head, first)])
    labels = _encoded(loss.spec, [1, 1] if has_order(head) else [0, 1])
    return loss(scores, labels, **stand_ins(2, CLASSES)).mean()


def _encoded(spec: LossSpec, labels: list[int]) -> Tensor:
    found = encode_labels(torch.tensor(labels), CLASSES, spec.encoding)
    return found.double() if found.is_floating_point() else found


def _axis(spec: LossSpec) -> str:
    if spec.head == "scalar":
        return "score; the true grade is 1"
    if spec.head in _THRESHOLD_HEADS:
        return "score before the thresholds -1 and 1; the true grade lies between"
    if spec.head in _COSINE_HEADS:
        return "cosine of the true class, the others at 0"
    if spec.tasks == ("multi_label",):
        return "score of a finding that is present, the others at 0"
    return "score of the true class minus the others"


def _note(spec: LossSpec) -> str:
    parts = []
    if spec.kind == "batch":
        parts.append("a batch of two mirrored examples")
    if "class_counts" in spec.inputs:
        parts.append("class counts 10, 90, 900, the true class the rarest")
    if {"features", "head_weight", "centres"} & set(spec.inputs):
        parts.append("fixed random features, weights and centres")
    if "epochs" in spec.inputs:
        parts.append("epoch 1 of 10")
    return "; ".join(parts)
