"""Do two trainings of one arm find the same features? On images that neither was trained on."""

from collections.abc import Iterator

import numpy as np

from lossassay.biomarkers.quality.criteria import FeatureSet
from lossassay.engine.spec import Array
from lossassay.stats.similarity import linear_cka, mapped_agreement, procrustes_similarity

FEWEST_COMMON_IMAGES = 20


def replicate_pairs(replicates: int) -> list[tuple[int, int]]:
    """Return pairs of replicates that have none in common: (0, 1), (2, 3), ...; a last odd one is left out."""
    return [(first, first + 1) for first in range(0, replicates - 1, 2)]


def agreement(first: FeatureSet, second: FeatureSet, patients: Array, *, seed: int) -> Iterator[tuple[str, float]]:
    """Yield how alike the features of two runs of one arm are, on the images that are in the test part of both.

    Nothing where fewer than twenty images are, as between the folds of a cross-validation.

    Args:
        first: Of one replicate.
        second: Of another.
        patients: int [N], of all rows of the data.
        seed: Of the folds of the mapped agreement.
    """
    rows, here, there = np.intersect1d(first.rows, second.rows, assume_unique=True, return_indices=True)
    if len(rows) < FEWEST_COMMON_IMAGES:
        return
    one, other, groups = first.clean[here], second.clean[there], patients[rows]
    yield "reproducibility", linear_cka(one, other).estimate
    yield "procrustes", procrustes_similarity(one, other).estimate
    if len(np.unique(groups)) >= 5:
        yield "mapped_agreement", mapped_agreement(one, other, groups=groups, seed=seed).estimate
