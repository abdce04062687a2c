"""What labels, groups and parts say before any image is looked at."""

from collections.abc import Iterator

import polars as pl

from lossassay.config.schema import SplitConfig
from lossassay.data.audit.class_sizes import rare_labels, tiny_classes
from lossassay.data.manifest import Finding, Manifest
from lossassay.data.split_kinds import left_out_findings


def audit(manifest: Manifest, config: SplitConfig | None = None) -> tuple[Finding, ...]:
    """Look for what can make results wrong in what is known of the images, without looking at them.

    Args:
        manifest: The readable rows.
        config: How the data will be split; the default shares if it is not given.

    Returns:
        Coded findings, besides those that stand in the manifest already (files that cannot be read, mixed modes).
    """
    config = config or SplitConfig()
    return (
        *_group_overlap(manifest),
        *tiny_classes(manifest, config),
        *rare_labels(manifest),
        *_no_groups(manifest),
        *left_out_findings(manifest, config),
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


def _no_groups(manifest: Manifest) -> Iterator[Finding]:
    if manifest.rows["group"].null_count() == len(manifest.rows):
        yield Finding(
            code="no-groups",
            severity="note",
            message="Nothing says which images belong to the same patient, so a patient can be in training and test.",
            advice="Name the patient's column in data.group, or a pattern for the path in data.group_pattern.",
        )
