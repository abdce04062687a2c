"""The parts of every replicate of a study, by the kind of split that it names."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lossassay.config.schema import SplitConfig
from lossassay.data.folds import fold_splits
from lossassay.data.grouping import exam_numbers, group_numbers
from lossassay.data.manifest import Finding, Manifest
from lossassay.data.newest import parts_by_time, time_splits
from lossassay.data.sites import parts_without, site_names, site_splits
from lossassay.data.split import Split, one_hot, split
from lossassay.errors import DataError

Counts = npt.NDArray[np.int64]


def replicate_splits(manifest: Manifest, config: SplitConfig, seeds: Sequence[int]) -> tuple[Split, ...]:
    """Return the parts of every replicate.

    They depend on the seeds, on the labels, on which rows share a group, and for some kinds on sources or the order of
    times; not on the names of files or groups.

    Args:
        manifest: The readable rows.
        config: The kind of split, and its shares.
        seeds: Of the split, one for each replicate.

    Raises:
        DataError: If the data cannot be split in this way.
    """
    return tuple(_KINDS[config.kind](manifest, config, seeds))


def _holdout_splits(manifest: Manifest, config: SplitConfig, seeds: Sequence[int]) -> list[Split]:
    known: dict[int, Split] = {}
    for seed in seeds:
        if seed not in known:
            known[seed] = split(manifest, config, seed=seed)
    return [known[seed] for seed in seeds]


_KINDS: dict[str, Callable[[Manifest, SplitConfig, Sequence[int]], list[Split]]] = {
    "holdout": _holdout_splits,
    "cross_validation": fold_splits,
    "leave_one_out": site_splits,
    "time": time_splits,
}


def cases_of_classes(manifest: Manifest) -> Counts:
    """Return what is tested as 0 and 1, [N K]: images, or exams, of which the first row alone counts."""
    hot, exams = one_hot(manifest), exam_numbers(manifest)
    if exams is not None:
        first = np.unique(exams, return_index=True)[1]
        hot[np.setdiff1d(np.arange(len(hot)), first)] = 0
    return hot


def expected_test_counts(manifest: Manifest, config: SplitConfig) -> Counts:
    """Return about how many cases of each class a test part will have, [K]; of several, the smallest.

    Args:
        manifest: The readable rows.
        config: How they will be split.
    """
    hot = cases_of_classes(manifest)
    if config.official:
        tested: Counts = hot[manifest.rows["part"].to_numpy() == "test"].sum(axis=0)
        return tested
    if config.kind in ("leave_one_out", "time"):
        in_each = [hot[parts == 2].sum(axis=0) for parts in _fixed_parts(manifest, config)]
        smallest: Counts = np.array(in_each or [hot.sum(axis=0)]).min(axis=0)
        return smallest
    share = 1 / config.folds if config.kind == "cross_validation" else config.test
    expected: Counts = np.floor(hot.sum(axis=0) * share).astype(np.int64)
    return expected


def left_out_findings(manifest: Manifest, config: SplitConfig) -> Iterator[Finding]:
    """Say how many rows a split by site or time leaves out, so that no patient is on both sides.

    Args:
        manifest: The readable rows.
        config: How they will be split.
    """
    parts = _fixed_parts(manifest, config)
    rows = np.flatnonzero(np.any([own == 3 for own in parts], axis=0)) if parts else np.zeros(0, dtype=np.int64)
    if not len(rows):
        return
    groups = len(np.unique(group_numbers(manifest)[rows]))
    why = (
        "are newer than the cut and of patients who were seen before it: they are neither learnt from nor tested"
        if config.kind == "time"
        else "are of patients with images in several sources: they are not learnt from where another source of their "
        "patient is tested"
    )
    yield Finding(
        code="rows-left-out",
        severity="note",
        message=f"{len(rows)} of {len(manifest.rows)} images, in {groups} groups, {why}.",
        advice="Nothing has to be done; a large number means that patients and test parts do not fit together well.",
        rows=tuple(rows.tolist()),
        paths=tuple(manifest.rows["path"].gather(rows).to_list()),
    )


def _fixed_parts(manifest: Manifest, config: SplitConfig) -> list[Counts]:
    """Return what is tested and left out by sites or by time; nothing where that cannot be said."""
    groups = group_numbers(manifest)
    if config.kind == "leave_one_out":
        sources = manifest.rows["source"].fill_null("").to_numpy()
        return [parts_without(sources == name, groups) for name in site_names(manifest)]
    if config.kind == "time":
        try:
            return [parts_by_time(manifest, config.test, groups)]
        except DataError:  # the plan refuses such data, with its message
            return []
    return []
