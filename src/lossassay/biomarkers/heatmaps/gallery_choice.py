"""Which test images of a run are worth a look: right and confident, wrong and confident, undecided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lossassay.engine.spec import Array

Kind = Literal["right", "wrong", "undecided"]
KINDS: tuple[Kind, ...] = ("right", "wrong", "undecided")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One image of the gallery.

    Args:
        kind: Why it was chosen.
        position: In the arrays that the choice was made from.
        of_class: Number of the class that the map is about: the predicted one; of several findings the one meant.
    """

    kind: Kind
    position: int
    of_class: int


def choose_gallery(
    labels: Array, probabilities: Array, groups: Array, *, most: int = 6, multi_label: bool = False
) -> tuple[Choice, ...]:
    """Choose images of each kind: classes in turn, one image per patient within a kind, ties by position.

    Single label and grades: right and wrong are sorted by the probability of the predicted class, undecided by the
    distance between the two largest. Multi-label: one finding of an image is looked at; right is a finding that is
    there and was found, wrong is one that was missed or made up, undecided is a probability near 0.5.

    Args:
        labels: Class of each image [M], or multi-hot [M K] with nan for unknown.
        probabilities: [M K].
        groups: Patient of each image, [M].
        most: Of one kind.
        multi_label: Whether labels are multi-hot.
    """
    measured = _of_findings(labels, probabilities) if multi_label else _of_classes(labels, probabilities)
    found: list[Choice] = []
    for kind in KINDS:
        positions, classes, order = measured[kind]
        chosen = _in_turn(positions[order], classes[order], groups, most)
        found += [Choice(kind=kind, position=position, of_class=of_class) for position, of_class in chosen]
    return tuple(found)


_Measured = dict[Kind, tuple[Array, Array, Array]]  # positions, classes, and their order from the clearest


def _of_classes(labels: Array, probabilities: Array) -> _Measured:
    predicted = probabilities.argmax(axis=1)
    largest = np.sort(probabilities, axis=1)
    sure, gap = largest[:, -1], largest[:, -1] - largest[:, -2]
    found: _Measured = {}
    for kind, mask, key in (
        ("right", predicted == labels, -sure),
        ("wrong", predicted != labels, -sure),
        ("undecided", np.full(len(labels), True), gap),
    ):
        positions = np.flatnonzero(mask)
        found[kind] = (positions, predicted[positions], np.argsort(key[positions], kind="stable"))  # type: ignore[index]
    return found


def _of_findings(labels: Array, probabilities: Array) -> _Measured:
    error = np.abs(labels - probabilities)  # nan where the label is not known: in no kind
    distance = np.where(np.isnan(labels), np.nan, np.abs(probabilities - 0.5))
    found: _Measured = {}
    for kind, mask, key in (
        ("right", (labels == 1) & (probabilities >= 0.5), error),
        ("wrong", error > 0.5, -error),
        ("undecided", np.isfinite(distance), distance),
    ):
        positions, classes = np.nonzero(mask)
        found[kind] = (positions, classes, np.argsort(key[positions, classes], kind="stable"))  # type: ignore[index]
    return found


def _in_turn(positions: Array, classes: Array, groups: Array, most: int) -> Iterator[tuple[int, int]]:
    """Yield the clearest of each class, then the second of each, as long as patients are new."""
    names = list(dict.fromkeys(classes.tolist()))  # the class of the clearest image first
    queues = [positions[classes == one].tolist() for one in names]
    seen: set[object] = set()
    given = 0
    while any(queues) and given < most:
        for of_class, queue in zip(names, queues, strict=True):
            position = _next(queue, groups, seen)
            if position is not None and given < most:
                given += 1
                yield position, of_class


def _next(queue: list[int], groups: Array, seen: set[object]) -> int | None:
    while queue:
        position = queue.pop(0)
        if groups[position] not in seen:
            seen.add(groups[position])
            return position
    return None


def evenly(count: int, most: int) -> Sequence[int]:
    """Return at most so many positions, evenly spread over ``count``."""
    return list(dict.fromkeys(np.linspace(0, count - 1, min(most, count)).astype(int).tolist()))
