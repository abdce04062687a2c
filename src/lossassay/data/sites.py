"""Leave one site out: every source is the test part in turn."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Manifest
from lossassay.data.names import natural_order
from lossassay.data.split import Split, as_split, check_present, draw_validation, one_hot
from lossassay.errors import DataError

FEWEST_SITES = 3  # two show one difference between sites, which is no spread to speak of
_NO_PART = 3


def site_names(manifest: Manifest) -> list[str]:
    """Return the sources in natural order: replicate r tests the one at place r, round and round."""
    return sorted(set(manifest.rows["source"].drop_nulls().to_list()), key=natural_order)


def site_splits(manifest: Manifest, config: SplitConfig, seeds: Sequence[int]) -> list[Split]:
    """Return the parts of every replicate: the images of one source are tested, others are learnt from.

    A group (patient) with images in the tested source is not learnt from: its images elsewhere are in no part. The
    validation part is drawn from the other sources, with groups whole.

    Args:
        manifest: The readable rows, each with a source.
        config: The share of the other sources that is the validation part.
        seeds: Of the split, one for each replicate.

    Raises:
        DataError: If rows have no source, there are too few sources, the number of replicates is no multiple of
            theirs, or a source or what is left without it lacks a class.
    """
    names = site_names(manifest)
    _check_sites(manifest, names, len(seeds))
    hot = one_hot(manifest)
    membership = Membership(hot=hot, groups=group_numbers(manifest))
    if manifest.task != "multi_label":
        _check_classes(manifest, names, hot)
    sources = manifest.rows["source"].to_numpy()
    splits = []
    for replicate, seed in enumerate(seeds):
        name = names[replicate % len(names)]
        parts = parts_without(sources == name, membership.groups)
        if not (parts == 0).any():
            raise DataError(
                f"Every image outside {name!r} belongs to a group that has images there too, so nothing is left to "
                "learn from. Check data.group: it should name a patient, not a class or a source."
            )
        try:
            draw_validation(manifest, membership, parts, config.validation, np.random.default_rng(seed))
            check_present(manifest, hot, parts)
        except DataError as error:
            raise DataError(f"With {name!r} as the test part: {error}") from None
        splits.append(as_split(hot, parts))
    return splits


def parts_without(tested: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 2 for rows that are tested, 3 for other rows of their groups, and 0 for the rest, [N].

    Args:
        tested: Rows of the test part, [N].
        groups: Number of the group of each row, [N].
    """
    known = np.isin(groups, groups[tested])
    return np.where(tested, 2, np.where(known, _NO_PART, 0))


def _check_sites(manifest: Manifest, names: Sequence[str], replicates: int) -> None:
    missing = manifest.rows["source"].null_count()
    if missing:
        raise DataError(
            f"{missing} of {len(manifest.rows)} images have no source, and leave_one_out tests one source after the "
            "other. Name the column of the site in data.source, and fill in or remove the rows without one."
        )
    if len(names) < FEWEST_SITES:
        raise DataError(
            f"leave_one_out found {len(names)} source{'s' if len(names) != 1 else ''} ({', '.join(names)}). Expected "
            f"{FEWEST_SITES} or more: the spread between sites is what a verdict about a new site rests on. "
            'Take kind = "holdout", or another column (data.source).'
        )
    if replicates % len(names):
        fitting = [len(names) * max(1, round(replicates / len(names)) + more) for more in (0, 1)]
        raise DataError(
            f"leave_one_out tests {len(names)} sources in turn, and {replicates} replicates came. Expected a multiple "
            f"of {len(names)}, so that every source counts alike: write replicates = {fitting[0]} or {fitting[1]}."
        )


def _check_classes(manifest: Manifest, names: Sequence[str], hot: npt.NDArray[np.int64]) -> None:
    sources, lacking = manifest.rows["source"].to_numpy(), []
    for name in names:
        missing = np.flatnonzero(hot[sources == name].sum(axis=0) == 0)
        if len(missing):
            lacking.append(f"{name} has no {', no '.join(manifest.class_names[k] for k in missing)}")
    if lacking:
        raise DataError(
            f"leave_one_out tests every source alone, and {len(lacking)} of {len(names)} lack a class, so that their "
            f"yardstick is not defined: {'; '.join(lacking[:5])}{'; ...' if len(lacking) > 5 else ''}. Leave these "
            'sources or classes out, join small sources, or take kind = "holdout".'
        )
