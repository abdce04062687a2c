"""Whether every class is large enough for the parts that a split makes."""

from collections.abc import Iterator

import numpy as np

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership
from lossassay.data.grouping import exam_numbers, group_numbers
from lossassay.data.manifest import PARTS, Finding, Manifest
from lossassay.data.split import one_hot
from lossassay.data.split_kinds import cases_of_classes, expected_test_counts

_FEW_IN_A_PART = 10  # below this many test cases of a class, its sensitivity moves in steps of 10 points or more


def tiny_classes(manifest: Manifest, config: SplitConfig) -> Iterator[Finding]:
    """Name the classes that a test part has too few images of, or exams where these are what is tested.

    Args:
        manifest: Rows with labels.
        config: How they will be split; of several test parts the smallest counts.
    """
    counts, cases = cases_of_classes(manifest).sum(axis=0), "images" if exam_numbers(manifest) is None else "exams"
    expected = expected_test_counts(manifest, config)
    tiny = np.flatnonzero(expected < _FEW_IN_A_PART)
    if len(tiny):
        listed = ", ".join(f"{manifest.class_names[k]} {counts[k]} ({expected[k]})" for k in tiny)
        yield Finding(
            code="tiny-class",
            severity="issue",
            message=f"Classes with fewer than {_FEW_IN_A_PART} {cases} in {_the_part(config)}, with their {cases} in "
            f"all (and in {_the_part(config)}): {listed}.",
            advice=f"Their sensitivity cannot be told well. Add {cases}, join classes, or run more replicates.",
        )


def _the_part(config: SplitConfig) -> str:
    if config.official or config.kind in ("holdout", "time"):
        return "the test part"
    return "a fold" if config.kind == "cross_validation" else "the smallest test part"


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
