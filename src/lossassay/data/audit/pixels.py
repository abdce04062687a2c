"""One pass over the decoded pixels: a thumbnail of every image, and a few numbers that say how it looks as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lossassay.data.array_file import BLOCK_BYTES
from lossassay.data.cache import ImageCache

SIDE_PX = 32  # of a thumbnail

_SAMPLED_IMAGES = 400
_RANGE_PERCENTILES = (0.5, 99.5)
_BLANK_SPREAD = 0.01  # of the range
_BLANK_WIDTH = 0.02
_BLANK_SHARE = 0.999

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PixelFacts:
    """How each image looks as a whole, in units of the range that the data set uses; row i is row i of the manifest.

    Args:
        thumbnails: Half-precision means of squares of pixels, [N 32 32], from 0 to 1; of a volume its middle slice.
        means: [N].
        spreads: Standard deviation, [N].
        borders: Mean of the outermost pixels, [N].
        constant: Whether there is nothing in the image, [N].
    """

    thumbnails: npt.NDArray[np.float16]
    means: Floats
    spreads: Floats
    borders: Floats
    constant: npt.NDArray[np.bool_]


def pixel_facts(cache: ImageCache) -> PixelFacts:
    """Look at every image once, block by block."""
    images = cache.images
    low, high = _range_in_use(images)
    number = len(images)
    found = PixelFacts(
        thumbnails=np.empty((number, SIDE_PX, SIDE_PX), dtype=np.float16),
        means=np.empty(number, dtype=np.float32),
        spreads=np.empty(number, dtype=np.float32),
        borders=np.empty(number, dtype=np.float32),
        constant=np.zeros(number, dtype=np.bool_),
    )
    for rows in _blocks(images):
        values = (images[rows].astype(np.float32).mean(axis=-1) - low) / (high - low)  # [B (D) H W]
        flat = values.reshape(len(values), -1)
        found.means[rows] = flat.mean(axis=1)
        found.spreads[rows] = flat.std(axis=1)
        found.constant[rows] = [_is_constant(one, spread) for one, spread in zip(flat, flat.std(axis=1), strict=True)]
        slices = values[:, values.shape[1] // 2] if values.ndim == 4 else values
        found.borders[rows] = _border(slices)
        found.thumbnails[rows] = np.clip(_shrunk(slices), 0, 1)
    return found


def _blocks(images: npt.NDArray[Any]) -> Iterator[slice]:
    step = max(1, BLOCK_BYTES // 4 // max(1, images[:1].nbytes))  # in float32 a block is four times as large
    yield from (slice(first, min(first + step, len(images))) for first in range(0, len(images), step))


def _range_in_use(images: npt.NDArray[Any]) -> tuple[float, float]:
    """The values that nearly all pixels lie between: 12 bits in an array of 16 use a sixteenth of what it can hold."""
    sample = np.asarray(images[:: max(1, len(images) // _SAMPLED_IMAGES)][:, ..., ::2, ::2, :])
    low, high = (float(value) for value in np.percentile(sample, _RANGE_PERCENTILES))
    if low == high:
        low, high = float(sample.min()), float(sample.max())
    return low, high if high > low else low + 1.0


def _is_constant(values: Floats, spread: float) -> bool:
    if spread >= _BLANK_SPREAD:
        return False
    return bool(np.mean(np.abs(values - np.median(values)) <= _BLANK_WIDTH) >= _BLANK_SHARE)


def _border(slices: Floats) -> Floats:
    sides = [slices[:, 0, :], slices[:, -1, :], slices[:, 1:-1, 0], slices[:, 1:-1, -1]]
    border: Floats = np.concatenate(sides, axis=1).mean(axis=1)
    return border


def _shrunk(slices: Floats) -> Floats:
    """Average each axis to `SIDE_PX` with weights by overlap, one matrix product per axis: [B H W] → [B 32 32]."""
    rows, columns = _averaging(slices.shape[1]), _averaging(slices.shape[2])
    shrunk: Floats = np.einsum("ih,bhw->biw", rows, slices, optimize=True) @ columns.T
    return shrunk


def _averaging(length: int) -> Floats:
    edges = np.linspace(0, length, SIDE_PX + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    pixels = np.arange(length)
    overlap = np.clip(np.minimum(ends, pixels + 1) - np.maximum(starts, pixels), 0, None)
    weights: Floats = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights
