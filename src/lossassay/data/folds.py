"""Cross-validation: every row is tested once in each repetition."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership, assign
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Manifest
from lossassay.data.split import Split, as_split, check_enough, check_present, draw_validation, one_hot
from lossassay.errors import DataError

_FOLDS, _VALIDATION = 0, 1  # what is drawn; each has random numbers of its own


def fold_splits(manifest: Manifest, config: SplitConfig, seeds: Sequence[int]) -> list[Split]:
    """Return the parts of every replicate: fold ``r % folds`` of repetition ``r // folds`` is tested in replicate r.

    The folds of a repetition are disjoint and hold every row; each has its share of every class as nearly as whole
    groups allow. The validation part is drawn from the other folds.

    Args:
        manifest: The readable rows.
        config: The number of folds, and the share of the other folds that is the validation part.
        seeds: Of the split, one for each replicate; the folds of a repetition are drawn with the seed of its first.

    Raises:
        DataError: If a class has too few images or groups to be in every fold.
    """
    hot = one_hot(manifest)
    membership = Membership(hot=hot, groups=group_numbers(manifest))
    check_enough(manifest, membership, parts=config.folds, noun="folds")
    splits = []
    for replicate, seed in enumerate(seeds):
        repetition, fold = divmod(replicate, config.folds)
        if fold == 0:
            folds = _drawn_folds(manifest, membership, config.folds, seed, repetition)
        parts = np.where(folds == fold, 2, 0)
        draw_validation(manifest, membership, parts, config.validation, np.random.default_rng([seed, _VALIDATION]))
        check_present(manifest, hot, parts)
        splits.append(as_split(hot, parts))
    return splits


def _drawn_folds(
    manifest: Manifest, membership: Membership, folds: int, seed: int, repetition: int
) -> npt.NDArray[np.int64]:
    drawn = assign(membership, [1 / folds] * folds, np.random.default_rng([seed, _FOLDS]))
    for fold in range(folds) if manifest.task != "multi_label" else ():
        missing = np.flatnonzero(membership.hot[drawn == fold].sum(axis=0) == 0)
        if len(missing):
            raise DataError(
                f"Fold {fold + 1} of {folds} (repetition {repetition + 1}) has no image of "
                f"{', '.join(manifest.class_names[k] for k in missing)}. Every fold needs every class. "
                "Ask for fewer folds (data.split.folds), or leave these classes out or join them with others."
            )
    return drawn
