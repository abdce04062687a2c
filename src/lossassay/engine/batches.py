"""Which rows come when, and how bright they are."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from lossassay.engine.seeds import derive
from lossassay.engine.spec import Array

_CHUNK_ROWS = 256  # rows read from the memory map at a time


def pixel_statistics(images: Array, rows: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel over the given rows, in grey levels.

    Sums are whole numbers, so the result does not depend on how the rows are read.
    """
    channels = images.shape[-1]
    total, squares, count = [0] * channels, [0] * channels, 0
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = np.asarray(images[rows[start : start + _CHUNK_ROWS]]).reshape(-1, channels).astype(np.uint64)
        total = [old + int(new) for old, new in zip(total, chunk.sum(axis=0), strict=True)]
        squares = [old + int(new) for old, new in zip(squares, (chunk * chunk).sum(axis=0), strict=True)]
        count += len(chunk)
    means = tuple(value / count for value in total)
    variances = (square / count - mean * mean for square, mean in zip(squares, means, strict=True))
    return means, tuple(max(math.sqrt(max(variance, 0.0)), 1.0) for variance in variances)  # flat images stay finite


def epoch_order(rows: Array, seed: int, epoch: int) -> Array:
    """Return the rows in the order of an epoch; depends on the seed and the epoch's number alone."""
    generator = torch.Generator().manual_seed(derive(seed, epoch))
    return np.asarray(rows[torch.randperm(len(rows), generator=generator).numpy()])


def batches(rows: Array, batch_size: int) -> Iterator[Array]:
    """Cut rows into batches; a last batch of one row joins the one before, for batch normalisation needs two."""
    starts = list(range(0, len(rows), batch_size))
    if len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield rows[start:stop]
