"""Whether every class is large enough for the parts that a split makes."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import PARTS, Finding, Manifest
from lossassay.data.split import one_hot

_FEW_IN_A_PART = 10  # below this many test images of a class, its sensitivity moves in steps of 10 points or more

Counts = npt.NDArray[np.int64]


def tiny_classes(manifest: Manifest, config: SplitConfig) -> Iterator[Finding]:
    """Name the classes that a test part has too few images of.

    Args:
        manifest: Rows with labels.
        config: How they will be split; of several test parts the smallest counts.
    """
    counts = one_hot(manifest).sum(axis=0)
    expected = expected_in_test(manifest, config)
    tiny = np.flatnonzero(expected < _FEW_IN_A_PART)
    if len(tiny):
        listed = ", ".join(f"{manifest.class_names[k]} {counts[k]} ({expected[k]})" for k in tiny)
        yield Finding(
            code="tiny-class",
            severity="issue",
            message=f"Classes with fewer than {_FEW_IN_A_PART} images in {_the_part(config)}, with their images in all "
            f"(and in {_the_part(config)}): {listed}.",
            advice="Their sensitivity cannot be told well. Add images, join classes, or run more replicates.",
        )


def _the_part(config: SplitConfig) -> str:
    if config.official or config.kind in ("holdout", "time"):
        return "the test part"
    return "a fold" if config.kind == "cross_validation" else "the smallest test part"


def expected_in_test(manifest: Manifest, config: SplitConfig) -> Counts:
    """Return how many images of each class the smallest test part can be expected to have, [K]."""
    hot = one_hot(manifest)
    if config.official:
        return np.asarray(hot[manifest.rows["part"].to_numpy() == "test"].sum(axis=0))
    if config.kind == "cross_validation":
        return np.asarray(hot.sum(axis=0) // config.folds)
    if config.kind == "leave_one_out":
        values = _left_out_values(manifest, config)
        if values is not None:
            return np.asarray(np.min([hot[(values == one).to_numpy()].sum(axis=0) for one in values.unique()], axis=0))
    if config.kind == "time" and not manifest.rows["time"].null_count():
        return np.asarray(hot[_latest(manifest, config.test)].sum(axis=0))
    return np.asarray(np.floor(hot.sum(axis=0) * config.test), dtype=np.int64)


def _left_out_values(manifest: Manifest, config: SplitConfig) -> pl.Series | None:
    """Return the value that decides in which part a row is tested; None where it is not known."""
    values = manifest.rows["source"]
    if config.by is not None and manifest.columns is not None and config.by in manifest.columns.columns:
        values = manifest.columns[config.by]
    return None if values.null_count() == len(values) else values.cast(pl.String).fill_null("")


def _latest(manifest: Manifest, share: float) -> Counts:
    order = np.argsort(manifest.rows["time"].to_numpy(), kind="stable")
    rows: Counts = order[len(order) - round(len(order) * share) :]
    return rows


def rare_labels(manifest: Manifest) -> Iterator[Finding]:
    """Name the labels of multi-label data that cannot be in every part."""
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
