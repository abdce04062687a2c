"""Which frames of an object become rows."""

from collections.abc import Sequence
from typing import Literal


def chosen_frames(num_frames: int, frames: Literal["all", "middle"] | int) -> Sequence[int | None]:
    """Return the numbers of the frames to take, from 0; an object with one frame is taken whole.

    Args:
        num_frames: Of the object.
        frames: ``"all"``, ``"middle"`` (of an even number, the later one), or n for every n-th from the first.
    """
    if num_frames == 1:
        return [None]
    if frames == "middle":
        return [num_frames // 2]
    return range(0, num_frames, 1 if frames == "all" else frames)
