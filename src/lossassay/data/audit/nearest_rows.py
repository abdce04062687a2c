"""Nearest neighbours among the images of other folds, and what they vote for."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lossassay.data.assign import Membership, assign
from lossassay.data.audit.labels import Judged

_FOLDS = 5
_BLOCK_ROWS = 1024

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def folds_of(labels: Judged, seed: int = 0) -> Numbers:
    """Put whole groups into folds of nearly the same size, [N].

    The folds do not look at the labels: only so are labels that are handed from group to group in the same position.
    """
    membership = Membership(hot=np.ones((len(labels.groups), 1), dtype=np.int64), groups=labels.groups)
    return assign(membership, (1 / _FOLDS,) * _FOLDS, np.random.default_rng(seed))


def nearest(points: Floats, folds: Numbers, count: int) -> Numbers:
    """Return the nearest rows of other folds by Euclidean distance, [N count], in no order.

    Args:
        points: [N D].
        folds: Number of the fold of each row, [N].
        count: How many; fewer where the other folds hold fewer.
    """
    points = points - points.mean(axis=0)  # smaller numbers lose less to rounding in the difference below
    squares = np.einsum("nd,nd->n", points, points)
    count = min(count, len(folds) - int(np.bincount(folds).max()))
    found = np.empty((len(points), count), dtype=np.int64)
    for fold in np.unique(folds):
        asking, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        reference = -2 * points[others].T
        for first in range(0, len(asking), _BLOCK_ROWS):
            rows = asking[first : first + _BLOCK_ROWS]
            distances = points[rows] @ reference
            distances += squares[others]  # but for a constant of each row
            found[rows] = others[_smallest(distances, count)]
    return found


def _smallest(distances: Floats, count: int) -> Numbers:
    if count == 1:
        return np.asarray(distances.argmin(axis=1)[:, None])
    return np.asarray(np.argpartition(distances, count - 1, axis=1)[:, :count])


class Votes:
    """What neighbours say of each row, for any labels of theirs.

    Args:
        neighbours: Rows of other folds, [N k].
        folds: Number of the fold of each row, [N].
        several: Whether each label is decided for itself.
    """

    def __init__(self, neighbours: Numbers, folds: Numbers, *, several: bool) -> None:
        number, count = neighbours.shape
        ends = np.arange(0, number * count + 1, count)
        weights = np.full(number * count, 1 / count)
        self._matrix = sparse.csr_matrix((weights, neighbours.ravel(), ends), shape=(number, number))
        self._folds = folds
        self._several = several

    def right(self, hot: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return whether the votes say what the labels say.

        A label gets the share of its votes over its share of the rows of other folds, so that common labels have no
        head start.

        Args:
            hot: Labels of all rows, [N K].

        Returns:
            [N 1]; with several labels [N 2K], first for presence and then for absence.
        """
        counts = np.stack([np.bincount(self._folds, weights=column) for column in hot.T], axis=1)
        shares = (counts.sum(axis=0) - counts) / (len(hot) - np.bincount(self._folds))[:, None]
        votes = (self._matrix @ hot.astype(np.float64)) / np.maximum(shares, 1 / len(hot))[self._folds]
        if self._several:
            right = (votes > 1) == hot
            return np.hstack([right, right])
        return np.asarray(votes.argmax(axis=1) == hot.argmax(axis=1))[:, None]
