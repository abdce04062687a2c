"""For each image, its nearest ones of other groups by their vectors; never a table of all pairs."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

_BLOCK_VALUES = 2**25  # of similarities in memory at once: 128 MiB


def nearest_pairs(vectors: npt.NDArray[np.float32], groups: Rows, neighbours: int) -> tuple[Rows, Rows]:
    """Pair each image with its nearest ones of other groups.

    Args:
        vectors: [N D] of length 1.
        groups: [N] numbers; images of one group are never paired.
        neighbours: How many for each image.

    Returns:
        Two arrays of positions, first < second, each pair once, sorted.
    """
    count = len(vectors)
    order = np.argsort(groups, kind="stable")
    vectors, groups = vectors[order], groups[order]  # a group is now one stretch of columns
    starts = np.searchsorted(groups, groups, side="left")
    ends = np.searchsorted(groups, groups, side="right")
    neighbours = min(neighbours, count - 1)
    block = max(1, _BLOCK_VALUES // max(1, count))
    pairs = [np.empty(0, dtype=np.int64)]
    for first in range(0, count if neighbours > 0 else 0, block):
        rows = np.arange(first, min(first + block, count))
        found, columns = _nearest(vectors, rows, (starts[rows], ends[rows]), neighbours)
        a, b = order[found], order[columns]
        pairs.append(np.minimum(a, b) * count + np.maximum(a, b))
    keys = np.unique(np.concatenate(pairs))
    return keys // max(1, count), keys % max(1, count)


def _nearest(
    vectors: npt.NDArray[np.float32], rows: Rows, own_group: tuple[Rows, Rows], neighbours: int
) -> tuple[Rows, Rows]:
    similarities = vectors[rows] @ vectors.T
    for line, (start, end) in enumerate(zip(*own_group, strict=True)):
        similarities[line, start:end] = -np.inf
    columns = np.argpartition(similarities, -neighbours, axis=1)[:, -neighbours:]
    other_group = np.isfinite(np.take_along_axis(similarities, columns, axis=1))
    return np.repeat(rows, neighbours)[other_group.ravel()], columns.ravel()[other_group.ravel()]
