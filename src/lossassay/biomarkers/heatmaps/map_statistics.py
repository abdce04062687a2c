"""Numbers over images: means with intervals that draw whole patients, rank correlation, maps that know nothing."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lossassay.stats.cluster_bootstrap import cluster_bootstrap
from lossassay.stats.intervals import Array

_DRAWS = 2_000


@dataclass(frozen=True, kw_only=True)
class MapStatistic:
    """A mean over images.

    Args:
        estimate: The mean; nan without an image that has a value.
        low: Lower limit, 95 %; nan with fewer than two patients.
        high: Upper limit.
        n: Images that had a value.
        patients: Patients, or images where patients are not known.
        method: In words.
    """

    estimate: float
    low: float
    high: float
    n: int
    patients: int
    method: str


def mean_over_images(values: Array, groups: Array | None = None) -> MapStatistic:
    """Return the mean of one number per image; images without a number (nan) are left out.

    Args:
        values: [M].
        groups: Patient of each image [M]; None: every image is one of its own.
    """
    kept = np.isfinite(values)
    used = np.asarray(values, dtype=np.float64)[kept]
    own = np.arange(len(used)) if groups is None else np.asarray(groups)[kept]
    if not len(used):
        return MapStatistic(estimate=np.nan, low=np.nan, high=np.nan, n=0, patients=0, method="no image has a value")
    found = cluster_bootstrap(lambda times: float(times @ used) / float(times.sum()), own, draws=_DRAWS)
    return MapStatistic(
        estimate=found.estimate, low=found.low, high=found.high, n=len(used), patients=found.groups, method=found.method
    )


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's correlation of two maps over their places; nan where one of them is constant."""
    ranks = [rankdata(one.ravel()) - (one.size + 1) / 2 for one in (first, second)]
    norms = [float(np.sqrt(one @ one)) for one in ranks]
    return float(ranks[0] @ ranks[1] / (norms[0] * norms[1])) if min(norms) > 0 else float("nan")


def random_maps(maps: Array, generator: np.random.Generator) -> dict[str, Array]:
    """Return two kinds of map that know nothing of their image.

    Args:
        maps: [M H W] or [M D H W].
        generator: Of the random numbers.

    Returns:
        ``random``: every place drawn alone. ``moved``: the map itself, moved by a quarter to three quarters of each
        side (what leaves at one end comes in at the other), so that it is as smooth and as concentrated as it was.
    """
    axes = tuple(range(maps.ndim - 1))
    moved = [
        np.roll(one, [int(generator.integers(side // 4, 3 * side // 4 + 1)) for side in one.shape], axes)
        for one in maps
    ]
    known: Array = np.asarray(generator.random(maps.shape))
    return {"random": known, "moved": np.stack(moved)}
