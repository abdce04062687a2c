"""Every image as a small grey thumbnail and as a short vector that finds its likely copies.

The vector is the 16 px thumbnail in the principal directions of the data set, each divided by the fourth root of its
variance: what all images of a data set have in common (a chest, a white page) then counts less than what tells them
apart. Without that, unrelated X-rays are as near as copies.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.array_file import BLOCK_BYTES

Floats = npt.NDArray[np.float32]

LARGEST_SIDE_PX = 48  # of a thumbnail; at 32 px strokes of handwriting are too thin to tell copies from likenesses
_VECTOR_SIDE_PX = 16
_VECTOR_LENGTH = 64
_SMALLEST_SCALE = 1e-3  # grey levels; a flatter image has no content
_SMALLEST_SHARE = 1e-6  # of the largest variance, below which a direction is noise
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """What images are compared by.

    Args:
        thumbnails: [N T T] float16, each with mean 0 and standard deviation 1; 0 everywhere for a flat image.
        vectors: [N D] float32 of length 1; 0 for a flat image.
    """

    thumbnails: npt.NDArray[np.float16]
    vectors: Floats

    @property
    def flat(self) -> npt.NDArray[np.bool_]:
        """[N] whether an image shows nothing."""
        return np.asarray(~self.vectors.any(axis=1), dtype=np.bool_)


def fingerprints(images: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Fingerprints:
    """Make thumbnails and vectors of some images.

    Args:
        images: [N H W C] or [N D H W C] of any numeric type; of a volume the middle slice counts.
        rows: Which images.
    """
    side = min(LARGEST_SIDE_PX, images.shape[-2])
    thumbnails = np.empty((len(rows), side, side), dtype=np.float16)
    block = max(1, BLOCK_BYTES // max(1, 4 * int(np.prod(images.shape[-3:]))))
    for first in range(0, len(rows), block):
        chosen = rows[first : first + block]
        thumbnails[first : first + block] = _standardised(shrink(_grey_planes(images, chosen), side))
    return Fingerprints(thumbnails=thumbnails, vectors=_vectors(thumbnails))


def shrink(planes: Floats, side_px: int) -> Floats:
    """Scale square planes down with a triangle as wide as two target pixels, so that fine patterns do not alias.

    Args:
        planes: [N S S].
        side_px: Of the result, at most S.

    Returns:
        [N side_px side_px].
    """
    if planes.shape[-1] == side_px:
        return planes
    weights = _shrinking_weights(planes.shape[-1], side_px)
    return np.asarray(weights @ planes @ weights.T, dtype=np.float32)


def blur(planes: Floats, width_px: float) -> Floats:
    """Blur square planes with a Gaussian of the given standard deviation; margins use what is inside."""
    places = np.arange(planes.shape[-1])
    weights = np.exp(-0.5 * ((places[:, None] - places) / width_px) ** 2)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(weights @ planes @ weights.T, dtype=np.float32)


def _grey_planes(images: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Floats:
    chosen = images[rows] if images.ndim == 4 else images[rows, images.shape[1] // 2]
    planes = np.asarray(chosen, dtype=np.float32)
    grey: Floats = planes @ _GREY if planes.shape[-1] == 3 else planes[..., 0]
    return grey


def _standardised(planes: Floats) -> Floats:
    centred = planes - planes.mean(axis=(1, 2), keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True))
    shown = np.divide(centred, scale, out=np.zeros_like(centred), where=scale >= _SMALLEST_SCALE)
    return np.asarray(shown, dtype=np.float32)


def _shrinking_weights(source_px: int, target_px: int) -> Floats:
    scale = source_px / target_px
    centres = (np.arange(target_px) + 0.5) * scale
    distances = np.abs(np.arange(source_px) + 0.5 - centres[:, None]) / scale
    weights = np.maximum(0, 1 - distances)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _vectors(thumbnails: npt.NDArray[np.float16]) -> Floats:
    small = np.empty((len(thumbnails), _VECTOR_SIDE_PX**2), dtype=np.float32)
    block = max(1, BLOCK_BYTES // (4 * thumbnails[0].size)) if len(thumbnails) else 1
    for first in range(0, len(thumbnails), block):
        planes = thumbnails[first : first + block].astype(np.float32)
        small[first : first + block] = _standardised(shrink(planes, _VECTOR_SIDE_PX)).reshape(len(planes), -1)
    shown = small.any(axis=1)
    if not shown.any():
        return np.zeros((len(small), 1), dtype=np.float32)
    small[shown] -= small[shown].mean(axis=0, dtype=np.float64).astype(np.float32)
    variances, directions = np.linalg.eigh((small.T @ small / shown.sum()).astype(np.float64))
    variances, directions = variances[::-1][:_VECTOR_LENGTH], directions[:, ::-1][:, :_VECTOR_LENGTH]
    weights = np.maximum(variances, max(variances[0] * _SMALLEST_SHARE, 1e-12)) ** -0.25
    vectors = small @ (directions * weights).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0), dtype=np.float32)
