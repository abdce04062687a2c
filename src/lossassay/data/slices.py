"""Which slices a study takes of a volume, and what an image is made of."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

AXES = ("axial", "coronal", "sagittal")  # of an array [D H W] that says nothing of how it lies in the patient


def slice_count(depth: int, told: Mapping[str, Any]) -> int:
    """Return how many slices the study takes of a volume that is stored with ``depth`` of them."""
    if told["slices"] is None:
        return 1 if told["form"] == "channels" else depth
    return min(int(told["slices"]), depth)


def slice_position(depth: int, frame: int, count: int) -> int:
    """Return where slice ``frame`` of ``count`` evenly spread ones lies among ``depth``: the middle of its share."""
    return (2 * frame + 1) * depth // (2 * count)


def take_slice(values: npt.NDArray[Any], position: int, form: str) -> npt.NDArray[Any]:
    """Return one slice, [H W C]; in the form ``"channels"`` it and its two neighbours, [H W 3].

    At the ends of a volume the neighbour that is missing is the end itself.
    """
    if form != "channels":
        one: npt.NDArray[Any] = values[position]
        return one
    around = np.clip([position - 1, position, position + 1], 0, len(values) - 1)
    return np.ascontiguousarray(np.moveaxis(values[around, ..., 0], 0, -1))
