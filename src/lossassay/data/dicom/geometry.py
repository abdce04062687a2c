"""Slices in order: along the normal of their plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SAME_DIRECTION = 1e-3  # difference of direction cosines that is rounding
_SAME_PLACE_MM = 1e-3
_GAP = 1.5  # times the median step


@dataclass(frozen=True, kw_only=True)
class Stack:
    """How slices lie.

    Args:
        order: Places of the slices, from the lowest along the normal to the highest.
        step_mm: Median distance of neighbours; 0: a single one.
        gaps: Distances that are clearly larger than that.
        doubles: Slices that lie where another one does.
    """

    order: tuple[int, ...]
    step_mm: float
    gaps: int
    doubles: int


def stack_of(positions_mm: Sequence[Sequence[float]], orientations: Sequence[Sequence[float]]) -> Stack | None:
    """Return how slices lie; None where positions or orientations are unknown, or planes are not parallel.

    Args:
        positions_mm: [N] of ImagePositionPatient.
        orientations: [N] of ImageOrientationPatient.
    """
    if any(len(one) != 3 for one in positions_mm) or any(len(one) != 6 for one in orientations):
        return None
    directions = np.asarray(orientations, dtype=np.float64)
    if np.abs(directions - directions[0]).max() > _SAME_DIRECTION:
        return None
    normal = np.cross(directions[0, :3], directions[0, 3:])
    length = np.linalg.norm(normal)
    if length < _SAME_DIRECTION:
        return None
    places = np.asarray(positions_mm, dtype=np.float64) @ (normal / length)
    order = np.argsort(places, kind="stable")
    steps = np.diff(places[order])
    step = float(np.median(steps)) if len(steps) else 0.0
    return Stack(
        order=tuple(int(place) for place in order),
        step_mm=step,
        gaps=int((steps > _GAP * step).sum()) if step > _SAME_PLACE_MM else 0,
        doubles=int((steps <= _SAME_PLACE_MM).sum()),
    )
