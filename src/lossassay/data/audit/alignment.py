"""How much two thumbnails differ when one is moved and scaled onto the other.

A copy that was cropped by 5 % shows the same content up to 5 % larger and up to 2.5 % of the side elsewhere. Scale and
place are found by the inverse compositional form of Gauss and Newton's method (Baker and Matthews 2004,
doi:10.1023/B:VISI.0000011205.11775.fd), first on blurred thumbnails of half the size, then on whole ones.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lossassay.data.audit.fingerprints import Floats, blur, shrink
from lossassay.data.decoding import core_count

Rows = npt.NDArray[np.int64]
Thumbnails = npt.NDArray[np.float16]

_PAIRS_AT_ONCE = 512
_LARGEST_SCALING = 0.07
_LARGEST_MOVE = 0.04  # of the side
_MARGIN = _LARGEST_SCALING / 2 + _LARGEST_MOVE  # of the side: what is inside never moves out of the other image
_COARSE_STEPS, _FINE_STEPS = 5, 2
_COARSE_BLUR_PX = 1.0
_DETAIL = 1 / 16  # of the side: the width of the blur that leaves detail when it is taken away
_DAMPING = 1e-3


@dataclass(frozen=True)
class _Level:
    """Thumbnails of one size: the part of the template that is compared, and the places of its pixels.

    Args:
        side_px: Of the whole thumbnail.
        margin_px: Left out on each side of the template.
    """

    side_px: int
    margin_px: int

    @property
    def inside(self) -> slice:
        return slice(self.margin_px, self.side_px - self.margin_px)

    @property
    def places(self) -> Floats:
        """Of the compared pixels, from the centre, in shares of the side."""
        return (((np.arange(self.side_px) + 0.5) / self.side_px - 0.5)[self.inside]).astype(np.float32)


def _level(side_px: int) -> _Level:
    return _Level(side_px, int(np.ceil(_MARGIN * side_px)) + 1)


def differences(thumbnails: Thumbnails, first: Rows, second: Rows, *, refine: bool) -> Floats:
    """Return 1 minus the correlation of the fine detail of pairs of thumbnails, after alignment.

    Args:
        thumbnails: [N T T].
        first: [P] the one of each pair that stays where it is.
        second: [P] the one that is moved and scaled.
        refine: Align whole thumbnails too, not only those of half the size; three times the work.

    Returns:
        [P] from 0 (a copy) to 2; near 1 for images that have nothing in common, 1 where one shows nothing.
    """
    if len(first) == 0:
        return np.empty(0, dtype=np.float32)
    blocks = [slice(start, start + _PAIRS_AT_ONCE) for start in range(0, len(first), _PAIRS_AT_ONCE)]

    def compare(block: slice) -> Floats:
        template, moved = (thumbnails[rows[block]].astype(np.float32) for rows in (first, second))
        return _differences(template, moved, refine)

    with ThreadPoolExecutor(core_count()) as pool:
        return np.concatenate(list(pool.map(compare, blocks)))


def _differences(template: Floats, moved: Floats, refine: bool) -> Floats:
    side = template.shape[-1]
    coarse_template, coarse_moved = (blur(shrink(planes, side // 2), _COARSE_BLUR_PX) for planes in (template, moved))
    motion = np.zeros((len(template), 3), dtype=np.float32)  # scaling, move down, move right
    motion = _align(coarse_template, coarse_moved, motion, _COARSE_STEPS)
    if refine:
        motion = _align(template, moved, motion, _FINE_STEPS)
    level = _level(side)
    still = _unit((template - blur(template, side * _DETAIL))[:, level.inside, level.inside])
    warped = _unit(_warp(moved - blur(moved, side * _DETAIL), motion, level))
    return np.asarray(1 - (still * warped).sum(axis=(1, 2)), dtype=np.float32)


def _align(template: Floats, moved: Floats, motion: Floats, steps: int) -> Floats:
    level = _level(template.shape[-1])
    still = _unit(template[:, level.inside, level.inside])
    slopes = _slopes(template, level)  # [P 3 Q]
    curvature = slopes @ slopes.transpose(0, 2, 1)
    damping = _DAMPING * np.trace(curvature, axis1=1, axis2=2)[:, None, None] / 3 + 1e-12
    curvature = np.asarray(curvature + damping * np.eye(3), dtype=np.float32)
    for _ in range(steps):
        error = (_unit(_warp(moved, motion, level)) - still).reshape(len(still), -1, 1)
        motion = _moved_back(motion, np.linalg.solve(curvature, slopes @ error)[:, :, 0])
    return motion


def _slopes(template: Floats, level: _Level) -> Floats:
    """Return how the compared part of the template changes with scaling and moves of its content."""
    inside = template[:, level.inside, level.inside]
    down = np.gradient(template, axis=1)[:, level.inside, level.inside] * level.side_px
    right = np.gradient(template, axis=2)[:, level.inside, level.inside] * level.side_px
    scaling = down * level.places[:, None] + right * level.places
    stacked = np.stack([scaling, down, right], axis=1)
    scale = np.sqrt(((inside - inside.mean(axis=(1, 2), keepdims=True)) ** 2).sum(axis=(1, 2)))
    stacked = stacked / np.maximum(scale, 1e-6)[:, None, None, None]
    return np.asarray(stacked.reshape(len(template), 3, -1), dtype=np.float32)


def _moved_back(motion: Floats, step: Floats) -> Floats:
    """Compose a motion with the inverse of a step of the template."""
    scaling = (1 + motion[:, :1]) / (1 + np.clip(step[:, :1], -0.5, 0.5)) - 1
    moves = motion[:, 1:] - (1 + scaling) * step[:, 1:]
    limited = [np.clip(scaling, -_LARGEST_SCALING, _LARGEST_SCALING), np.clip(moves, -_LARGEST_MOVE, _LARGEST_MOVE)]
    return np.concatenate(limited, axis=1, dtype=np.float32)


def _warp(planes: Floats, motion: Floats, level: _Level) -> Floats:
    """Read each plane at the places that its motion sends the compared pixels to, between pixels linearly."""
    down = _reading_weights(level, motion[:, :1], motion[:, 1:2])
    right = _reading_weights(level, motion[:, :1], motion[:, 2:3])
    return np.asarray(down @ planes @ right.transpose(0, 2, 1), dtype=np.float32)


def _reading_weights(level: _Level, scaling: Floats, move: Floats) -> Floats:
    places = (level.places * (1 + scaling) + move + np.float32(0.5)) * np.float32(level.side_px) - np.float32(0.5)
    pixels = np.arange(level.side_px, dtype=np.float32)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, :, None] - pixels)), dtype=np.float32)


def _unit(planes: Floats) -> Floats:
    """Give each plane mean 0 and length 1; a flat one stays 0."""
    centred = planes - planes.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-6), dtype=np.float32)
