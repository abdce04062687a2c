"""What is wrong with the data before anything is trained."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership
from lossassay.data.audit.duplicates import exact_duplicates
from lossassay.data.audit.label_conflicts import label_conflicts
from lossassay.data.audit.likeness import likeness
from lossassay.data.audit.near_duplicates import near_duplicates
from lossassay.data.audit.neighbours import neighbour_images
from lossassay.data.cache import ImageCache
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import PARTS, Finding, Manifest
from lossassay.data.split import one_hot

_FEW_IN_A_PART = 10  # below this many test images of a class, its sensitivity moves in steps of 10 points or more


def audit(data: ImageCache | Manifest, config: SplitConfig | None = None) -> tuple[Finding, ...]:
    """Look for what can make results wrong.

    Args:
        data: The decoded data; or a manifest alone, whose images are then not compared with each other.
        config: How the data will be split; the default shares if it is not given.

    Returns:
        Coded findings, besides those that stand in the manifest already (files that cannot be read, mixed modes).
    """
    manifest = data.manifest if isinstance(data, ImageCache) else data
    pictures = _pictures(data) if isinstance(data, ImageCache) else ()
    return (
        *pictures,
        *_group_overlap(manifest),
        *_tiny_classes(manifest, config or SplitConfig()),
        *_rare_labels(manifest),
        *_no_groups(manifest),
    )


def _pictures(cache: ImageCache) -> Iterator[Finding]:
    """Look at the images themselves."""
    found = likeness(cache)
    yield from exact_duplicates(cache)
    yield from near_duplicates(cache, found)
    yield from neighbour_images(cache, found)
    yield from label_conflicts(cache, found)


def _group_overlap(manifest: Manifest) -> Iterator[Finding]:
    known = manifest.rows.filter(pl.col("group").is_not_null(), pl.col("part").is_not_null())
    overlapping = known.filter(pl.col("part").n_unique().over("group") > 1)
    if len(overlapping):
        yield Finding(
            code="group-overlap",
            severity="issue",
            message=f"{overlapping['group'].n_unique()} of {known['group'].n_unique()} groups, with {len(overlapping)} "
            "images, are in more than one official part.",
            advice='Results on the official test part will be too good. Give shares in place of split = "official".',
            rows=tuple(overlapping["row"].to_list()),
            paths=tuple(overlapping["path"].to_list()),
        )


def _tiny_classes(manifest: Manifest, config: SplitConfig) -> Iterator[Finding]:
    counts = one_hot(manifest).sum(axis=0)
    if config.official:
        testing = manifest.rows["part"].to_numpy() == "test"
        expected = one_hot(manifest)[testing].sum(axis=0)
    else:
        expected = np.floor(counts * config.test).astype(np.int64)
    tiny = np.flatnonzero(expected < _FEW_IN_A_PART)
    if len(tiny):
        listed = ", ".join(f"{manifest.class_names[k]} {counts[k]} ({expected[k]})" for k in tiny)
        yield Finding(
            code="tiny-class",
            severity="issue",
            message=f"Classes with fewer than {_FEW_IN_A_PART} images in the test part, with their images in all (and "
            f"in the test part): {listed}.",
            advice="Their sensitivity cannot be told well. Add images, join classes, or run more replicates.",
        )


def _rare_labels(manifest: Manifest) -> Iterator[Finding]:
    groups = Membership(hot=one_hot(manifest), groups=group_numbers(manifest)).groups_per_class()
    rare = np.flatnonzero(groups < len(PARTS)) if manifest.task == "multi_label" else ()
    if len(rare):
        listed = ", ".join(f"{manifest.class_names[k]} {groups[k]}" for k in rare)
        yield Finding(
            code="rare-label",
            severity="issue",
            message=f"Labels in fewer than {len(PARTS)} groups, which cannot be in every part: {listed}.",
            advice="Their yardsticks are undefined where the test part lacks them. Add patients, or leave them out.",
        )


def _no_groups(manifest: Manifest) -> Iterator[Finding]:
    if manifest.rows["group"].null_count() == len(manifest.rows):
        yield Finding(
            code="no-groups",
            severity="note",
            message="Nothing says which images belong to the same patient, so a patient can be in training and test.",
            advice="Name the patient's column in data.group, or a pattern for the path in data.group_pattern.",
        )
