"""What is wrong with the data before anything is trained."""

from collections.abc import Iterator

import polars as pl

from lossassay.config.schema import SplitConfig
from lossassay.data.audit.class_sizes import rare_labels, tiny_classes
from lossassay.data.audit.duplicates import exact_duplicates
from lossassay.data.audit.image_findings import image_findings
from lossassay.data.audit.label_conflicts import label_conflicts
from lossassay.data.audit.likeness import likeness
from lossassay.data.audit.near_duplicates import near_duplicates
from lossassay.data.audit.neighbours import neighbour_images
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding, Manifest
from lossassay.data.split_kinds import left_out_findings

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
        *tiny_classes(manifest, config or SplitConfig()),
        *rare_labels(manifest),
        *_no_groups(manifest),
        *left_out_findings(manifest, config or SplitConfig()),
    )


def _pictures(cache: ImageCache) -> Iterator[Finding]:
    """Look at the images themselves."""
    found = likeness(cache)
    yield from exact_duplicates(cache)
    yield from near_duplicates(cache, found)
    yield from neighbour_images(cache, found)
    yield from label_conflicts(cache)
    yield from image_findings(cache)


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


def _no_groups(manifest: Manifest) -> Iterator[Finding]:
    if manifest.rows["group"].null_count() == len(manifest.rows):
        yield Finding(
            code="no-groups",
            severity="note",
            message="Nothing says which images belong to the same patient, so a patient can be in training and test.",
            advice="Name the patient's column in data.group, or a pattern for the path in data.group_pattern.",
        )
