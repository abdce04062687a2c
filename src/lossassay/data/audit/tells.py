"""Which properties of an image give its class away, beyond what chance gives, over all properties at once.

The measure is Youden's J of the best rule on one property alone, class by class: the rule takes a category for the
class where it is likelier than in the others, and its J is the total variation distance of the two distributions. With
many categories a rule fits by chance, so J is judged by its excess over the mean of permuted labels, and the largest of
all excesses by the distribution of the largest (Westfall and Young 1993, Resampling-Based Multiple Testing, single
step).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from lossassay.data.audit.chance import PERMUTATIONS, GroupShuffler
from lossassay.data.audit.features import Feature
from lossassay.data.audit.labels import FEWEST_GROUPS

LARGEST_P = 0.01
SMALLEST_EXCESS = 0.2
STRONG_EXCESS = 0.5

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tell:
    """What one property says of the class that it gives away the most.

    Args:
        feature: Name of the property.
        class_name: The class, or ``""`` if none can be judged.
        youden: J of the best rule, 0 to 1.
        expected: Mean of J for labels that are handed from group to group.
        p: Share of permutations whose largest standardised excess, over all properties and classes, is as large.
    """

    feature: str
    class_name: str
    youden: float
    expected: float
    p: float

    @property
    def excess(self) -> float:
        """How much of J is not chance."""
        return self.youden - self.expected

    def tells(self, *, excess: float = SMALLEST_EXCESS) -> bool:
        """Whether chance does not explain it and it is worth a word."""
        return self.p <= LARGEST_P and self.excess >= excess


@dataclass(frozen=True, kw_only=True)
class Target:
    """What properties may give away.

    Args:
        hot: Labels, [N K].
        known: Which of them are known, [N K].
        groups: Number of the group of each row, [N].
        names: Of the K labels.
    """

    hot: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def of_rows(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Target":
        """Return the target of some rows."""
        return Target(hot=self.hot[rows], known=self.known[rows], groups=self.groups[rows], names=self.names)

    def judged(self) -> npt.NDArray[np.int64]:
        """Return the labels that enough groups have and enough lack; the others fit anything by chance."""

        def many(mask: npt.NDArray[np.bool_]) -> bool:
            return len(np.unique(self.groups[mask])) >= FEWEST_GROUPS

        pairs = zip(self.hot.T, self.known.T, strict=True)
        return np.flatnonzero([many(own & sure) and many(~own & sure) for own, sure in pairs])


def find_tells(features: Sequence[Feature], target: Target, *, permutations: int = PERMUTATIONS) -> tuple[Tell, ...]:
    """Judge every property that varies, all of them together.

    Args:
        features: Properties of the rows.
        target: Their labels.
        permutations: How often labels are handed from group to group.

    Returns:
        One record for each property that varies, in their order.
    """
    judged = target.judged()
    features = [feature for feature in features if feature.varies]
    if not len(judged) or not features:
        return ()
    hot, known = target.hot[:, judged], target.known[:, judged]
    counter, starts = _counter(features)
    observed = _youden(counter, starts, hot, known)
    shuffler = GroupShuffler(target.groups)
    null = np.empty((permutations, *observed.shape))  # [B F K]
    for number in range(permutations):
        rows = shuffler.draw()
        null[number] = _youden(counter, starts, hot[rows], known[rows])
    expected, spread = null.mean(axis=0), np.maximum(null.std(axis=0), 1e-9)
    largest = ((null - expected) / spread).max(axis=(1, 2))
    p_values = (1 + (largest[:, None, None] >= (observed - expected) / spread - 1e-9).sum(axis=0)) / (1 + permutations)
    return tuple(
        _of_feature(feature.name, [target.names[k] for k in judged], *of_feature)
        for feature, *of_feature in zip(features, observed, expected, p_values, strict=True)
    )


def _of_feature(name: str, classes: Sequence[str], observed: Values, expected: Values, p_values: Values) -> Tell:
    """Name the class with the largest excess, among the significant ones if there are any."""
    excess = (observed - expected).round(9)  # of two classes both have the same: the first is named
    significant = p_values <= LARGEST_P
    worst = int(np.argmax(np.where(significant, excess, -np.inf) if significant.any() else excess))
    return Tell(
        feature=name,
        class_name=classes[worst],
        youden=float(observed[worst]),
        expected=float(expected[worst]),
        p=float(p_values[worst]),
    )


def _counter(features: Sequence[Feature]) -> tuple["sparse.csr_matrix", npt.NDArray[np.int64]]:
    """A matrix that counts rows by category when it is multiplied with labels, and where each property starts in it."""
    sizes = [int(feature.codes.max()) + 1 for feature in features]
    starts = np.cumsum([0, *sizes])
    codes = np.concatenate([feature.codes + start for feature, start in zip(features, starts, strict=False)])
    rows = np.tile(np.arange(len(features[0].codes)), len(features))
    shape = (int(starts[-1]), len(features[0].codes))
    return sparse.csr_matrix((np.ones(len(codes)), (codes, rows)), shape=shape), starts[:-1]


def _youden(
    counter: "sparse.csr_matrix",
    starts: npt.NDArray[np.int64],
    hot: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
) -> Values:
    """Total variation distance between the categories of a class and of the others, [F K]."""
    inside, outside = (hot & known).astype(np.float64), (~hot & known).astype(np.float64)
    difference = counter @ (inside / np.maximum(inside.sum(axis=0), 1) - outside / np.maximum(outside.sum(axis=0), 1))
    distance: Values = np.add.reduceat(np.maximum(difference, 0), starts, axis=0)
    return distance
