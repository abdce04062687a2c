"""Split by time: what is newest is tested."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Manifest
from lossassay.data.split import Split, as_split, check_present, draw_validation, one_hot
from lossassay.errors import DataError

_NO_PART = 3


def time_splits(manifest: Manifest, config: SplitConfig, seeds: Sequence[int]) -> list[Split]:
    """Return the parts of every replicate: all test the newest images, and learn from the older ones.

    A group (patient) that was seen before the cut is not tested: its newer images are in no part, so that nothing newer
    than the cut is learnt from and no known patient is tested. Only the validation part is drawn anew.

    Args:
        manifest: The readable rows, each with a time.
        config: The share of all rows that is tested, and of the older ones the share that is the validation part.
        seeds: Of the split, one for each replicate.

    Raises:
        DataError: If rows have no time, all have one, or a part lacks a class.
    """
    hot = one_hot(manifest)
    membership = Membership(hot=hot, groups=group_numbers(manifest))
    base = parts_by_time(manifest, config.test, membership.groups)
    known: dict[int, Split] = {}
    for seed in seeds:
        if seed not in known:
            parts = base.copy()
            draw_validation(manifest, membership, parts, config.validation, np.random.default_rng(seed))
            check_present(manifest, hot, parts)
            known[seed] = as_split(hot, parts)
    return [known[seed] for seed in seeds]


def parts_by_time(manifest: Manifest, share: float, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 2 for rows that are tested, 3 for new rows of known groups, and 0 for the older rows, [N].

    Rows of one time stay together: the cut lies where the share of newer rows is nearest to ``share``, and of two that
    are equally near, where fewer are tested.

    Args:
        manifest: The readable rows.
        share: Of the rows, to be tested.
        groups: Number of the group of each row, [N].

    Raises:
        DataError: If rows have no time, all have one, or every new row is of a known group.
    """
    column = manifest.rows["time"]
    if column.null_count():
        raise DataError(
            f"{column.null_count()} of {len(column)} images have no time, and data.split orders by it. Name the column "
            "of dates in data.time, and fill in or remove the rows without one."
        )
    times = column.to_numpy()
    ranks, first_places = np.unique(np.sort(times), return_index=True)
    if len(ranks) < 2:
        raise DataError(
            f"All {len(times)} images have one time, so none is newer than another. Check data.time, or take "
            'kind = "holdout".'
        )
    newer = (len(times) - first_places[1:])[::-1]  # rows at or after each possible cut, fewest first
    cut = ranks[1:][::-1][np.abs(newer - share * len(times)).argmin()]
    new = times >= cut
    known = np.isin(groups, groups[~new])
    if not (new & ~known).any():
        raise DataError(
            "Every image of the newest part belongs to a group that was seen before, so nothing is left to test. "
            'Check data.group and data.time, choose a larger share, or take kind = "holdout".'
        )
    parts: npt.NDArray[np.int64] = np.where(new, np.where(known, _NO_PART, 2), 0)
    return parts
