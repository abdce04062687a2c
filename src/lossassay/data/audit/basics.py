"""What is wrong with the data before anything is trained."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership
from lossassay.data.cache import ImageCache, pixel_digests
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
    duplicates = _duplicates(data) if isinstance(data, ImageCache) else ()
    return (
        *duplicates,
        *_group_overlap(manifest),
        *_tiny_classes(manifest, config or SplitConfig()),
        *_rare_labels(manifest),
        *_no_groups(manifest),
    )


def _duplicates(cache: ImageCache) -> Iterator[Finding]:
    rows = cache.manifest.rows.with_columns(
        pixels=pl.Series(pixel_digests(cache), dtype=pl.String),
        together=pl.Series(group_numbers(cache.manifest), dtype=pl.Int64),
        labels=_label_texts(cache.manifest),
    )
    sets = rows.group_by("pixels", maintain_order=True).agg(
        pl.col("row"), pl.col("path"), pl.col("labels").n_unique(), pl.col("together").n_unique(), size=pl.len()
    )
    sets = sets.filter(pl.col("size") > 1)
    across = sets.filter(pl.col("labels") > 1)
    within = sets.filter(pl.col("labels") == 1, pl.col("together") > 1)
    if len(across):
        yield _duplicate_finding(
            "duplicate-across-classes",
            f"{_counted(across)} have the same pixels and different labels.",
            "One of the labels is wrong, or both are: look at them, and correct or remove them.",
            across,
        )
    if len(within):
        yield _duplicate_finding(
            "exact-duplicate",
            f"{_counted(within)} have the same pixels and belong to different groups, so they can be in training and "
            "test at once.",
            "Remove the copies, or give them the same group.",
            within,
        )


def _label_texts(manifest: Manifest) -> pl.Series:
    labels = manifest.rows["label"]
    return labels.cast(pl.List(pl.String)).list.join("") if manifest.task == "multi_label" else labels.cast(pl.String)


def _counted(sets: pl.DataFrame) -> str:
    images = int(sets["size"].sum())
    return f"{images} images in {len(sets)} set{'s' if len(sets) > 1 else ''}"


def _duplicate_finding(code: str, message: str, advice: str, sets: pl.DataFrame) -> Finding:
    return Finding(
        code=code,
        severity="issue",
        message=message,
        advice=advice,
        rows=tuple(sets["row"].explode().to_list()),
        paths=tuple(sets["path"].explode().to_list()),
    )


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
